"""What the pages of the site are made of: of each release all for its own page, and the little that other pages keep."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.survey import SurveyedRelease, Weight
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.report.site import words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from teekit_verify.appraisal.statements.repository import Contradiction
    from teekit_verify.appraisal.statements.survey import Entry
    from teekit_verify.documents.model import Reference, ReferenceRegister
    from teekit_verify.reference.releases import DamagedRelease

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,200}")
_LINKED = re.compile(r"https?://[^\s@]+")


def place(name: str) -> str:
    """A foreign name as a part of a path and of an address: itself if it is plain, as those of releases and auditors are."""
    return name if _PLAIN.fullmatch(name) else f"x-{sha256(name.encode(errors='surrogatepass')).hexdigest()[:32]}"


def is_address(text: str) -> bool:
    """Whether a page may link to it: a scheme that runs nothing."""
    return _LINKED.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Told:
    """A contradiction, and what stands in the feed for it. `evidence` are the digests of the statements that it is made of."""

    release: str
    page: str
    contradiction: Contradiction
    evidence: tuple[str, ...]
    released: date | None

    @property
    def text(self) -> str:
        return words.conflict(self.contradiction.conflict, self.contradiction.auditors)


@dataclass(frozen=True, slots=True)
class Summary:
    """A row of the index. `problem` says why a damaged release cannot be read; it has no page."""

    name: str
    state: words.Words
    page: str = ""
    image: str = ""
    released: date | None = None
    days: int | None = None
    signed_by: tuple[str, ...] = ()
    agreeing: tuple[str, ...] = ()
    withdrawn: str | None = None
    commit: str = ""
    sha256: str = ""
    artifacts: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def damaged(release: DamagedRelease) -> Summary:
    return Summary(release.name, words.Words("bad", "cannot be read"), problem=release.problem)


def summary(release: SurveyedRelease, on: date) -> Summary:
    known = release.known
    day = known.release.released_on
    return Summary(
        known.name,
        words.STATES[release.state],
        page(known.name),
        " + ".join((known.release.image, *known.release.profiles)),
        day,
        None if day is None else (on - day).days,
        signers(release),
        release.agreeing,
        known.release.withdrawn,
        known.release.commit or "",
        known.sha256.hex,
        tuple((item.name, item.sha256.hex) for item in known.reference.artifacts),
    )


def page(release: str) -> str:
    return f"releases/{place(release)}.html"


def signers(release: SurveyedRelease) -> tuple[str, ...]:
    """The publisher's owners of keys who signed exactly this reference file."""
    verified = release.known.verified
    if verified is None or verified.status is not ExitStatus.HOLDS:
        return ()
    good = (one.key.owner for one in verified.judgements if one.key and one.standing is Standing.GOOD)
    return tuple(dict.fromkeys(good))


def told(release: SurveyedRelease) -> Iterator[Told]:
    name = release.known.name
    for item in release.contradictions:
        evidence = sorted(
            entry.sha256.hex for entry in release.entries if entry.owner in item.auditors and entry.sha256 is not None
        )
        yield Told(name, page(name), item, tuple(evidence), release.known.release.released_on)


@dataclass(frozen=True, slots=True)
class StatementView:
    """`file`, `report` and `proof` (of a log) are where the site has them, empty where it has none: nothing is repeated that no trusted key vouches for."""

    entry: Entry
    auditor: str
    verdict: str
    weight: words.Words
    standing: words.Words | None
    cells: tuple[words.Words, ...]
    remarks: tuple[str, ...]
    other_version: bool
    file: str
    report: str
    logged: words.Words | None
    proof: str


def statement_views(release: SurveyedRelease, reports: frozenset[str]) -> list[StatementView]:
    """`reports` are the auditors of whom the site has a report of this release."""
    return [_statement_view(release, entry, reports) for entry in release.entries]


def _statement_view(release: SurveyedRelease, entry: Entry, reports: frozenset[str]) -> StatementView:
    said = None if entry.statement is None else entry.statement.predicate
    named = None if said is None else said.reference
    return StatementView(
        entry,
        entry.owner or "unknown",
        "" if said is None else said.verdict.value,
        words.WEIGHTS[entry.weight],
        None if entry.standing is None else words.STANDINGS[entry.standing],
        tuple(words.CELLS[cell] for cell in entry.cells),
        tuple(words.remarks(entry)),
        named is not None and entry.weight is not Weight.OTHER_RELEASE and named.sha256 != release.known.sha256,
        "" if entry.statement is None else statement_file(release.known.name, entry),
        report_page(release.known.name, entry.owner) if entry.owner in reports else "",
        words.logged(entry),
        proof_file(release.known.name, entry),
    )


def statement_file(release: str, entry: Entry) -> str:
    name = entry.file.rpartition("/")[2]
    return f"statements/{place(release)}/{place(name)}"


def proof_file(release: str, entry: Entry) -> str:
    """Empty without a good one."""
    return "" if entry.proof is None else f"statements/{place(release)}/{place(entry.proof[0])}"


def report_page(release: str, auditor: str) -> str:
    return f"reports/{place(release)}/{place(auditor)}.html"


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One value of a register, or why there is none (`digest` is then empty)."""

    register: str
    policy: str
    label: str
    bank: str
    digest: str
    why: str


def platforms(reference: Reference) -> Iterator[tuple[str, list[ValueRow]]]:
    """By platform."""
    for platform, registers in reference.platforms.items():
        yield platform, [row for name, register in registers.items() for row in _rows(str(name), register)]


def _rows(name: str, register: ReferenceRegister) -> Iterator[ValueRow]:
    policy = register.policy.value
    if register.reason:
        yield ValueRow(name, policy, "", "", "", register.reason)
    for value in register.acceptable:
        groups = ", ".join(value.groups)
        label = value.label if groups in {"", value.label} else f"{value.label} (in {groups})"
        for bank in value.register.banks or (None,):
            digest = None if bank is None else value.register.value(bank)
            why = "" if digest is not None else f"not known: {value.register.missing}"
            yield ValueRow(name, policy, label, "" if bank is None else bank.value, digest.hex if digest else "", why)


def ignored(reference: Reference) -> list[tuple[str, str, str]]:
    """(platform, register, reason)."""
    return [
        (platform, str(name), register.reason)
        for platform, registers in reference.platforms.items()
        for name, register in registers.items()
        if register.reason
    ]
