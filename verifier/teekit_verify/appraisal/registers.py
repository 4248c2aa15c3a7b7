"""Compares measurements with a reference, register by register and bank by bank.

Rules. Every register of a platform that the reference describes counts, in every bank the reference has: to leave one out takes the
policy `ignore` and a reason, which every verdict shows. Values decide where both are known. Where one is not, the known events can
say no, and cannot say yes: the register is open. All banks of a register agree with one and the same acceptable value, and all
registers of a platform with values of one group. What fits nowhere is explained against what comes closest.
Non-rules: descriptions, causes and types of events decide nothing, and the order in which values are listed does not either. A
reference that asks for nothing is no pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.event_differences import event_differences
from teekit_verify.appraisal.facts import (
    Because,
    Check,
    Choice,
    EventDifference,
    FirstDifference,
    Ignored,
    Nearest,
    NoValueInGroup,
    Question,
    QuestionCheck,
    RegisterCheck,
    SameEventAs,
    Side,
    StrayEvent,
    ValueNotKnown,
    Why,
)
from teekit_verify.core.digest import Digest
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents.model import Policy
from teekit_verify.reference.groups import measured_groups, reference_groups
from teekit_verify.registers.registers import MRTD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.core.digest import Algorithm
    from teekit_verify.documents.model import (
        AcceptableValue,
        Measurements,
        PredictedEvent,
        Reference,
        ReferenceRegister,
        RegisterValue,
    )
    from teekit_verify.reference.published import ReferenceValues
    from teekit_verify.registers.registers import Register


def appraise(reference: Reference | ReferenceValues, measurements: Measurements, *, unmentioned: str = "") -> Checklist:
    """One check for each register and bank of the reference, and one for each measured register it does not mention.

    Of a platform the reference describes, every register counts: one that is not to count has the policy `ignore`, or
    `unmentioned` says why registers that the reference does not mention are ignored. A platform the reference does not
    describe at all is shown as ignored. A reference that asks for no register is no pass.
    """
    checklist = Checklist(())
    for platform, published in reference.platforms.items():
        measured = measurements.platforms.get(platform, {})
        checklist += appraise_platform(platform, published, measured, unmentioned=unmentioned)
    for platform in (name for name in measurements.platforms if name not in reference.platforms):
        subject = QuestionCheck(Question.PLATFORM, platform)
        reason = Because(Why.PLATFORM_NOT_PUBLISHED)
        checklist += Checklist((), (Check(subject, Outcome.IGNORED, reason=reason),))
    if not checklist.checks:
        checklist += Checklist((_unchecked(QuestionCheck(Question.REGISTERS), Why.NOTHING_ASKED),))
    return checklist


def _unchecked(subject: QuestionCheck | RegisterCheck, why: Why) -> Check:
    return Check(subject, Outcome.NOT_CHECKED, reason=Because(why))


def appraise_platform(
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
    *,
    unmentioned: str = "",
) -> Checklist:
    """Of values that belong together, one group must match in every register; the closest one is what is explained.

    `unmentioned` also covers the events that stand between those that a reference names: see `_settled`.
    """
    candidates = [
        _appraise_registers(platform, registers, values, group)
        for group, registers in reference_groups(published)
        for _, values in measured_groups(measured, published)
    ]
    checklist = min(candidates, key=_distance)
    if unmentioned:
        checklist = replace(
            checklist, checks=tuple(_settled(check, platform, published, measured) for check in checklist.checks)
        )
    return checklist + _unmentioned(platform, published, measured, unmentioned)


def _settled(
    check: Check,
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
) -> Check:
    """A reference that names some events of a register asks for no more than these. `_appraise_half_known` has found them,
    or it would have said that one is missing.
    """
    subject, reason = check.subject, check.reason
    if not isinstance(subject, RegisterCheck) or subject.platform != platform or subject.bank is None:
        return check
    if not isinstance(reason, ValueNotKnown) or reason.side is not Side.REFERENCE:
        return check
    value, reference = measured.get(subject.register), published[subject.register]
    names_events = any(item.register.values is None and item.register.events for item in reference.acceptable)
    if value is not None and value.values is not None and value.events and subject.bank in value.banks and names_events:
        return replace(check, outcome=Outcome.MATCH, expected="events of its log", reason=None, nearest=())
    return check


def _unmentioned(
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
    reason: str,
) -> Checklist:
    others = [register for register in measured if register not in published]
    if not reason:
        return Checklist(tuple(_unchecked(RegisterCheck(platform, register), Why.NOT_MENTIONED) for register in others))
    known = [register for register in others if measured[register].banks or measured[register].alternatives]
    text = Ignored(reason, by_format=True)
    return Checklist(
        (), tuple(Check(RegisterCheck(platform, register), Outcome.IGNORED, reason=text) for register in known)
    )


def _appraise_registers(
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
    group: str,
) -> Checklist:
    checklist = Checklist(())
    for register, reference in published.items():
        subject, value = RegisterCheck(platform, register), measured.get(register)
        if reference.policy is Policy.IGNORE:
            checklist += Checklist((), (_ignored(subject, reference, value),))
        elif not reference.acceptable:
            checklist += Checklist((Check(subject, Outcome.MISMATCH, reason=NoValueInGroup(group)),))
        elif value is None:
            checklist += _not_measured(subject, reference)
        else:
            found = _appraise_register(platform, register, reference.acceptable, value)
            tied = any(item.groups for item in reference.acceptable)
            checklist += _noted(found, Nearest(Choice.GROUP, group)) if tied else found
    return checklist


def _noted(checklist: Checklist, nearest: Nearest) -> Checklist:
    """That mismatches are against `nearest`."""
    checks = (
        replace(check, nearest=(nearest, *check.nearest)) if check.outcome is Outcome.MISMATCH else check
        for check in checklist.checks
    )
    return replace(checklist, checks=tuple(checks))


def _ignored(subject: RegisterCheck, reference: ReferenceRegister, value: RegisterValue | None) -> Check:
    found = ", ".join(str(digest) for digest in (value.values or ())) if value is not None else ""
    return Check(subject, Outcome.IGNORED, found=found, reason=Ignored(reference.reason))


def _not_measured(subject: RegisterCheck, reference: ReferenceRegister) -> Checklist:
    banks = {bank: value.register.value(bank) for value in reference.acceptable for bank in value.register.banks}
    return Checklist(
        tuple(
            Check(
                replace(subject, bank=bank),
                Outcome.NOT_CHECKED,
                expected="" if digest is None else digest.hex,
                reason=Because(Why.NOT_MEASURED),
            )
            for bank, digest in banks.items()
        )
    )


def _appraise_register(
    platform: str, register: Register, acceptable: Sequence[AcceptableValue], found: RegisterValue
) -> Checklist:
    """All banks must agree with the same acceptable value; if none agrees, the closest one is what is explained.

    Of measurements with alternatives, one of them must agree with one acceptable value in all banks.
    """
    measured = [(item.label, item.register) for item in found.alternatives] or [("", found)]
    candidates = [
        (_appraise_value(platform, register, wanted.register, value), wanted.label, label)
        for label, value in measured
        for wanted in acceptable
    ]
    checklist, wanted_label, label = min(candidates, key=lambda candidate: _distance(candidate[0]))
    nearest: tuple[Nearest, ...] = ()
    if found.alternatives:
        nearest += (Nearest(Choice.ALTERNATIVE, label, len(measured)),)
    if len(acceptable) > 1 and checklist.of(Outcome.MISMATCH):
        nearest += (Nearest(Choice.ACCEPTABLE, wanted_label, len(acceptable)),)
    checks = tuple(replace(check, nearest=nearest) if check.reason is not None else check for check in checklist.checks)
    return Checklist(checks, checklist.ignored, checklist.differences)


def _distance(checklist: Checklist) -> tuple[int, int, int]:
    """Least is closest: mismatching banks, then open questions, then how early the events part."""
    mismatches, unclear = checklist.of(Outcome.MISMATCH), checklist.of(Outcome.OPEN, Outcome.NOT_CHECKED, Outcome.ERROR)
    parting = min((difference.position for difference in checklist.differences), default=0)
    return len(mismatches), len(unclear), -parting


def _appraise_value(platform: str, register: Register, expected: RegisterValue, found: RegisterValue) -> Checklist:
    results = [_appraise_bank(platform, register, bank, expected, found) for bank in expected.banks]
    explained: dict[int, Algorithm] = {}
    for _, differences in results:
        for first in differences[:1]:
            explained.setdefault(first.position, first.bank)
    return Checklist(
        tuple(_once(check, differences, explained) for check, differences in results),
        (),
        tuple(difference for _, differences in results for difference in differences),
    )


def _once(check: Check, differences: Sequence[EventDifference], explained: Mapping[int, Algorithm]) -> Check:
    """The same event explained once: its other banks refer to the first (`explained`: position -> first bank)."""
    if not differences or explained[differences[0].position] == differences[0].bank:
        return check
    return replace(check, reason=SameEventAs(explained[differences[0].position]))


def _appraise_bank(
    platform: str, register: Register, bank: Algorithm, expected: RegisterValue, found: RegisterValue
) -> tuple[Check, tuple[EventDifference, ...]]:
    """Values decide where both are known; else the known events, which can refute, and leave the register open."""
    want, have = expected.value(bank), found.value(bank)
    subject = RegisterCheck(platform, register, bank)
    check = Check(subject, Outcome.OPEN, "" if want is None else want.hex, "" if have is None else have.hex)
    if bank not in found.banks:
        if found.missing:  # it is in this bank too, but what is not known
            return replace(check, reason=ValueNotKnown(Side.MEASUREMENTS, found.missing)), ()
        return replace(check, outcome=Outcome.NOT_CHECKED, reason=Because(Why.NO_SUCH_BANK)), ()
    if (want is None) != (have is None):
        return _appraise_half_known(check, bank, expected, found), ()
    if want is None:
        counts = f"{len(expected.events)} known events", f"{len(found.events)} known events"
        check = replace(check, expected=counts[0], found=counts[1])
    elif want == have:
        return replace(check, outcome=Outcome.MATCH), ()
    elif not all(side.events or _is_zero(side, bank) for side in (expected, found)):  # no log could say where they part
        why = Why.ANOTHER_FIRMWARE if register == MRTD else Why.NO_EVENT_LOG
        return replace(check, outcome=Outcome.MISMATCH, reason=Because(why)), ()
    differences = event_differences(platform, bank, expected.as_events(register), found.as_events(register))
    if want is None and not differences:
        return replace(check, reason=ValueNotKnown(Side.BOTH, found.missing or expected.missing, partly=True)), ()
    reason = FirstDifference(differences[0]) if differences else Because(Why.SAME_EVENTS)
    return replace(check, outcome=Outcome.MISMATCH, reason=reason), differences


def _is_zero(register: RegisterValue, bank: Algorithm) -> bool:
    """Nothing was measured into it: its log is known, and empty."""
    return register.value(bank) == Digest.zero(bank)


def _appraise_half_known(check: Check, bank: Algorithm, expected: RegisterValue, found: RegisterValue) -> Check:
    """Only one side knows all events: the other's must be among them, in order, and even then the gap stays open."""
    whole, part = (expected, found) if expected.values is not None else (found, expected)
    side = Side.MEASUREMENTS if part is found else Side.REFERENCE
    stray = _first_stray(part.events, whole.events, bank)
    if stray is not None and whole.events:  # without its log, the known value refutes no event
        return replace(check, outcome=Outcome.MISMATCH, reason=StrayEvent(side, stray.description, stray.cause))
    return replace(check, reason=ValueNotKnown(side, part.missing, partly=bool(part.events)))


def _first_stray(
    part: Sequence[PredictedEvent], whole: Sequence[PredictedEvent], bank: Algorithm
) -> PredictedEvent | None:
    """The first event of `part` that `whole` does not have, in order, after those before it."""
    rest = iter(whole)
    for event in part:
        digest = event.digest(bank)
        if not any(other.digest(bank) == digest for other in rest):
            return event
    return None
