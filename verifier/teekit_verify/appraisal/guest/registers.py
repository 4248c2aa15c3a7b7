"""What a guest presented against a reference: the decision of `compare REF --quote`.

The quote is appraised as `quote` does. Its registers are compared with one platform of the reference; an event log that leads
to them says which event differs.

Rules. A register means something only if what measured it is known, and that is a chain: MRTD is the firmware, the firmware
measures what it boots (RTMR1; PCR 4 in a vTPM), and that measures the rest. A guest matches only if
  - its firmware's MRTD was compared, or somebody who was named vouches for it: an endorsement, or the policy's digests;
    above a paravisor Microsoft's certificate of the vTPM's key does as well;
  - what the firmware booted was compared: RTMR1 and RTMR2, or PCR 4;
  - nothing else that the reference asks for was left open.
A foreign firmware, or a foreign boot loader, can extend anything: where one of these is missing there is no verdict.
Non-rules: RTMR0 (tables and settings of the machine) and RTMR3 (run time) may be left out by the reference, which is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifact import not_compared
from teekit_verify.appraisal.checklist import Checklist, Conclusion, NotAcceptable, Note, conclude
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
from teekit_verify.appraisal.guest.eventlog import compare_with_values, require_pcrs, require_rtmrs
from teekit_verify.appraisal.guest.given import appraise_given, matched
from teekit_verify.appraisal.guest.quote import Unchecked
from teekit_verify.appraisal.guest_states import GuestState, SecureBoot, continued_by_ima, known_states
from teekit_verify.appraisal.registers import appraise_platform
from teekit_verify.appraisal.replayed import Continued, ReplayedLog, replayed
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents.model import Policy, PredictedEvent, ReferenceRegister, RegisterValue
from teekit_verify.evidence.event_text import TextStatus
from teekit_verify.prediction.given_apps import acceptable
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.measured import TD_REGISTER, TPM_REGISTER
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, Register, RegisterKind, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.appraisal.guest.quote import QuoteAppraisal
    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.evidence.quote import Quote
    from teekit_verify.evidence.runtime_log import RuntimeLog
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.published import ReferenceValues

    Place = tuple[ReferenceValues, str]

_DECIDED = {Outcome.MATCH, Outcome.MISMATCH}
_BOOTED = {RegisterKind.RTMR: (rtmr(1), rtmr(2)), RegisterKind.PCR: (pcr(4),)}
"""Where the firmware, and then the boot loader, measure what they boot (TDX virtual firmware design guide, 8; TCG PFP, 3.3.4)."""


@dataclass(frozen=True, slots=True)
class Presented:
    """The registers that evidence has, and the log that is said to lead to those of the kind `measured_into`.

    RTMR: the guest is measured by the TD itself, and every register of the quote has to be in the reference. PCR: the guest
    is measured into a TPM, above a `paravisor` or of a machine without a TDX quote; what the reference mentions is compared. `vouched_for` is whether
    somebody says that the TPM's key is the one that it should be; else the reference has to, by the paravisor's MRTD. `ima` is the list of what
    IMA measured after the boot, `secure_boot` whether that is on, as far as evidence or the caller says. `runtime` is the log of what
    it was given to run.
    """

    registers: Mapping[Register, Digest]
    measured_into: RegisterKind
    log: EventLog | None = None
    vouched_for: bool = True
    paravisor: bool = False
    ima: EventLog | None = None
    secure_boot: SecureBoot | None = None
    runtime: RuntimeLog | None = None

    @property
    def tells_apps(self) -> Register:
        """The register that the guest measures into what it was given to run."""
        return TD_REGISTER if self.measured_into is RegisterKind.RTMR else TPM_REGISTER

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
    """`values` are the published ones that come closest; `platform` is theirs, or None if no single one was compared with."""

    quote: QuoteAppraisal
    values: ReferenceValues
    platform: str | None
    registers: Mapping[Register, RegisterValue]
    checklist: Checklist
    conclusion: Conclusion
    runs: GivenApps | None = None
    """What it was shown to run, and nothing else."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was presented, with its logs replayed once for all platforms."""

    presented: Presented
    log: ReplayedLog | None
    ima: Continued | None


def _heard(presented: Presented, published: Sequence[Mapping[Register, ReferenceRegister]]) -> _Heard:
    banks, log = [value.algorithm for value in presented.logged.values()], presented.log
    heard = None if log is None else replayed(log, banks)
    return _Heard(presented, heard, continued_by_ima(presented.logged, published, heard, presented.ima))


