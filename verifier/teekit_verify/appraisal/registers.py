"""Compares measurements with a reference, register by register and bank by bank."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist, EventDifference
from teekit_verify.appraisal.event_differences import event_differences
from teekit_verify.core.digest import Digest
from teekit_verify.core.outcome import Check, Outcome
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
    for platform in measurements.platforms.keys() - reference.platforms.keys():
        note = Check(platform, Outcome.NOT_CHECKED, detail="the reference says nothing about this platform")
        checklist += Checklist((), (note,))
    if not checklist.checks:
        checklist += Checklist((Check("registers", Outcome.NOT_CHECKED, detail="the reference asks for none"),))
    return checklist


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
    for register, reference in published.items():
        value = measured.get(register)
        if value is None or value.values is None or not value.events:
            continue
        names_events = any(item.register.values is None for item in reference.acceptable)
        names = {f"{platform} {register} {bank.value}" for bank in value.banks} if names_events else set()
        if check.outcome is Outcome.NOT_CHECKED and check.name in names:
            return replace(check, outcome=Outcome.MATCH, expected="events of its log", detail="")
    return check


def _unmentioned(
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
    reason: str,
) -> Checklist:
    names = {register: f"{platform} {register}" for register in measured if register not in published}
    if not reason:
        detail = "measured, but the reference does not mention this register"
        return Checklist(tuple(Check(name, Outcome.NOT_CHECKED, detail=detail) for name in names.values()))
    known = [register for register in names if measured[register].banks or measured[register].alternatives]
    return Checklist(
        (), tuple(Check(names[register], Outcome.NOT_CHECKED, detail=f"ignored: {reason}") for register in known)
    )


def _appraise_registers(
    platform: str,
    published: Mapping[Register, ReferenceRegister],
    measured: Mapping[Register, RegisterValue],
    group: str,
) -> Checklist:
    checklist = Checklist(())
    for register, reference in published.items():
        name, value = f"{platform} {register}", measured.get(register)
        if reference.policy is Policy.IGNORE:
            checklist += Checklist((), (_ignored(name, reference, value),))
        elif not reference.acceptable:
            checklist += Checklist((Check(name, Outcome.MISMATCH, detail=f"the group '{group}' has no value for it"),))
        elif value is None:
            checklist += _not_measured(name, reference)
        else:
            found = _appraise_register(platform, register, reference.acceptable, value)
            tied = any(item.groups for item in reference.acceptable)
            checklist += _noted(found, f"no group of values matches; against '{group}': ") if tied else found
    return checklist


def _noted(checklist: Checklist, note: str) -> Checklist:
    """`note` before what is said of mismatches."""
    checks = (
        replace(check, detail=note + check.detail) if check.outcome is Outcome.MISMATCH else check
        for check in checklist.checks
    )
    return replace(checklist, checks=tuple(checks))


def _ignored(name: str, reference: ReferenceRegister, value: RegisterValue | None) -> Check:
    found = ", ".join(str(digest) for digest in (value.values or ())) if value is not None else ""
    return Check(name, Outcome.NOT_CHECKED, found=found, detail=f"ignored, as the reference says: {reference.reason}")


def _not_measured(name: str, reference: ReferenceRegister) -> Checklist:
    banks = {bank: value.register.value(bank) for value in reference.acceptable for bank in value.register.banks}
    return Checklist(
        tuple(
            Check(
                f"{name} {bank.value}",
                Outcome.NOT_CHECKED,
                expected="" if digest is None else digest.hex,
                detail="published, but not among the measurements",
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
    note = ""
    if found.alternatives:
        note = f"of {len(measured)} alternatives, '{label}': "
    if len(acceptable) > 1 and checklist.of(Outcome.MISMATCH):
        note += f"none of {len(acceptable)} acceptable values; against '{wanted_label}': "
    checks = tuple(replace(check, detail=note + check.detail) if check.detail else check for check in checklist.checks)
    return Checklist(checks, checklist.ignored, checklist.differences)


def _distance(checklist: Checklist) -> tuple[int, int, int]:
    """Least is closest: mismatching banks, then open questions, then how early the events part."""
    mismatches, unclear = checklist.of(Outcome.MISMATCH), checklist.of(Outcome.NOT_CHECKED, Outcome.ERROR)
    parting = min((difference.position for difference in checklist.differences), default=0)
    return len(mismatches), len(unclear), -parting


def _appraise_value(platform: str, register: Register, expected: RegisterValue, found: RegisterValue) -> Checklist:
    results = [_appraise_bank(platform, register, bank, expected, found) for bank in expected.banks]
    explained: dict[int, str] = {}
    for _, differences in results:
        for first in differences[:1]:
            explained.setdefault(first.position, first.bank)
    return Checklist(
        tuple(_once(check, differences, explained) for check, differences in results),
        (),
        tuple(difference for _, differences in results for difference in differences),
    )


def _once(check: Check, differences: Sequence[EventDifference], explained: Mapping[int, str]) -> Check:
    """The same event explained once: its other banks refer to the first (`explained`: position -> first bank)."""
    if not differences or explained[differences[0].position] == differences[0].bank:
        return check
    return replace(check, detail=f"at the same event as in {explained[differences[0].position]}")


def _appraise_bank(
    platform: str, register: Register, bank: Algorithm, expected: RegisterValue, found: RegisterValue
) -> tuple[Check, tuple[EventDifference, ...]]:
    """Values decide where both are known; else the known events, which can refute, and confirm only each other."""
    name = f"{platform} {register} {bank.value}"
    want, have = expected.value(bank), found.value(bank)
    check = Check(name, Outcome.NOT_CHECKED, "" if want is None else want.hex, "" if have is None else have.hex)
    if bank not in found.banks:
        return replace(
            check, detail=f"not known: {found.missing}" if found.missing else "the measurements have no such bank"
        ), ()
    if (want is None) != (have is None):
        return _appraise_half_known(check, bank, expected, found), ()
    if want is None:
        counts = f"{len(expected.events)} known events", f"{len(found.events)} known events"
        check = replace(check, expected=counts[0], found=counts[1])
    elif want == have:
        return replace(check, outcome=Outcome.MATCH), ()
    elif not all(side.events or _is_zero(side, bank) for side in (expected, found)):
        words = "another firmware" if register == MRTD else "one side has no event log to explain it"
        return replace(check, outcome=Outcome.MISMATCH, detail=words), ()
    differences = event_differences(platform, bank, expected.as_events(register), found.as_events(register))
    if want is None and not differences:
        return replace(check, outcome=Outcome.MATCH), ()
    detail = f"first difference at {differences[0].text}" if differences else "the event logs are equal"
    return replace(check, outcome=Outcome.MISMATCH, detail=detail), differences


def _is_zero(register: RegisterValue, bank: Algorithm) -> bool:
    """Nothing was measured into it: its log is known, and empty."""
    return register.value(bank) == Digest.zero(bank)


def _appraise_half_known(check: Check, bank: Algorithm, expected: RegisterValue, found: RegisterValue) -> Check:
    """Only one side knows all events: the other's must be among them, in order, and even then the gap stays open."""
    whole, part = (expected, found) if expected.values is not None else (found, expected)
    stray = _first_stray(part.events, whole.events, bank)
    if stray is not None and whole.events:
        who = "the measurements" if part is found else "the reference"
        detail = f"{stray.description} ({stray.cause}) of {who} is not among the events of the other side"
        return replace(check, outcome=Outcome.MISMATCH, detail=detail)
    who = "the measurements do" if part is found else "the reference does"
    detail = f"{who} not know the whole register: {part.missing}"
    return replace(check, detail=detail)


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
