"""What `attest show` says, and `inspect` of a statement: who signed comes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from teekit_verify.appraisal.rebuild.verdict import Verdict  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.appraisal.statements.statement import Independence, ReferenceNamed  # noqa: TC001
from teekit_verify.documents.fields import Sha256  # noqa: TC001
from teekit_verify.documents.rebuilt_packages import RebuiltCounts  # noqa: TC001
from teekit_verify.record.json_report import render as render_json
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.report.console import Text
from teekit_verify.report.layout import STATUS_STYLES, show_line, show_table, styled
from teekit_verify.wording.statements import independence_words, packages_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/statement/v1"
ALL_SCHEMA = "teekit-verify/statements/v1"
NOT_CHECKED: Literal["not checked"] = "not checked"


def signature(shown: ShownStatement) -> str:
    """One line."""
    match shown.standing:
        case None:
            return "signature not checked: anybody may have written this"
        case Standing.GOOD:
            return f"signed by the trusted key of {shown.owner}"
        case Standing.EXPIRED:
            return f"signed by a key of {shown.owner} that has expired"
        case Standing.BAD_SIGNATURE:
            return "bad signature: not by the trusted key that it names, or not by one key"
        case Standing.NO_KEY:
            return "signed by none of the trusted keys: anybody may have written this"


def show(shown: ShownStatement, out: Console) -> None:
    """The signature, the verdict and its reasons, what it is about."""
    said = shown.statement.predicate
    style = "yellow" if shown.standing is None else STATUS_STYLES[shown.status]
    signed = styled(signature(shown), style)
    out.outcome(Text.assemble(styled(shown.name, "bold"), ", the statement of an auditor: ", signed))
    show_line(out, styled(said.verdict.value, "bold"), " states ", styled(said.auditor))
    for reason in said.reasons:
        show_line(out, styled(reason), indent=2)
    show_line(out, "image ", styled(" + ".join((said.image, *said.profiles))))
    show_line(out, "source commit ", styled(said.commit or "not stated"))
    show_line(out, f"inputs sha256 {said.inputs_sha256.hex}")
    if said.reference is not None:
        show_line(out, "compared with ", styled(said.reference.release), f", sha256 {said.reference.sha256.hex}")
    show_line(out, "teekit-verify ", styled(said.tool_version))
    if words := independence_words(said.independence):
        show_line(out, "says of itself: ", styled(words))
    if said.packages is not None:
        show_line(out, "packages: ", styled(packages_words(said.packages)))
    out.print()
    rows = [(styled(subject.name), styled(subject.digest.sha256.hex)) for subject in shown.statement.subject]
    show_table(out, ("artifact", "sha256"), rows)


@dataclass(frozen=True, slots=True)
class Artifact:
    name: str
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class Report:
    """`owner`: whose trusted key signed it, empty where that was not asked or is not so. What follows it, the auditor says."""

    name: str
    size_bytes: int
    sha256: Sha256
    signature: Standing | Literal["not checked"]
    owner: str
    auditor: str
    verdict: Verdict
    reasons: tuple[str, ...]
    image: str
    profiles: tuple[str, ...]
    commit: str | None
    inputs_sha256: Sha256
    reference: ReferenceNamed | None
    tool_version: str
    artifacts: tuple[Artifact, ...]
    independence: Independence | None = None
    packages: RebuiltCounts | None = None


def render(shown: ShownStatement) -> bytes:
    """What `attest show --json` prints, and `inspect --json` of a statement."""
    return render_json({"schema": SCHEMA, "exit_status": int(shown.status)}, _report(shown))


@dataclass(frozen=True, slots=True)
class Reports:
    folder: str
    statements: tuple[Report, ...]


def show_all(found: Sequence[ShownStatement], out: Console) -> None:
    """One after another, with a line between them."""
    for position, shown in enumerate(found):
        if position:
            out.print()
        show(shown, out)


def render_all(folder: Path, found: Sequence[ShownStatement]) -> bytes:
    """What `attest show --json` prints of a folder."""
    status = max(int(shown.status) for shown in found)
    reports = Reports(str(folder), tuple(_report(shown) for shown in found))
    return render_json({"schema": ALL_SCHEMA, "exit_status": status}, reports)


def _report(shown: ShownStatement) -> Report:
    said = shown.statement.predicate
    return Report(
        name=shown.name,
        size_bytes=shown.size_bytes,
        sha256=shown.sha256,
        signature=shown.standing or NOT_CHECKED,
        owner=shown.owner,
        auditor=said.auditor,
        verdict=said.verdict,
        reasons=said.reasons,
        image=said.image,
        profiles=said.profiles,
        commit=said.commit,
        inputs_sha256=said.inputs_sha256,
        reference=said.reference,
        tool_version=said.tool_version,
        artifacts=tuple(Artifact(subject.name, subject.digest.sha256) for subject in shown.statement.subject),
        independence=said.independence,
        packages=said.packages,
    )
