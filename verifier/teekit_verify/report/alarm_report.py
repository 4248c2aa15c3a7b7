"""What `monitor` says: one line for each alarm, as soon as it is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.repository import Conflict, Contradiction, Fault
from teekit_verify.appraisal.statements.watched import AlarmKind, status_of
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.record.json_report import plain
from teekit_verify.report import repository_report
from teekit_verify.report.layout import STATUS_STYLES, show_line, show_outcome, styled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.statements.watched import Alarm
    from teekit_verify.report.console import Console

SCHEMA = "teekit-verify/alarm/v1"


def show(alarm: Alarm, out: Console) -> None:
    show_line(out, styled(in_words(alarm), STATUS_STYLES[status_of([alarm])]))


def in_words(alarm: Alarm) -> str:
    match alarm.kind:
        case AlarmKind.INPUT_LOST:
            where = f" in {alarm.place}" if alarm.place else ""
            return f"{alarm.release}: an input is lost{where}: {alarm.file}: {alarm.what}"
        case AlarmKind.INPUTS_UNREADABLE:
            return f"{alarm.release}: its inputs cannot be checked: {_first(alarm)}"
        case AlarmKind.CONTRADICTION:
            return repository_report.in_words(
                Contradiction(alarm.release, Conflict(alarm.what), alarm.auditors, alarm.place)
            )
        case AlarmKind.NOT_IN_ORDER:
            where = f"{alarm.place}: " if alarm.place else ""
            return f"{where}{alarm.file}: {repository_report.FAULTS[Fault(alarm.what)]}"
        case AlarmKind.UNREPRODUCED:
            by = f" by {', '.join(alarm.auditors)} only" if alarm.auditors else " by nobody"
            return f"{alarm.release}: published on {alarm.published_on}, and reproduced{by}"
        case AlarmKind.NOT_LOGGED:
            return f"{alarm.file}: filed on {alarm.published_on}, and no proof says that it is in a log"
        case AlarmKind.RELEASE_DAMAGED:
            return (
                f"{alarm.release}: {_first(alarm) or f'release.json and its reference file name another {alarm.what}'}"
            )
        case AlarmKind.AGE_UNKNOWN:
            why = f"it says {alarm.published_on}, which is in the future" if alarm.published_on else _first(alarm)
            return f"{alarm.file or alarm.release}: its date of publication is not known: {why}"


def _first(alarm: Alarm) -> str:
    return alarm.message.split("\n", maxsplit=1)[0]


def show_end(alarms: Sequence[Alarm], passed_over: int, out: Console) -> None:
    """The answer."""
    status = status_of(alarms)
    words = {
        ExitStatus.HOLDS: "NO ALARM",
        ExitStatus.DOES_NOT_HOLD: f"ALARM: {len(alarms)} to look at",
        ExitStatus.NO_VERDICT: "UNDECIDED",
    }
    known = f", {passed_over} known before" if passed_over else ""
    show_outcome(out, status, words[status], styled(known))


def render(alarm: Alarm) -> str:
    """One line of what `monitor --json` prints. The same alarm is the same line on every day."""
    fields = plain(alarm)
    assert isinstance(fields, dict)  # noqa: S101 - it is a dataclass
    return json.dumps({"schema": SCHEMA, "exit_status": int(status_of([alarm])), **fields}, ensure_ascii=False)
