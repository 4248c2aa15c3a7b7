"""What a guest presented against a reference: the decision of `compare REF --quote`.

The quote is appraised as `quote` does. Its registers are compared with one platform of the reference; an event log that leads
to them says which event differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.appraise import appraise_platform
from teekit_verify.appraisal.checklist import Checklist, Conclusion, conclude, in_words
from teekit_verify.appraisal.replayed import compare_with_values, require_rtmrs
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import Check, ExitStatus, Outcome
from teekit_verify.measurement.events import Event, EventType
from teekit_verify.measurement.platforms.azure import AZURE
from teekit_verify.measurement.registers import MRTD, RTMR_COUNT, Register, RegisterKind, rtmr
from teekit_verify.reference.model import Policy, PredictedEvent, ReferenceRegister, RegisterValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.appraisal.policy import QuoteAppraisal
    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.reference.model import Reference

_DECIDED = {Outcome.MATCH, Outcome.MISMATCH}
_NOT_QUOTED = "published, but a TD quote has no PCRs: not compared"


@dataclass(frozen=True, slots=True)
class Presented:
    """The registers that evidence has, and the log that is said to lead to those of the kind `measured_into`.

    RTMR: the guest is measured by the TD itself, and every register of the quote has to be in the reference. PCR: the guest runs
    above a paravisor and is measured into its vTPM; what the reference mentions is compared.
    """

    registers: Mapping[Register, Digest]
    measured_into: RegisterKind
    log: EventLog | None = None

    @property
    def logged(self) -> dict[Register, Digest]:
        return {register: value for register, value in self.registers.items() if register.kind is self.measured_into}


@dataclass(frozen=True, slots=True)
class LoggedRegister(RegisterValue):
    """A quoted register; `log` are the guest's own events of it, whose data explain more than their digests."""

    log: tuple[Event, ...] = ()

    def as_events(self, register: Register) -> tuple[Event, ...]:
        return tuple(event for event in self.log if event.register == register)


@dataclass(frozen=True, slots=True)
class PresentedAppraisal:
    """`platform` is the one of the reference that was compared with; None if the quote is not authentic, or none was found."""

    quote: QuoteAppraisal
    platform: str | None
    registers: Mapping[Register, RegisterValue]
    checklist: Checklist
    conclusion: Conclusion


def of_quote(quote: Quote, log: EventLog | None = None) -> Presented:
    """MRTD and the RTMRs. Raises TeekitError for a log that has no RTMRs."""
    if log is not None:
        require_rtmrs(log)
    registers = (MRTD, *map(rtmr, range(RTMR_COUNT)))
    return Presented({register: quote.report.value(register) for register in registers}, RegisterKind.RTMR, log)


def appraise_presented(
    reference: Reference, presented: Presented, quote: QuoteAppraisal, platform: str | None = None
) -> PresentedAppraisal:
    """`platform` names one of the reference's; without it, the one is taken that fits.

    Raises TeekitError for a name that the reference does not have.
    """
    names = _fitting(reference, presented) if platform is None else (_named(reference, platform),)
    if not quote.is_authentic:
        conclusion = Conclusion(ExitStatus.DOES_NOT_HOLD, ("the quote is not authentic: its registers prove nothing",))
        return PresentedAppraisal(quote, None, {}, Checklist(()), conclusion)
    values = {register: _value(register, presented) for register in presented.registers}
    chosen, checklist = _choose({name: _compare(name, reference, presented, values) for name in names})
    return PresentedAppraisal(quote, chosen, values, checklist, _conclude(quote, checklist))


def _named(reference: Reference, wanted: str) -> str:
    """A platform, or a machine type without the platform before it."""
    found = [name for name in reference.platforms if wanted in {name, name.partition("/")[2]}]
    if len(found) != 1:
        words = f"the reference does not describe the platform '{printable(wanted[:80])}'"
        raise TeekitError(
            words, hint=f"Choose from {', '.join(reference.platforms) or 'the platforms of another file'}."
        )
    return found[0]


