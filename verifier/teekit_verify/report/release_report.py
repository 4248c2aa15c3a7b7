"""What `release list` and `release show` say: a line for each release; of one, also what its reference holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.fields import Sha256  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.record.json_report import render as render_json
from teekit_verify.reference.releases import DamagedRelease, Disagreement, Releases
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.report import reference_report
from teekit_verify.report.layout import show_line, show_table, styled
from teekit_verify.report.signature_report import in_words

if TYPE_CHECKING:
    from teekit_verify.reference.releases import KnownRelease
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/release-list/v1"


def show_list(listed: Releases, out: Console) -> None:
    """Withdrawn ones, those that disagree with themselves and damaged ones are told below the table."""
    known = [item for item in listed.releases if not isinstance(item, DamagedRelease)]
    if known:
        rows = [
            (
                styled(item.name, "red" if item.release.withdrawn else ""),
                styled(_image(item)),
                styled(item.release.released or ""),
                styled((item.release.commit or item.release.tag or "")[:12]),
                styled(_signed(item, asked=listed.asked)),
                styled("withdrawn" if item.release.withdrawn else ""),
            )
            for item in known
        ]
        show_table(out, ("release", "image", "released", "commit", "signed", ""), rows)
    for item in listed.releases:
        _show_problems(item, out, asked=listed.asked)
    if not listed.releases:
        out.outcome(styled(f"{listed.folder}: has no releases (NAME/release.json)"))


def _show_problems(item: KnownRelease | DamagedRelease, out: Console, *, asked: bool) -> None:
    """What there is to the exit status, one line each: shown with --quiet as well."""
    if isinstance(item, DamagedRelease):
        out.outcome(styled(f"{item.name}: {item.problem}", "bold red"))
        return
    if item.release.withdrawn:
        show_line(out, styled(f"{item.name} is withdrawn: {item.release.withdrawn}"))
    for what in item.disagreements:
        line = f"{item.name}: release.json and {item.release.reference} name another {what.value}"
        out.outcome(styled(line, "bold red"))
    if asked and not item.release.withdrawn and not _owners(item):
        out.outcome(styled(f"{item.name}: is signed by no trusted key", "bold red"))


def _image(item: KnownRelease) -> str:
    return " + ".join((item.release.image, *item.release.profiles))


def _signed(item: KnownRelease, *, asked: bool) -> str:
    if not item.has_signature_file:
        return "no"
    if not asked:
        return "yes, not checked"
    owners = _owners(item)
    return f"by {', '.join(owners)}" if owners else "not by a trusted key"


def _owners(item: KnownRelease) -> tuple[str, ...]:
    """Whose trusted keys signed exactly this file."""
    if item.verified is None or item.verified.status is not ExitStatus.HOLDS:
        return ()
    good = (judged.key.owner for judged in item.verified.judgements if judged.key and judged.standing is Standing.GOOD)
    return tuple(dict.fromkeys(good))


def show_one(found: Releases, out: Console) -> None:
    """Of each release (there is one): where the source is, who signed it, then its reference file."""
    for item in found.releases:
        if isinstance(item, DamagedRelease):
            _show_problems(item, out, asked=found.asked)
        else:
            _show_known(item, out, asked=found.asked)


def _show_known(item: KnownRelease, out: Console, *, asked: bool) -> None:
    source = item.release.repository or "this repository"
    show_line(
        out, styled(item.name, "bold"), ", source: ", styled(source), ", commit ", styled(item.release.commit or "")
    )
    if item.release.tag:
        show_line(out, "tag ", styled(item.release.tag))
    if item.release.released:
        show_line(out, "released ", styled(item.release.released))
    _show_problems(item, out, asked=asked)
    show_line(out, styled(item.release.reference), f" sha256 {item.sha256.hex}")
    if item.verified is None:
        show_line(out, "signed: ", styled(_signed(item, asked=asked)))
    else:
        for judged in item.verified.judgements:
            show_line(out, styled(in_words(judged)))
        if item.verified.problem:
            show_line(out, styled(item.verified.problem, "bold red"))
    if item.release.inputs is not None:
        for place in item.release.inputs.locations:
            show_line(out, "inputs at ", styled(place))
    out.print()
    reference_report.show(item.reference, out)


@dataclass(frozen=True, slots=True)
class Listed:
    """`problem`: why it cannot be read; then the other fields are empty. `signed_by`: the owners of trusted keys that signed it.

    `released` is the day on which it was published, as its publisher says.
    """

    name: str
    problem: str
    image: str = ""
    profiles: tuple[str, ...] = ()
    repository: str | None = None
    commit: str | None = None
    tag: str | None = None
    reference: str = ""
    sha256: Sha256 | None = None
    withdrawn: str | None = None
    disagreements: tuple[Disagreement, ...] = ()
    has_signature_file: bool = False
    signed_by: tuple[str, ...] = ()
    released: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """`signatures_checked`: whether trusted keys were given."""

    folder: str
    signatures_checked: bool
    releases: tuple[Listed, ...]


def render(listed: Releases) -> bytes:
    """What `release list --json` prints, and `release show --json`, with one release."""
    report = Report(listed.folder, listed.asked, tuple(map(_listed, listed.releases)))
    return render_json({"schema": SCHEMA, "exit_status": int(listed.status)}, report)


def _listed(item: KnownRelease | DamagedRelease) -> Listed:
    if isinstance(item, DamagedRelease):
        return Listed(item.name, item.problem)
    said = item.release
    return Listed(
        item.name,
        "",
        said.image,
        said.profiles,
        said.repository,
        said.commit,
        said.tag,
        said.reference,
        item.sha256,
        said.withdrawn,
        item.disagreements,
        item.has_signature_file,
        _owners(item),
        said.released,
    )
