"""What a guest presented against a reference: the decision of `compare REF --quote`.

The quote is appraised as `quote` does. Its registers are compared with one platform of the reference (`platform_registers`);
an event log that leads to them says which event differs.

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

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist, Conclusion, NotAcceptable, Note, conclude
from teekit_verify.appraisal.facts import Because, Question, RegisterCheck, SeveralFit, Why
from teekit_verify.appraisal.guest.given import appraise_given, matched
from teekit_verify.appraisal.guest.platform_registers import compare_registers, heard_of, open_question, quoted_value
from teekit_verify.appraisal.guest.quote import Unchecked
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents.model import Policy
from teekit_verify.prediction.given_apps import acceptable
from teekit_verify.prediction.platforms.azure import AZURE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.appraisal.guest.presented import Presented
    from teekit_verify.appraisal.guest.quote import QuoteAppraisal
    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import RegisterValue
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.published import ReferenceValues
    from teekit_verify.registers.registers import Register

    Place = tuple[ReferenceValues, str]


@frozen
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
    heard = heard_of(presented, [values.platforms[name] for values, name in places])
    registers = {register: quoted_value(register, digest, heard) for register, digest in presented.registers.items()}
    compared = [(*place, compare_registers(*place, heard, registers, firmware)) for place in places]
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
        return first, None, Checklist((open_question(Question.PLATFORM, "", Because(Why.NO_PLATFORM_FITS)),))
    possible = [item for item in compared if not item[2].of(Outcome.MISMATCH)]
    best = max(len(checklist.of(Outcome.MATCH)) for _, _, checklist in possible or compared)
    closest = [item for item in possible or compared if len(item[2].of(Outcome.MATCH)) == best]
    names = dict.fromkeys(name for _, name, _ in closest)
    if possible and len(names) > 1:
        return closest[0][0], None, Checklist((open_question(Question.PLATFORM, "", SeveralFit(tuple(names))),))
    return min(closest, key=lambda item: len(item[2].of(Outcome.MISMATCH)))


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