def of_quote(quote: Quote, log: EventLog | None = None) -> Presented:
    """MRTD and the RTMRs. Raises TeekitError for a log that has no RTMRs."""
    if log is not None:
        require_rtmrs(log)
    registers = (MRTD, *map(rtmr, range(RTMR_COUNT)))
    return Presented({register: quote.report.value(register) for register in registers}, RegisterKind.RTMR, log)


def of_azure(quote: Quote, pcrs: Mapping[Register, Digest], log: EventLog | None, *, vouched_for: bool) -> Presented:
    """The vTPM's PCRs, and the TDX registers, which are the paravisor's. Raises TeekitError for a log that has no PCRs."""
    if log is not None:
        require_pcrs(log)
    registers = {**of_quote(quote).registers, **pcrs}
    return Presented(registers, RegisterKind.PCR, log, vouched_for, paravisor=True)


def of_tpm(pcrs: Mapping[Register, Digest], log: EventLog | None, *, vouched_for: bool, paravisor: bool) -> Presented:
    """PCRs alone, of a machine that has no TDX quote. Raises TeekitError for a log that has no PCRs."""
    if log is not None:
        require_pcrs(log)
    return Presented(pcrs, RegisterKind.PCR, log, vouched_for, paravisor)


def appraise_presented(
    published: Sequence[ReferenceValues],
    presented: Presented,
    quote: QuoteAppraisal,
    platform: str | None = None,
    *,
    firmware: Sequence[Digest] = (),
    given: GivenApps | None = None,
    even_so: bool = False,
) -> PresentedAppraisal:
    """`platform` names one of the reference's; without it, the one is taken that fits. `firmware` are the MRTDs that are
    vouched for: with any, the guest must have one of them. `given` is what it should have been given to run, where the caller says it
    and not the reference. `even_so`: the registers of a quote that is not authentic are looked at too, which changes nothing.

    Raises TeekitError for a name that the reference does not have.
    """
    places = _fitting(published, presented) if platform is None else _named(published, platform)
    if not quote.is_authentic and not even_so:
        conclusion = Conclusion(ExitStatus.DOES_NOT_HOLD, (Note.NOT_AUTHENTIC,))
        return PresentedAppraisal(quote, published[0], None, {}, Checklist(()), conclusion)
    heard = _heard(presented, [values.platforms[name] for values, name in places])
    registers = {register: _value(register, digest, heard) for register, digest in presented.registers.items()}
    compared = [(*place, _compare(*place, heard, registers, firmware)) for place in places]
    compared = [
        (values, name, _without_told(found, presented, values) + _given(presented, values, given, quote))
        for values, name, found in compared
    ]
    values, chosen, checklist = _closest(compared, published[0])
    conclusion = _conclude(quote, checklist)
    if not quote.is_authentic:
        conclusion = Conclusion(ExitStatus.DOES_NOT_HOLD, (Note.NOT_AUTHENTIC, *conclusion.reasons))
    runs = matched(checklist, _wanted(values, given))
    return PresentedAppraisal(quote, values, chosen, registers, checklist, conclusion, runs)


def _wanted(values: ReferenceValues, given: GivenApps | None) -> tuple[GivenApps, ...]:
    if given is not None:
        return (given,)
    return () if values.apps is None else acceptable(values.apps)


def _without_told(checklist: Checklist, presented: Presented, values: ReferenceValues) -> Checklist:
    """Where what a guest runs is compared, its register is not ignored, whatever stands in its place in the reference."""
    register = presented.tells_apps
    if values.apps is None or register not in presented.registers:
        return checklist
    ignored = tuple(
        check
        for check in checklist.ignored
        if not (isinstance(check.subject, RegisterCheck) and check.subject.register == register)
    )
    return replace(checklist, ignored=ignored)


def _given(presented: Presented, values: ReferenceValues, given: GivenApps | None, quote: QuoteAppraisal) -> Checklist:
    """What the guest runs, where its image measures that, or somebody asks."""
    register, log = presented.tells_apps, presented.runtime
    if given is None and values.apps is None and log is None:
        return Checklist(())
    found = appraise_given(
        register,
        presented.registers.get(register),
        None if log is None else log.telling(register),
        _wanted(values, given),
        is_measured=values.apps is not None,
    )
    nobody_asks = given is None and values.apps is None
    if not nobody_asks and Unchecked.APP not in quote.allowed:
        return found
    left = found.of(Outcome.NOT_CHECKED)
    return Checklist(tuple(check for check in found.checks if check not in left), found.ignored + left)


