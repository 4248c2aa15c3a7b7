"""A guest's quote and log against a reference, for people and as JSON: authentic, acceptable, and the published one or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import conclude
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import open_registers, plain
from teekit_verify.report.guest_report import render_runs
from teekit_verify.report.layout import show_line, show_lines, show_outcome, styled
from teekit_verify.report.quote_report import show_answers
from teekit_verify.report.terminal import show_causes, show_checklist, show_events_side_by_side
from teekit_verify.wording.checks import open_words, reason_lines
from teekit_verify.wording.guests import runs_lines

if TYPE_CHECKING:
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal
    from teekit_verify.record.comparison import ReferenceUsed
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/presented/v1"

_STATUS_WORDS = {
    ExitStatus.HOLDS: "MATCH: this guest has the registers that were published",
    ExitStatus.DOES_NOT_HOLD: "MISMATCH: this guest is not what was published",
    ExitStatus.NO_VERDICT: "NO VERDICT: not everything that speaks for this guest could be compared",
}

_REFUSED = "REFUSED: the quote cannot be relied on"


def show_presented(
    name: str, used: ReferenceUsed, appraisal: PresentedAppraisal, out: Console, *, events: bool
) -> None:
    """The registers, both answers about the quote, and the verdict last; with `events`, both logs side by side."""
    show_line(
        out, "quote ", styled(name, "bold"), " against ", styled(used.release, "bold"), " (", styled(used.path), ")"
    )
    if appraisal.platform is not None:
        show_line(out, "platform ", styled(appraisal.platform, "bold"))
        out.print()
        show_checklist(appraisal.checklist, out)
        if events:
            show_events_side_by_side(appraisal.values, {appraisal.platform: appraisal.registers}, out)
    out.print()
    show_answers(appraisal.quote, out)
    status = appraisal.conclusion.status
    refused = status is ExitStatus.DOES_NOT_HOLD and conclude(appraisal.checklist).status is not status
    words = _REFUSED if refused else _STATUS_WORDS[status] + open_words(appraisal.checklist, status)
    if status is ExitStatus.HOLDS and (appraisal.values.apps is not None or appraisal.runs is not None):
        words += ", and runs only what it should" if appraisal.runs is not None else "; what it runs was not compared"
    show_outcome(out, status, words)
    for line in runs_lines(appraisal.runs) if appraisal.runs is not None else ():
        show_line(out, styled(line), indent=2)
    show_causes(appraisal.checklist, out)
    show_lines(reason_lines(appraisal.conclusion.reasons), out)


def render_presented(used: ReferenceUsed, appraisal: PresentedAppraisal, quote: dict[str, object]) -> dict[str, object]:
    """What `compare --quote --json` prints; `quote` is what `quote --json` says of the quote."""
    return {
        "schema": SCHEMA,
        "exit_status": int(appraisal.conclusion.status),
        "open_registers": open_registers(appraisal.checklist),
        "reference": plain(used),
        "platform": appraisal.platform,
        "runs": None if appraisal.runs is None else render_runs(appraisal.runs),
        "quote": quote,
        "checklist": plain(appraisal.checklist),
        "reasons": list(reason_lines(appraisal.conclusion.reasons)),
    }
