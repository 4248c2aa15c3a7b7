"""Compares what an event log replays to with the registers of a quote, and with another log.

Rules. A log holds for a quote if each register that the quote has is what the log replays to, or what nothing was extended into. A register
that a log of this kind does not have (run time in a log of the boot, or the other way round) is not checked: no yes. Two logs are
the same if every register is, in every bank that both have.
Non-rules: whether the quote is signed (`quote` says), and what the texts of the events are (`log_texts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import (
    Because,
    Check,
    DivergenceKindName,
    LogsPart,
    RegisterCheck,
    RegisterSource,
    Why,
)
from teekit_verify.appraisal.replayed import ReplayedLog, replayed
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.eventlog import LogKind
from teekit_verify.evidence.meaning import Meaning, explain
from teekit_verify.registers.align import Divergence, first_divergence
from teekit_verify.registers.events import EventType
from teekit_verify.registers.measured import TD_REGISTER, TPM_REGISTER
from teekit_verify.registers.registers import RTMR_COUNT, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_RTMRS = tuple(rtmr(index) for index in range(RTMR_COUNT))


@frozen
class LogDifference:
    """Where two logs part first in a register, and what that means, if it is understood."""

    divergence: Divergence
    means: Meaning | None


@frozen
class LogComparison:
    """One check for each register, and for those that differ what differs first."""

    checks: tuple[Check, ...]
    differences: tuple[LogDifference, ...] = ()

    @property
    def status(self) -> ExitStatus:
        """HOLDS if every register was compared and is equal; NO_VERDICT if none differs, and one is not in the log."""
        outcomes = {check.outcome for check in self.checks}
        if outcomes <= {Outcome.MATCH}:
            return ExitStatus.HOLDS
        decided = outcomes <= {Outcome.MATCH, Outcome.NOT_CHECKED}
        return ExitStatus.NO_VERDICT if decided else ExitStatus.DOES_NOT_HOLD


def compare_with_quote(log: EventLog, quote: Quote) -> LogComparison:
    """Each RTMR: the quote's value against the log's. A register without events must be zero in the quote.

    But for RTMR3 of a log that ends with the boot: it is extended at run time, which such a log does not have.

    Says nothing about the quote's signature. Raises TeekitError for a TPM log, and for a log without events.
    """
    require_rtmrs(log)
    return compare_with_values(log, {register: quote.report.value(register) for register in _RTMRS})


def require_rtmrs(log: EventLog) -> None:
    """Raises TeekitError for a TPM log, and for a log without events of an RTMR."""
    if log.kind is not LogKind.CCEL:
        raise UnsupportedInputError(
            "a TPM event log has PCRs, and a TDX quote has RTMRs: they cannot be compared",
            hint="Give the CC event log of the guest (/sys/firmware/acpi/tables/data/CCEL).",
        )
    if not any(event.register in _RTMRS for event in log.events):
        raise TeekitError("the event log extends no RTMR: there is nothing to compare with the quote")


def require_pcrs(log: EventLog) -> None:
    """Raises TeekitError for a log of a TD, and for a log without events."""
    if log.kind is not LogKind.TPM or not log.events:
        raise UnsupportedInputError(
            "the event log has no PCRs, and the guest's vTPM quoted PCRs: they cannot be compared",
            hint="Give the TPM event log of the guest (/sys/kernel/security/tpm0/binary_bios_measurements).",
        )


def compare_with_values(log: EventLog | ReplayedLog, quoted: Mapping[Register, Digest]) -> LogComparison:
    """Each of these registers: the quoted value against the log's, in the bank of the value. One replay, or none of a log that was."""
    heard = log if isinstance(log, ReplayedLog) else replayed(log, [value.algorithm for value in quoted.values()])
    return LogComparison(
        tuple(
            _check(register, value, heard.value(register, value.algorithm), may_lack=_may_lack(heard.log, register))
            for register, value in quoted.items()
        )
    )


def _may_lack(log: EventLog, register: Register) -> bool:
    """Linux 6.16 and later let a guest extend RTMR3 (drivers/virt/coco/tdx-guest), and log nothing; PCR 15 is user space's as well."""
    return not log.has_runtime_events if register in {TD_REGISTER, TPM_REGISTER} else not log.has_boot_events


def _check(register: Register, quoted: Digest, replayed: Digest | None, *, may_lack: bool) -> Check:
    found, subject = replayed or Digest.zero(quoted.algorithm), _subject(register)
    if found == quoted:
        return Check(subject, Outcome.MATCH, quoted.hex, found.hex)
    if replayed is None and may_lack:
        return Check(subject, Outcome.NOT_CHECKED, quoted.hex, reason=Because(Why.LOG_LACKS_REGISTER))
    why = Why.NOT_IN_LOG if replayed is None else Why.LOG_REPLAYS_OTHERWISE
    return Check(subject, Outcome.MISMATCH, quoted.hex, found.hex, Because(why))


def _subject(register: Register, bank: Algorithm | None = None) -> RegisterCheck:
    return RegisterCheck("", register, bank, RegisterSource.EVENT_LOG)


def compare_logs(predicted: EventLog, observed: EventLog) -> LogComparison:
    """Every register that either log extends, event by event in every bank they share. Raises TeekitError if they share none."""
    banks = [bank for bank in predicted.algorithms if bank in observed.algorithms]
    if not banks or predicted.kind is not observed.kind:
        raise UnsupportedInputError("the two event logs have no registers in common: one is of a TPM, one of a TD")
    registers = sorted({*_extended(predicted.events), *_extended(observed.events)}, key=lambda item: item.index)
    if not registers:
        raise TeekitError("neither event log extends a register: there is nothing to compare")
    checks: list[Check] = []
    differences: list[LogDifference] = []
    sides = replayed(predicted, banks), replayed(observed, banks)
    for register in registers:
        for bank in banks:
            check, difference = _compare(*sides, register, bank)
            checks.append(check)
            differences += [] if difference is None else [difference]
    return LogComparison(tuple(checks), tuple(differences))


def _extended(events: Sequence[Event]) -> set[Register]:
    return {event.register for event in events if event.event_type != EventType.EV_NO_ACTION}


def _compare(
    predicted: ReplayedLog, observed: ReplayedLog, register: Register, bank: Algorithm
) -> tuple[Check, LogDifference | None]:
    zero = Digest.zero(bank)
    expected, found = ((side.value(register, bank) or zero).hex for side in (predicted, observed))
    subject = _subject(register, bank)
    divergence = first_divergence(predicted.events_of(register), observed.events_of(register), register, bank)
    if divergence is None:
        if expected == found:
            return Check(subject, Outcome.MATCH, expected, found), None
        return Check(subject, Outcome.MISMATCH, expected, found, Because(Why.OTHER_START)), None
    part = LogsPart(DivergenceKindName[divergence.kind.name], divergence.position)
    check = Check(subject, Outcome.MISMATCH, expected, found, part)
    return check, LogDifference(divergence, explain(divergence, observed.log.events))
