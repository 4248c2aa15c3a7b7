"""The questions that `guest` answers, in their order, each with the checks that answer it: what the table and the page are made of."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import (
    Check,
    EventTextCheck,
    Fact,
    FactCheck,
    GivenCheck,
    GivenPart,
    RegisterCheck,
    RegisterSource,
)
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import Outcome

if TYPE_CHECKING:
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal


class Step(Enum):
    """One question. The value is its name in JSON."""

    AUTHENTIC = "authentic"
    ACCEPTABLE = "acceptable"
    CURRENT = "current"
    BOUND = "bound"
    LOGS = "logs"
    REGISTERS = "registers"
    APPS = "apps"


TITLES = {
    Step.AUTHENTIC: "the quote is from Intel's hardware",
    Step.ACCEPTABLE: "the host cannot look into the machine",
    Step.CURRENT: "the platform is up to date",
    Step.BOUND: "it answers now, on this connection",
    Step.LOGS: "its logs lead to its registers",
    Step.REGISTERS: "it booted what was published",
    Step.APPS: "it runs what it should, nothing else",
}
_CURRENT = {Fact.TCB_STATUS, Fact.PCK_REVOCATION, Fact.CA_REVOCATION}
_LOGS = {Fact.VTPM_SIGNATURE, Fact.VTPM_VALUES, Fact.VTPM_GOOGLE_CERTIFICATE, Fact.TPM_KEY}
"""Of a TPM beside a TD's quote: what its PCRs are worth."""
_BOUND = {Fact.REPORT_DATA, Fact.VTPM_NONCE, Fact.ANSWER_NONCE, Fact.CHANNEL}
_APPS = {Fact.MANIFEST_LIST, Fact.HOSTNAME_LIST}
_ASKED = {Step.CURRENT, Step.BOUND, Step.APPS}
_WORST = (Outcome.MISMATCH, Outcome.ERROR, Outcome.NOT_CHECKED, Outcome.OPEN)
_SHORT = 16


@frozen
class Answered:
    """A question: what came of it, from its checks. `passed_over` are checks of it that do not decide."""

    step: Step
    checks: tuple[Check, ...]
    passed_over: tuple[Check, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """The worst of its checks; not checked where there is none, or where something may stay so that the question is about."""
        found = {check.outcome for check in self.checks}
        if self.step in _ASKED and any(map(_was_asked, self.passed_over)):
            found.add(Outcome.NOT_CHECKED)
        # Without a TDX quote there is no hardware's word, whoever may say that it can stay so.
        if any(check.subject == FactCheck(Fact.TDX_QUOTE) for check in self.passed_over):
            found.add(Outcome.NOT_CHECKED)
        # The lists of the answer agree with its log: that says nothing of what the apps ought to be.
        if self.step is Step.APPS and not any(isinstance(check.subject, GivenCheck) for check in self.checks):
            found.add(Outcome.NOT_CHECKED)
        worst = next((outcome for outcome in _WORST if outcome in found), None)
        if worst is not None:
            return worst
        return Outcome.MATCH if Outcome.MATCH in found else Outcome.NOT_CHECKED

    @property
    def short(self) -> str:
        """At most 24 characters."""
        if self.step is Step.APPS and self.outcome is Outcome.MATCH:
            apps = [it.found for it in self.checks if isinstance(it.subject, GivenCheck) and len(it.found) == 64]  # noqa: PLR2004
            return f"sha256 {apps[0][:_SHORT]}" if len(apps) == 1 else f"{len(apps)} apps"
        good = sum(check.outcome is Outcome.MATCH for check in self.checks)
        return f"{good} of {len(self.checks)} checks" if self.checks else "nothing to go by"


def _was_asked(check: Check) -> bool:
    is_hostnames = isinstance(check.subject, GivenCheck) and check.subject.part is GivenPart.HOSTNAMES
    return check.outcome is Outcome.NOT_CHECKED and not is_hostnames


def answered(appraisal: PresentedAppraisal) -> tuple[Answered, ...]:
    """Every question, with all checks of the appraisal, each under one of them."""
    quote, checklist = appraisal.quote, appraisal.checklist
    deciding: dict[Step, list[Check]] = {step: [] for step in Step}
    aside: dict[Step, list[Check]] = {step: [] for step in Step}
    for check in quote.authentic:
        _sort(check, _of_fact(check, Step.AUTHENTIC), appraisal, deciding, aside)
    for check in quote.acceptable:
        _sort(check, _of_fact(check, Step.ACCEPTABLE), appraisal, deciding, aside)
    for check in checklist.checks:
        deciding[_of(check)].append(check)
    for check in checklist.ignored:
        aside[_of(check)].append(check)
    return tuple(Answered(step, tuple(deciding[step]), tuple(aside[step])) for step in Step)


def _sort(
    check: Check,
    step: Step,
    appraisal: PresentedAppraisal,
    deciding: dict[Step, list[Check]],
    aside: dict[Step, list[Check]],
) -> None:
    """What may stay unchecked decides nothing, nor what is settled elsewhere."""
    allowed = check.outcome is Outcome.NOT_CHECKED and check not in appraisal.quote.unsettled
    (aside if allowed or check.outcome is Outcome.IGNORED else deciding)[step].append(check)


def _of_fact(check: Check, otherwise: Step) -> Step:
    fact = check.subject.fact if isinstance(check.subject, FactCheck) else None
    if fact in _APPS:
        return Step.APPS
    return Step.CURRENT if fact in _CURRENT else Step.BOUND if fact in _BOUND else otherwise


def _of(check: Check) -> Step:
    match check.subject:
        case GivenCheck():
            return Step.APPS
        case EventTextCheck() | RegisterCheck(source=RegisterSource.EVENT_LOG):
            return Step.LOGS
        case FactCheck(fact=fact) if fact in _LOGS:
            return Step.LOGS
        case _:
            return _of_fact(check, Step.REGISTERS)
