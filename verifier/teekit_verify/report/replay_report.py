"""Event logs and what comparing them showed, for people and as JSON. Nothing here says that evidence is acceptable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.appraisal.log_texts import forged_texts
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report import boot_report
from teekit_verify.report.inspect.evidence import NOT_VERIFIED
from teekit_verify.report.layout import STYLES, show_lines, show_outcome, show_table, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.eventlog import LogComparison
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.report.console import Console

_QUOTE_WORDS = {
    ExitStatus.HOLDS: "EQUAL: the event log replays to the quote's RTMRs (the quote's signature is not verified)",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: this is not the event log of the quote's RTMRs",
    ExitStatus.NO_VERDICT: "NOT ALL COMPARED: the event log replays to the quote's RTMRs, but one of them is not in it",
}
_FORGED_WORDS = "FORGED: the log was changed after it was measured: believe none of its texts"
_LOG_WORDS = {
    ExitStatus.HOLDS: "EQUAL: both event logs have the same events",
    ExitStatus.DOES_NOT_HOLD: "DIFFERENT: the event logs part",
}


@frozen
class Comparisons:
    """With a quote and with the log that was expected, where there was one; all logs that were read, and the exit status."""

    with_quote: LogComparison | None
    with_expected: LogComparison | None
    logs: tuple[EventLog, ...]
    status: ExitStatus


def render(log: EventLog, beside: Sequence[EventLog], compared: Comparisons, *, events: bool) -> bytes:
    """What `replay --json` prints."""
    document = boot_report.render_event_log(log, events=events)
    if beside:
        document["more_event_logs"] = [boot_report.render_event_log(one, events=events) for one in beside]
    return json.dumps({**document, **_rendered(compared)}, indent=2).encode() + b"\n"


def show(log: EventLog, beside: Sequence[EventLog], compared: Comparisons, out: Console, *, events: bool) -> None:
    """The registers (and events) of each log, then each comparison."""
    for one in (log, *beside):
        boot_report.show_event_log(one, out, events=events)
    _show_comparisons(compared, out)


def _show_comparisons(compared: Comparisons, out: Console) -> None:
    forged = any(forged_texts(log) for log in compared.logs)
    both = (
        (compared.with_quote, "value in the quote", _QUOTE_WORDS),
        (compared.with_expected, "expected value", _LOG_WORDS),
    )
    for comparison, heading, words in both:
        if comparison is not None:
            _show_comparison(comparison, heading, words if not forged else _forged(words), out)
    if forged:
        show_outcome(out, ExitStatus.DOES_NOT_HOLD, _FORGED_WORDS)


def _forged(words: dict[ExitStatus, str]) -> dict[ExitStatus, str]:
    """Digests that are equal are no good news about a log with other texts than they were made of."""
    return {**words, ExitStatus.HOLDS: "the digests lead to these values"}


def _show_comparison(comparison: LogComparison, heading: str, words: dict[ExitStatus, str], out: Console) -> None:
    from teekit_verify.wording.checks import detail_of
    from teekit_verify.wording.meanings import differences_words

    rows = [
        (
            styled(_register(check)),
            styled(check.expected),
            styled(f"{check.outcome.value} {detail_of(check)}".rstrip(), STYLES[check.outcome]),
        )
        for check in comparison.checks
    ]
    out.print()
    show_table(out, ("register", heading, "replayed"), rows)
    out.print()
    show_outcome(out, comparison.status, words[comparison.status])
    show_lines(differences_words(comparison.differences), out)


def _register(check: Check) -> str:
    from teekit_verify.appraisal.facts import RegisterCheck

    subject = check.subject
    assert isinstance(subject, RegisterCheck)  # noqa: S101 - logs have registers
    return str(subject.register) if subject.bank is None else f"{subject.register} {subject.bank.value}"


def _rendered(compared: Comparisons) -> dict[str, object]:
    """`quote` and `against`, each with its checks and differences, and the exit status."""
    document: dict[str, object] = {}
    if compared.with_quote is not None:
        document["quote"] = {"signature": NOT_VERIFIED, **_fields(compared.with_quote)}
    if compared.with_expected is not None:
        document["against"] = _fields(compared.with_expected)
    return {**document, "exit_status": int(compared.status)}


def _fields(comparison: LogComparison) -> dict[str, object]:
    from teekit_verify.record.json_report import plain
    from teekit_verify.wording.meanings import differences_words

    return {"checks": plain(comparison.checks), "differences": list(differences_words(comparison.differences))}
