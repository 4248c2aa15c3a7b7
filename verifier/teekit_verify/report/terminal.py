"""Results for people: tables that fit a screen, the verdict last. Foreign text is escaped; colours only on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.event_differences import aligned, causes, left_out
from teekit_verify.appraisal.facts import LaterState
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.record import json_report
from teekit_verify.report.layout import STYLES, fitting, show_line, show_lines, show_outcome, show_table, styled
from teekit_verify.report.registers_screen import each_alternative
from teekit_verify.wording.checks import detail_of, name_of, open_words, reason_lines
from teekit_verify.wording.meanings import more_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.appraisal.checklist import Checklist
    from teekit_verify.appraisal.facts import Check
    from teekit_verify.documents.model import RegisterValue
    from teekit_verify.record.comparison import ComparisonReport
    from teekit_verify.reference.published import ReferenceValues
    from teekit_verify.registers.registers import Register
    from teekit_verify.report.console import Console, Text

_CLAIMS_MATCH = "MATCH of claims: these measurements are as published; no artifact was examined"
_OPEN_MATCH = "MATCH: every byte is as published, and so are the registers whose values are known"
_STATUS_WORDS = {
    ExitStatus.HOLDS: "MATCH: everything the reference asks for was compared, and matches",
    ExitStatus.DOES_NOT_HOLD: "MISMATCH: this is not what was published",
    ExitStatus.NO_VERDICT: "NO VERDICT: not everything the reference asks for could be compared",
}


def render_comparison(report: ComparisonReport) -> bytes:
    """What `compare --json` prints for a file, or for claims."""
    return json_report.render_comparison(report)


def show_comparison(report: ComparisonReport, out: Console, *, reference: ReferenceValues | None = None) -> None:
    """The checklist, the first differences and the conclusion; with `reference`, also the events side by side."""
    used, artifact = report.reference, report.measurements.disk or report.measurements.artifact
    show_line(
        out,
        "claims about " if report.claimed else "",
        styled(artifact.name, "bold"),
        " against ",
        styled(used.release, "bold"),
        " (",
        styled(used.path),
        ")",
    )
    out.print()
    show_checklist(report.checklist, out)
    if reference is not None:
        show_events_side_by_side(reference, report.measurements.platforms, out)
    out.print()
    status = report.conclusion.status
    words = _STATUS_WORDS[status]
    if status is ExitStatus.HOLDS and report.checklist.open_registers:
        words = _OPEN_MATCH
    if status is ExitStatus.HOLDS and report.claimed:
        words = _CLAIMS_MATCH
    show_outcome(out, status, words + open_words(report.checklist, status))
    show_causes(report.checklist, out)
    show_lines(reason_lines(report.conclusion.reasons), out)


def show_checklist(checklist: Checklist, out: Console) -> None:
    """Every compared fact, what is open, and what was not compared, with the reasons."""
    rows = [
        (
            styled(name_of(check)),
            styled(fitting(check.expected, out)),
            styled(fitting(check.found, out)),
            _outcome(check),
        )
        for check in checklist.checks
    ]
    ignored = [
        (
            styled(name_of(check)),
            styled("-"),
            styled(fitting(check.found, out) or "-"),
            styled(_passed_over(check), "yellow"),
        )
        for check in checklist.ignored
    ]
    show_table(out, ("compared", "expected", "found", "outcome"), rows + ignored)
    for check in (*checklist.of(Outcome.OPEN), *checklist.ignored):
        show_line(out, styled(f"{name_of(check)}: {detail_of(check)}", "yellow"))


def show_causes(checklist: Checklist, out: Console) -> None:
    """What to look at, with the registers it shows in."""
    for cause, places in causes(checklist.differences):
        seen = ", ".join(f"{platform} {register}" for platform, register in places)
        show_line(out, "differs: ", styled(cause or "unknown", "bold"), styled(f" (seen in {seen})"), indent=2)
    if more := left_out(checklist.differences):
        show_line(out, styled(more_events(more)), indent=2)


def _passed_over(check: Check) -> str:
    """A register with a state that is known was compared without it: beside this, there is a row that says so."""
    if isinstance(check.reason, LaterState):
        return "explained"
    return "not compared" if check.outcome is Outcome.NOT_CHECKED else check.outcome.value


def _outcome(check: Check) -> Text:
    return styled(check.outcome.value, STYLES[check.outcome])


def show_events_side_by_side(
    reference: ReferenceValues, measured: Mapping[str, Mapping[Register, RegisterValue]], out: Console
) -> None:
    """The logs of every register that both sides have, event by event."""
    for platform, registers in reference.platforms.items():
        for register, published in registers.items():
            found = measured.get(platform, {}).get(register)
            if found is None:
                continue
            for acceptable in published.acceptable:
                for title, value in each_alternative(f"{platform} {register} ({acceptable.label})", found):
                    out.print()
                    _show_side_by_side(title, register, acceptable.register, value, out)


def _show_side_by_side(
    title: str, register: Register, expected: RegisterValue, found: RegisterValue, out: Console
) -> None:
    bank = next((bank for bank in expected.banks if bank in found.banks), None)
    if bank is None:
        return
    rows = []
    for number, pair in enumerate(aligned(expected.as_events(register), found.as_events(register), bank), start=1):
        digests = ["-" if event is None else event.digest(bank).hex for event in pair]
        same = digests[0] == digests[1]
        event = next(event for event in reversed(pair) if event is not None)
        mark = styled("=" if same else "differs", STYLES[Outcome.MATCH if same else Outcome.MISMATCH])
        words = styled(event.description), styled(event.cause)
        rows.append([styled(number), *words, *(styled(fitting(digest, out)) for digest in digests), mark])
    show_table(out, (title, "what is measured", "comes from", f"expected ({bank.value})", "found", ""), rows)
