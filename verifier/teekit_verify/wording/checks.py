"""Checks and conclusions in words: the only place where they are made. Nothing reads them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import (
    ArtifactCheck,
    AsRequested,
    Because,
    Check,
    Choice,
    EventTextCheck,
    FactCheck,
    FirstDifference,
    ForgedText,
    GivenCheck,
    Ignored,
    LaterState,
    LogsPart,
    NoValueInGroup,
    OtherSize,
    Question,
    QuestionCheck,
    Refused,
    RegisterCheck,
    RegisterSource,
    Requested,
    Said,
    SameEventAs,
    SeveralFit,
    Side,
    StatedCheck,
    StateKind,
    StrayEvent,
    ValueNotKnown,
)
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.registers.events import event_type_name
from teekit_verify.wording.meanings import meaning_words
from teekit_verify.wording.tables import ARTIFACTS, FACTS, GIVEN, PARTINGS, REQUESTED, WHY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.artifacts import ArtifactPair
    from teekit_verify.appraisal.checklist import Checklist, ConclusionReason
    from teekit_verify.appraisal.facts import EventDifference, EventName, Nearest, Reason
    from teekit_verify.appraisal.rebuild.verdict import DecisionReason

_SHORT = 16


def name_of(check: Check) -> str:
    """`uefi-vtpm PCR11 sha256`, `artifact image.efi`, `REPORTDATA`."""
    match check.subject:
        case ArtifactCheck(name=name, part=part):
            return f"{ARTIFACTS[part]} {name}"
        case RegisterCheck() as subject:
            return register_name(subject)
        case EventTextCheck(register=register, number=number):
            return f"event log text, event {number} ({register})"
        case QuestionCheck() as subject:
            return _question(subject)
        case GivenCheck(part=part, number=number):
            return GIVEN[part] + ("" if number is None else f" {number}")
        case FactCheck(fact=fact):
            return FACTS[fact].format(check.expected)
        case StatedCheck(name=name):
            return name


def register_name(subject: RegisterCheck) -> str:
    """With its platform and bank, as far as it has them."""
    begin = "event log" if subject.source is RegisterSource.EVENT_LOG else ""
    end = {RegisterSource.POLICY: "vouched for", RegisterSource.BOOT: "since the boot"}.get(subject.source, "")
    bank = "" if subject.bank is None else subject.bank.value
    return " ".join(filter(None, (begin, subject.platform, str(subject.register), bank, end)))


def _question(subject: QuestionCheck) -> str:
    match subject.question:
        case Question.REGISTERS:
            return "registers"
        case Question.PLATFORM:
            return subject.platform or "platform"
        case Question.PCRS:
            return f"{subject.platform} PCRs"
        case Question.FIRMWARE:
            return f"{subject.platform} firmware"
        case Question.VTPM:
            return "vTPM"
        case Question.BOOTED:
            return f"{subject.platform} {' and '.join(map(str, subject.registers))}"


def detail_of(check: Check, *, look_at: bool = True) -> str:
    """What was found, in words; empty for a match that needs none. `look_at`: also where the bytes of an event come from."""
    if check.reason is None:
        return ""
    return "".join(map(_nearest, check.nearest)) + reason_words(check.reason, check, look_at=look_at)


def _nearest(nearest: Nearest) -> str:
    match nearest.choice:
        case Choice.GROUP:
            return f"no group of values matches; against '{nearest.label}': "
        case Choice.ALTERNATIVE:
            return f"of {nearest.count} alternatives, '{nearest.label}': "
        case Choice.ACCEPTABLE:
            return f"none of {nearest.count} acceptable values; against '{nearest.label}': "


def reason_words(reason: Reason, check: Check, *, look_at: bool = True) -> str:
    """One reason by itself."""
    match reason:
        case Because(why=why):
            return WHY[why].format(check.expected, check.found) + (" (allowed)" if _is_allowed(check) else "")
        case OtherSize(published=published, found=found):
            return f"has {found} bytes, published: {published}"
        case ValueNotKnown():
            return _not_known(reason)
        case Ignored(text=text, by_format=by_format):
            return f"ignored: {text}" if by_format else f"ignored, as the reference says: {text}"
        case NoValueInGroup(group=group):
            return f"the group '{group}' has no value for it"
        case FirstDifference(difference=difference):
            return f"first difference at {difference_words(difference, look_at=look_at)}"
        case SameEventAs(bank=bank):
            return f"at the same event as in {bank.value}"
        case StrayEvent(side=side, description=description, cause=cause):
            return f"{description} ({cause}) of the {side.value} is not among the events of the other side"
        case ForgedText(event=event):
            return f"FORGED: its digest is not that of its text, {_event(event)}"
        case LaterState():
            return _later(reason)
        case LogsPart(how=how, position=position):
            return f"{PARTINGS[how]} {position}"
        case SeveralFit(platforms=platforms):
            return f"{', '.join(platforms)} fit equally well: choose one with --platform"
        case AsRequested(requested=requested):
            return _as_requested(requested, check)
        case Refused(message=message):
            return message
        case Said(text=text):
            return text


def _is_allowed(check: Check) -> bool:
    """A fact that speaks against a TD, and that somebody asked to pass over."""
    return check.outcome is Outcome.IGNORED and isinstance(check.subject, FactCheck)


def _later(reason: LaterState) -> str:
    match reason.state:
        case StateKind.PHASES:
            return f"systemd-pcrphase extended it after the boot: {', '.join(reason.phases)}"
        case StateKind.IMA:
            return f"IMA extended it after the boot: {reason.entries} of {reason.listed} entries of its list"
        case StateKind.SECURE_BOOT:
            return "Secure Boot is on: the stub loads the kernel itself, which the UKI's digest covers"


def _not_known(reason: ValueNotKnown) -> str:
    match reason.side:
        case Side.BOTH:
            return f"the value is not known, its known events agree: {reason.missing}"
        case Side.MEASUREMENTS if reason.partly:
            return f"the measurements do not know the whole register: {reason.missing}"
        case Side.MEASUREMENTS:
            return f"not known: {reason.missing}"
        case Side.REFERENCE:
            return f"the reference does not know the whole register: {reason.missing}"


def _as_requested(requested: Requested, check: Check) -> str:
    if check.outcome is Outcome.MATCH:
        return f"is {REQUESTED[requested]}"
    return f"it is not {REQUESTED[requested]}: expected {check.expected}, found {check.found}"


def difference_words(difference: EventDifference, *, look_at: bool = True) -> str:
    """`event 2: section .cmdline (EV_IPL): expected 6293..., found 4b9c...; look at: UKI section .cmdline`."""
    words = meaning_words(difference.means)
    meaning = f" - {words}" if words else ""
    cause = f"; look at: {difference.cause}" if difference.cause and look_at else ""
    return f"event {difference.position}: {_events(difference)}{meaning}{cause}"


def _events(difference: EventDifference) -> str:
    wanted, seen = difference.wanted, difference.seen
    if wanted is None or seen is None:
        return f"{_event(seen)} is not in the reference" if wanted is None else f"{_event(wanted)} is missing"
    if wanted != seen:
        return f"expected {_event(wanted)}, found {_event(seen)}"
    return f"{_event(seen)}: expected {difference.expected[:_SHORT]}, found {difference.found[:_SHORT]}"


def _event(event: EventName | None) -> str:
    return "nothing" if event is None else f"{event.description} ({event_type_name(event.type)})"


def check_line(check: Check) -> str:
    """`PCR4 sha256: mismatch: first difference: ...` in one line."""
    detail = detail_of(check)
    return f"{name_of(check)}: {check.outcome.value}" + (f": {detail}" if detail else "")


def reason_line(reason: ConclusionReason | DecisionReason) -> str:
    """Why a conclusion, or a verdict, is no better."""
    # Imported here: what has checks alone, as a quote, needs none of it, and it is what a rebuild is made of.
    from teekit_verify.appraisal.artifacts import ArtifactPair
    from teekit_verify.appraisal.checklist import NoneMatches, NotAcceptable, Note
    from teekit_verify.appraisal.rebuild.verdict import Drift, DriftFrom, FromTodaysPackages, Lack

    match reason:
        case Check():
            return check_line(reason)
        case ArtifactPair():
            return pair_words(reason)
        case NotAcceptable(check=check):
            return f"the quote is not acceptable: {check_line(check)}"
        case NoneMatches(count=count, name=name):
            return f"of {count} published images none matches; '{name}' comes closest"
        case Drift(drifted_from=DriftFrom.OTHER_BUILD, line=line):
            return f"A and B did not consume the same: {line}"
        case Drift(line=line):
            return f"not the reference's input: {line}"
        case FromTodaysPackages(is_deterministic=same):
            found = "deterministic" if same else "not deterministic"
            return f"built from today's packages: {found}; says nothing about the published bytes"
        case Note.NOTHING_COMPARED:
            return "nothing was compared"
        case Note.NOT_AUTHENTIC:
            return "the quote is not authentic: its registers prove nothing"
        case Note.DUMMY_QUOTE:
            return "this is a dummy quote, for trying things out: no hardware made it"
        case Lack.ARTIFACTS:
            return "the builds made no artifacts"
        case Lack.REFERENCE:
            return "no reference was given"


def reason_lines(reasons: Sequence[ConclusionReason | DecisionReason]) -> tuple[str, ...]:
    return tuple(map(reason_line, reasons))


def pair_words(pair: ArtifactPair) -> str:
    """Why a pair is not the same: `tdx-debian.efi: made by build A only`, say."""
    if pair.a is None or pair.b is None:
        return f"{pair.name}: made by build {'B' if pair.a is None else 'A'} only"
    if pair.a.size_bytes != pair.b.size_bytes:
        return f"{pair.name}: {pair.a.size_bytes} bytes in build A, {pair.b.size_bytes} bytes in build B"
    return f"{pair.name}: same size, other bytes"


def open_words(checklist: Checklist | None, status: ExitStatus) -> str:
    """`; 2 registers are open: their values are not known`, for the end of a verdict. Empty if there are none, and after a no,
    which stands whatever they are.
    """
    count = len(checklist.open_registers) if checklist is not None else 0
    if not count or status is ExitStatus.DOES_NOT_HOLD:
        return ""
    return (
        "; 1 register is open: its value is not known"
        if count == 1
        else (f"; {count} registers are open: their values are not known")
    )
