"""Event logs: what registers hold after their events, beside a quote or another log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.log_texts import forged_texts
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.eventlog import MAX_LOG_BYTES, LogKind
from teekit_verify.evidence.files import more_logs, read_log

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.appraisal.guest.eventlog import LogComparison
    from teekit_verify.evidence.eventlog import EventLog


@frozen
class Replayed:
    """A log, those of other registers in the same file (`beside`), the log that was expected, and what comparing showed.

    Says nothing of the quote's signature, nor of whether the guest is acceptable.
    """

    log: EventLog
    beside: tuple[EventLog, ...] = ()
    expected: EventLog | None = None
    with_quote: LogComparison | None = None
    with_expected: LogComparison | None = None

    @property
    def logs(self) -> tuple[EventLog, ...]:
        """All that were read."""
        return (self.log, *self.beside, *(() if self.expected is None else (self.expected,)))

    @property
    def status(self) -> ExitStatus:
        """What does not hold anywhere does not hold, nor does a log with a forged text. HOLDS without a comparison: the log was read."""
        found = {one.status for one in (self.with_quote, self.with_expected) if one is not None}
        if any(forged_texts(log) for log in self.logs):
            found.add(ExitStatus.DOES_NOT_HOLD)
        worst = (ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT)
        return next((status for status in worst if status in found), ExitStatus.HOLDS)


def replay(
    eventlog: Path,
    *,
    table: Path | None = None,
    kind: LogKind | None = None,
    ima: Path | None = None,
    quote: Path | None = None,
    against: Path | None = None,
) -> Replayed:
    """Replay a log, and compare it with a quote's RTMRs, with the log that was expected (`against`), or both.

    `table`: the ACPI table of a CCEL. `kind`: which registers the log is about, None to find out. `ima`: IMA's measurement list.

    Raises TeekitError for files that cannot be read, and for a quote beside a log without RTMRs.
    """
    log = read_log(eventlog, table=table, kind=kind, ima=ima)
    beside = more_logs(read_bounded(eventlog, MAX_LOG_BYTES, "an event log"), log) if kind is None else ()
    expected = None if against is None else read_log(against, kind=kind)
    if quote is None and expected is None:
        return Replayed(log, beside)
    from teekit_verify.appraisal.guest.eventlog import compare_logs, compare_with_quote
    from teekit_verify.evidence.quote import read_quote

    return Replayed(
        log,
        beside,
        expected,
        None if quote is None else compare_with_quote(log, read_quote(quote)),
        None if expected is None else compare_logs(expected, log),
    )