def _fitting(reference: Reference, presented: Presented) -> tuple[str, ...]:
    """Platforms that measure guests into such registers, and that the reference has something to say about."""
    above_paravisor = presented.measured_into is RegisterKind.PCR
    return tuple(
        name
        for name, published in reference.platforms.items()
        if AZURE.is_called(name.partition("/")[0]) is above_paravisor
        and any(
            register in presented.registers and item.policy is not Policy.IGNORE for register, item in published.items()
        )
    )


def _choose(compared: Mapping[str, Checklist]) -> tuple[str | None, Checklist]:
    """The only platform, else the one with most registers as presented."""
    if not compared:
        detail = "the reference has no values for the registers of such a guest"
        return None, Checklist((Check("platform", Outcome.NOT_CHECKED, detail=detail),))
    matches = {name: len(checklist.of(Outcome.MATCH)) for name, checklist in compared.items()}
    best = [name for name, count in matches.items() if count == max(matches.values())]
    if len(best) > 1:
        detail = f"{', '.join(map(printable, best))} fit equally well: choose one with --platform"
        return None, Checklist((Check("platform", Outcome.NOT_CHECKED, detail=detail),))
    return best[0], compared[best[0]]


def _value(register: Register, presented: Presented) -> RegisterValue:
    """With the log's events, if they lead to the value."""
    digest, log = presented.registers[register], presented.log
    if log is None or register.kind is not presented.measured_into:
        return RegisterValue((digest,), "", ())
    (check,) = compare_with_values(log, {register: digest}).checks
    if check.outcome is not Outcome.MATCH:
        return RegisterValue((digest,), "", ())
    events = [
        event for event in log.events if event.register == register and event.event_type != EventType.EV_NO_ACTION
    ]
    predicted = (PredictedEvent(event.event_type, event.digests, event.description, "") for event in events)
    return LoggedRegister((digest,), "", tuple(predicted), (), tuple(events))


def _compare(
    platform: str, reference: Reference, presented: Presented, values: Mapping[Register, RegisterValue]
) -> Checklist:
    published = reference.platforms[platform]
    if presented.measured_into is RegisterKind.PCR:
        values = {register: value for register, value in values.items() if register in published}
    asked = {
        register: item
        for register, item in published.items()
        if register in values or register.kind is presented.measured_into
    }
    elsewhere = tuple(
        Check(f"{platform} {register}", Outcome.NOT_CHECKED, detail=item.reason or _NOT_QUOTED)
        for register, item in published.items()
        if register not in asked
    )
    registers = _without_other_banks(appraise_platform(platform, asked, values), platform, values)
    return _check_log(presented, asked) + registers + Checklist((), elsewhere)


def _without_other_banks(checklist: Checklist, platform: str, values: Mapping[Register, RegisterValue]) -> Checklist:
    """A TPM quotes one bank, and one that was compared is enough."""
    names = {register: f"{platform} {register} " for register in values}
    decided = {name for name in names.values() for check in checklist.of(*_DECIDED) if check.name.startswith(name)}
    spare = {
        f"{names[register]}{bank.value}"
        for register, value in values.items()
        for bank in register.algorithms
        if names[register] in decided and bank not in value.banks
    }
    return replace(checklist, checks=tuple(check for check in checklist.checks if check.name not in spare))


def _check_log(presented: Presented, asked: Mapping[Register, ReferenceRegister]) -> Checklist:
    """Of a TD every register, of a vTPM those that the reference asks for: no log has all that is measured into PCRs."""
    if presented.log is None:
        return Checklist(())
    of_td = presented.measured_into is RegisterKind.RTMR
    quoted = {register: value for register, value in presented.logged.items() if of_td or register in asked}
    checks = compare_with_values(presented.log, quoted).checks
    return Checklist(tuple(replace(check, name=f"event log {check.name}") for check in checks))


def _conclude(quote: QuoteAppraisal, checklist: Checklist) -> Conclusion:
    conclusion = conclude(checklist)
    if quote.is_acceptable:
        return conclusion
    refused = (check for check in quote.acceptable if check.outcome in {Outcome.MISMATCH, Outcome.ERROR})
    reasons = tuple(f"the quote is not acceptable: {in_words(check)}" for check in refused)
    return Conclusion(ExitStatus.DOES_NOT_HOLD, reasons + conclusion.reasons)