def _named(published: Sequence[ReferenceValues], wanted: str) -> list[Place]:
    """By the name of a platform, or of a machine type without the platform before it."""
    places = [
        (values, name) for values in published for name in values.platforms if wanted in {name, name.partition("/")[2]}
    ]
    if len({name for _, name in places}) != 1:
        names = sorted({name for values in published for name in values.platforms})
        words = f"the reference does not describe the platform '{printable(wanted[:80])}'"
        raise TeekitError(words, hint=f"Choose from {', '.join(names) or 'the platforms of another file'}.")
    return places


def _fitting(published: Sequence[ReferenceValues], presented: Presented) -> list[Place]:
    """Platforms that measure guests into such registers, and that the reference has something to say about."""
    return [
        (values, name)
        for values in published
        for name, registers in values.platforms.items()
        if AZURE.is_called(name.partition("/")[0]) is presented.paravisor
        and any(
            register in presented.registers and item.policy is not Policy.IGNORE for register, item in registers.items()
        )
    ]


def _closest(
    compared: Sequence[tuple[ReferenceValues, str, Checklist]], first: ReferenceValues
) -> tuple[ReferenceValues, str | None, Checklist]:
    """Where most registers are as presented. Platforms that are equally close leave the question open, but for those that
    cannot be the guest's: if none can, that is the answer, whichever comes closest.
    """
    if not compared:
        return first, None, Checklist((_open(Question.PLATFORM, "", Because(Why.NO_PLATFORM_FITS)),))
    possible = [item for item in compared if not item[2].of(Outcome.MISMATCH)]
    best = max(len(checklist.of(Outcome.MATCH)) for _, _, checklist in possible or compared)
    closest = [item for item in possible or compared if len(item[2].of(Outcome.MATCH)) == best]
    names = dict.fromkeys(name for _, name, _ in closest)
    if possible and len(names) > 1:
        return closest[0][0], None, Checklist((_open(Question.PLATFORM, "", SeveralFit(tuple(names))),))
    return min(closest, key=lambda item: len(item[2].of(Outcome.MISMATCH)))


def _open(
    question: Question, platform: str, reason: Because | SeveralFit, registers: tuple[Register, ...] = ()
) -> Check:
    return Check(QuestionCheck(question, platform, registers), Outcome.NOT_CHECKED, reason=reason)


def _value(register: Register, digest: Digest, heard: _Heard) -> RegisterValue:
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


def _compare(
    values: ReferenceValues,
    platform: str,
    heard: _Heard,
    registers: Mapping[Register, RegisterValue],
    firmware: Sequence[Digest],
) -> Checklist:
    published, presented = values.platforms[platform], heard.presented
    states = known_states(presented.logged, published, heard.log, heard.ima, presented.secure_boot)
    unasked = tuple(_stated(platform, state, presented.registers[state.register]) for state in states)
    presented = replace(presented, registers={**presented.registers, **{it.register: it.boot for it in states}})
    registers = {**registers, **{it.register: _value(it.register, it.boot, heard) for it in states}}
    if presented.measured_into is RegisterKind.PCR:
        registers = {register: value for register, value in registers.items() if register in published}
        if MRTD in presented.registers and MRTD not in published:
            unasked += _unasked_paravisor(platform, presented)
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
        questions.append(_open(Question.PCRS, platform, Because(Why.NO_PCRS_PUBLISHED)))
    elif unseen := tuple(register for register in _BOOTED[presented.measured_into] if register not in asked):
        questions.append(_open(Question.BOOTED, platform, Because(Why.BOOTED_NOT_COMPARED), unseen))
    if MRTD in decided or (into_tpm and presented.vouched_for):
        return tuple(questions)
    if into_tpm:
        why = Why.VTPM_NOT_VOUCHED_FOR if MRTD in presented.registers else Why.TPM_NOT_VOUCHED_FOR
        return (*questions, _open(Question.VTPM, platform, Because(why)))
    return (*questions, _open(Question.FIRMWARE, platform, Because(Why.FIRMWARE_NOT_VOUCHED_FOR), (MRTD,)))


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


def _conclude(quote: QuoteAppraisal, checklist: Checklist) -> Conclusion:
    """What speaks against the quote, or the registers, decides; then what was not checked of either."""
    conclusion = conclude(checklist)
    if quote.refused:
        refused = tuple(NotAcceptable(check) for check in quote.acceptable if check.outcome is Outcome.MISMATCH)
        return Conclusion(ExitStatus.DOES_NOT_HOLD, refused + conclusion.reasons)
    if not quote.unsettled:
        return conclusion
    differs = conclusion.status is ExitStatus.DOES_NOT_HOLD
    status = ExitStatus.DOES_NOT_HOLD if differs else ExitStatus.NO_VERDICT
    return Conclusion(status, conclusion.reasons + quote.unsettled)
