"""The registers of a guest against one platform of a reference: which agree, which differ, and what leaves the question open.

Rules: see `appraisal.guest.registers`, which chooses the platform and concludes. Here a question that the chain from MRTD to the
kernel leaves open becomes a check of its own, which is never a match.
Non-rules: whether the quote is authentic, and whether another platform would fit better.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifact import not_compared
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import (
    Because,
    Check,
    Ignored,
    Question,
    QuestionCheck,
    RegisterCheck,
    RegisterSource,
    SeveralFit,
    Why,
)
from teekit_verify.appraisal.guest.eventlog import compare_with_values
from teekit_verify.appraisal.guest_states import GuestState, continued_by_ima, known_states
from teekit_verify.appraisal.registers import appraise_platform
from teekit_verify.appraisal.replayed import Continued, ReplayedLog, replayed
from teekit_verify.core.digest import Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents.model import Policy, PredictedEvent, ReferenceRegister, RegisterValue
from teekit_verify.evidence.event_text import TextStatus
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import MRTD, Register, RegisterKind, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.appraisal.guest.presented import Presented
    from teekit_verify.reference.published import ReferenceValues

_DECIDED = {Outcome.MATCH, Outcome.MISMATCH}
_BOOTED = {RegisterKind.RTMR: (rtmr(1), rtmr(2)), RegisterKind.PCR: (pcr(4),)}
"""Where the firmware, and then the boot loader, measure what they boot (TDX virtual firmware design guide, 8; TCG PFP, 3.3.4)."""
_DRIVERS = pcr(2)
"""What the firmware runs before that with its own rights, and the platform did not bring: option ROMs, and what variables Driver#### name
(TCG PFP, 3.3.4.3). Nothing of it is in PCR 4, and it can have measured anything there. (In a TD it is in RTMR1.)
"""
_SEPARATORS = (bytes(4), b"\xff" * 4)
"""All that is in there where nothing ran (TCG PFP, 3.3.4.3 and 10.4.1)."""


@frozen
class LoggedRegister(RegisterValue):
    """A quoted register; `log` are the guest's own events of it, whose data explain more than their digests."""

    log: tuple[Event, ...] = ()

    def as_events(self, register: Register) -> tuple[Event, ...]:
        return tuple(event for event in self.log if event.register == register)


@frozen
class Heard:
    """What was presented, with its logs replayed once for all platforms."""

    presented: Presented
    log: ReplayedLog | None
    ima: Continued | None


def heard_of(presented: Presented, published: Sequence[Mapping[Register, ReferenceRegister]]) -> Heard:
    banks, log = [value.algorithm for value in presented.logged.values()], presented.log
    heard = None if log is None else replayed(log, banks)
    return Heard(presented, heard, continued_by_ima(presented.logged, published, heard, presented.ima))


def quoted_value(register: Register, digest: Digest, heard: Heard) -> RegisterValue:
    """With the log's events, if they lead to the value. Of registers that the log is not about, it has none."""
    log = heard.log
    if log is None or log.value(register, digest.algorithm) != digest:
        return RegisterValue((digest,), "", ())
    events = tuple(
        _marked(event, status) for event, status in log.events[register] if event.event_type != EventType.EV_NO_ACTION
    )
    predicted = (PredictedEvent(event.event_type, event.digests, event.description, "") for event in events)
    return LoggedRegister((digest,), "", tuple(predicted), (), events)


def _marked(event: Event, status: TextStatus) -> Event:
    """What no digest covers is told from what one does, wherever the event is shown."""
    if status is not TextStatus.NOT_COVERED or not event.data:
        return event
    return replace(event, description=f"{event.description} [{status.value}]")


def compare_registers(
    values: ReferenceValues,
    platform: str,
    heard: Heard,
    registers: Mapping[Register, RegisterValue],
    firmware: Sequence[Digest],
) -> Checklist:
    published, presented = values.platforms[platform], heard.presented
    states = known_states(presented.logged, published, heard.log, heard.ima, presented.secure_boot)
    unasked = tuple(_stated(platform, state, presented.registers[state.register]) for state in states)
    presented = replace(presented, registers={**presented.registers, **{it.register: it.boot for it in states}})
    registers = {**registers, **{it.register: quoted_value(it.register, it.boot, heard) for it in states}}
    if presented.measured_into is RegisterKind.PCR:
        registers = {register: value for register, value in registers.items() if register in published}
        if MRTD in presented.registers and MRTD not in published:
            unasked += _unasked_paravisor(platform, presented)
        if _DRIVERS not in published:
            unasked += _unasked_drivers(platform, presented.registers.get(_DRIVERS))
    asked = {
        register: item
        for register, item in published.items()
        if register in registers or register.kind is presented.measured_into
    }
    elsewhere = tuple(
        Check(
            RegisterCheck(platform, register),
            Outcome.IGNORED,
            reason=Ignored(item.reason) if item.policy is Policy.IGNORE else Because(_not_quoted(presented)),
        )
        for register, item in published.items()
        if register not in asked
    )
    checklist = appraise_platform(platform, asked, registers, unmentioned=values.unmentioned)
    checklist = _without_other_banks(checklist, platform, registers)
    checklist += Checklist(_firmware(platform, presented, firmware))
    checklist += Checklist(_open_questions(platform, checklist, presented), unasked + elsewhere + not_compared(values))
    extended = {it.register: it.boot for it in states if it.is_extended}
    given = replace(heard.presented, registers={**heard.presented.registers, **extended})
    return _check_log(given, heard.log, asked) + checklist


