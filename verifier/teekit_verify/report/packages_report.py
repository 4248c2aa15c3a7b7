"""What `packages` says: the packages that nobody reproduced, how many there are of each kind, the answer last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.packages import RebuiltPackages
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.rebuilt_packages import PackageStanding
from teekit_verify.record.json_report import render as render_json
from teekit_verify.report.layout import show_line, show_outcome, show_table, styled
from teekit_verify.wording.packages import STANDINGS

if TYPE_CHECKING:
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/packages/v1"
WITH_HEADING: dict[str, tuple[type, str]] = {"packages-v1": (RebuiltPackages, SCHEMA)}
_STYLES = {PackageStanding.GOOD: "green", PackageStanding.BAD: "bold red"}
_WORDS = {standing: (words, _STYLES.get(standing, "yellow")) for standing, words in STANDINGS.items()}


def show(found: RebuiltPackages, out: Console) -> None:
    others = [item for item in found.packages if item.standing is not PackageStanding.GOOD]
    rows = [
        (styled(item.name), styled(item.version), styled(item.architecture), styled(*_WORDS[item.standing]))
        for item in sorted(others, key=lambda item: item.standing is not PackageStanding.BAD)
    ]
    if rows:
        show_table(out, ("package", "version", "architecture", "rebuilders say"), rows)
        out.print()
    for standing, (words, style) in _WORDS.items():
        if count := found.count(standing):
            show_line(out, styled(f"{count:>6} {words}", style))
    if found.npm:
        show_line(out, styled(f"{found.npm:>6} from npm: nobody rebuilds those", "yellow"))
    for source in found.sources:
        show_line(out, styled(f"asked: {source}"))
    show_outcome(out, found.status, _answer(found))


def _answer(found: RebuiltPackages) -> str:
    good = found.count(PackageStanding.GOOD)
    share = f"{found.good_permille // 10}.{found.good_permille % 10} %"
    reproduced = f"{share} of the packages of Debian ({good} of {len(found.packages)}) were reproduced by others"
    match found.status:
        case ExitStatus.HOLDS:
            return reproduced
        case ExitStatus.DOES_NOT_HOLD:
            bad = found.count(PackageStanding.BAD)
            return f"NOT ALL REPRODUCED: {reproduced}" + (f", {bad} could not be" if bad else "")
        case ExitStatus.NO_VERDICT:
            if not good:
                return "NO PACKAGE IS GOOD: are these the rebuilders of this distribution?"
            return f"NOT KNOWN OF ALL: {reproduced}; --allow-unknown takes that for enough"


def render(found: RebuiltPackages) -> bytes:
    """What `packages --json` prints."""
    return render_json({"schema": SCHEMA, "exit_status": int(found.status)}, found)