def _not_quoted(presented: Presented) -> Why:
    return Why.NOT_QUOTED if presented.measured_into is RegisterKind.RTMR else Why.NO_TDX_QUOTE


def _stated(platform: str, state: GuestState, quoted: Digest) -> Check:
    """A register that is compared as it was after the boot, and what it was quoted with since."""
    subject = RegisterCheck(platform, state.register, source=RegisterSource.BOOT)
    return Check(subject, Outcome.NOT_CHECKED, state.boot.hex, quoted.hex, state.later)


def _unasked_paravisor(platform: str, presented: Presented) -> tuple[Check, ...]:
    found, reason = presented.registers[MRTD].hex, Because(Why.PARAVISORS)
    return (Check(RegisterCheck(platform, MRTD), Outcome.NOT_CHECKED, found=found, reason=reason),)


def _unasked_drivers(platform: str, found: Digest | None) -> tuple[Check, ...]:
    """Shown, and no question that stays open: Azure's own firmware has been seen with drivers, and with none."""
    if found is not None and _is_separator_alone(found):
        return ()
    subject, said = RegisterCheck(platform, _DRIVERS), "" if found is None else found.hex
    return (Check(subject, Outcome.NOT_CHECKED, found=said, reason=Because(Why.DRIVERS_NOT_COMPARED)),)


def _is_separator_alone(drivers: Digest) -> bool:
    bank = drivers.algorithm
    measured = (Digest.of_parts(bank, [separator]).value for separator in _SEPARATORS)
    return any(Digest.of_parts(bank, [Digest.zero(bank).value, digest]) == drivers for digest in measured)


def _firmware(platform: str, presented: Presented, vouched: Sequence[Digest]) -> tuple[Check, ...]:
    """What the policy says of the firmware, beside the reference."""
    if not vouched:
        return ()
    found, subject = presented.registers.get(MRTD), RegisterCheck(platform, MRTD, source=RegisterSource.POLICY)
    if found is None:
        return (Check(subject, Outcome.NOT_CHECKED, reason=Because(Why.NO_TDX_QUOTE)),)
    if found in vouched:
        return (Check(subject, Outcome.MATCH, found.hex, found.hex),)
    expected = " or ".join(digest.hex for digest in vouched)
    return (Check(subject, Outcome.MISMATCH, expected, found.hex, Because(Why.FIRMWARE_NOT_THE_NAMED)),)


def _open_questions(platform: str, checklist: Checklist, presented: Presented) -> tuple[Check, ...]:
    """Whether the chain holds up: the firmware is known, and so is what it booted."""
    decided, asked = _registers(checklist.of(*_DECIDED)), _registers(checklist.checks)
    into_tpm = presented.measured_into is RegisterKind.PCR
    questions = []
    if into_tpm and not any(register.kind is RegisterKind.PCR for register in decided):
        questions.append(open_question(Question.PCRS, platform, Because(Why.NO_PCRS_PUBLISHED)))
    elif unseen := tuple(register for register in _BOOTED[presented.measured_into] if register not in asked):
        questions.append(open_question(Question.BOOTED, platform, Because(Why.BOOTED_NOT_COMPARED), unseen))
    if MRTD in decided or (into_tpm and presented.vouched_for):
        return tuple(questions)
    if into_tpm:
        why = Why.VTPM_NOT_VOUCHED_FOR if MRTD in presented.registers else Why.TPM_NOT_VOUCHED_FOR
        return (*questions, open_question(Question.VTPM, platform, Because(why)))
    return (*questions, open_question(Question.FIRMWARE, platform, Because(Why.FIRMWARE_NOT_VOUCHED_FOR), (MRTD,)))


def _registers(checks: tuple[Check, ...]) -> set[Register]:
    return {check.subject.register for check in checks if isinstance(check.subject, RegisterCheck)}


def _without_other_banks(checklist: Checklist, platform: str, registers: Mapping[Register, RegisterValue]) -> Checklist:
    """A TPM quotes one bank, and one that was compared is enough."""
    decided = _registers(checklist.of(*_DECIDED))
    spare = {
        RegisterCheck(platform, register, bank)
        for register, value in registers.items()
        if register in decided
        for bank in register.algorithms
        if bank not in value.banks
    }
    return replace(checklist, checks=tuple(check for check in checklist.checks if check.subject not in spare))


def _check_log(presented: Presented, log: ReplayedLog | None, asked: Mapping[Register, ReferenceRegister]) -> Checklist:
    """Of a TD every register, of a vTPM those that the reference asks for: no log has all that is measured into PCRs."""
    if log is None:
        return Checklist(())
    of_td = presented.measured_into is RegisterKind.RTMR
    quoted = {register: value for register, value in presented.logged.items() if of_td or register in asked}
    given = presented.tells_apps
    if presented.runtime is not None and given not in log.events:
        quoted.pop(given, None)  # it has a log of its own
    checks = compare_with_values(log, quoted).checks
    decisive = tuple(check for check in checks if check.outcome is not Outcome.NOT_CHECKED)
    elsewhere = tuple(check for check in checks if check.outcome is Outcome.NOT_CHECKED)
    return Checklist(log.forged + decisive, elsewhere)


def open_question(
    question: Question, platform: str, reason: Because | SeveralFit, registers: tuple[Register, ...] = ()
) -> Check:
    return Check(QuestionCheck(question, platform, registers), Outcome.NOT_CHECKED, reason=reason)
