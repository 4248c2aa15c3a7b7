"""What somebody should look at, as a flat list: what speaks against a verdict, and what is warned of."""

from __future__ import annotations

from enum import Enum
from itertools import chain
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import ArtifactCheck, EventTextCheck, RegisterCheck
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import Outcome
from teekit_verify.explanation.tree import culprits
from teekit_verify.inspection.disk import DiskFacts
from teekit_verify.inspection.uki import UkiFacts
from teekit_verify.wording.checks import detail_of, name_of
from teekit_verify.wording.host_inputs import HOST_INPUTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.appraisal.guest.registers import PresentedAppraisal
    from teekit_verify.inspection.host_inputs import UnmeasuredInput
    from teekit_verify.record.comparison import ComparisonReport
    from teekit_verify.record.document import RebuildReport


class Level(Enum):
    """SARIF's levels (section 3.27.10): it is not so; it was not shown to be so; for those who want to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(Enum):
    """What a finding is an instance of: its stable ID, and what is said of all its instances."""

    REGISTER = "register", "A measurement register is not what was published."
    ARTIFACT = "artifact", "A file is not what was published."
    EVIDENCE = "evidence", "A fact of the evidence does not hold, or was not checked."
    HOST_INPUT = "host-input", "The host can change what the image does, and no register shows it."
    NONDETERMINISM = "nondeterminism", "Two builds of the same inputs differ."
    INPUT_DRIFT = "input-drift", "Something else was built from than what was published, or in one of two builds."
    SMELL = "smell", "A place in the source that makes builds differ, or that uses something unverified."
    FAILURE = "failure", "No image was built."

    @property
    def id(self) -> str:
        return self.value[0]

    @property
    def text(self) -> str:
        return self.value[1]


@frozen
class Finding:
    """`place` is what it is about, in our words; `file` the file that shows it, `line` one of it from 1, or 0 for all of it."""

    rule: Rule
    level: Level
    place: str
    message: str
    file: str
    line: int = 0


_LEVELS = {
    Outcome.MISMATCH: Level.ERROR,
    Outcome.ERROR: Level.ERROR,
    Outcome.NOT_CHECKED: Level.WARNING,
    Outcome.OPEN: Level.NOTE,
    Outcome.IGNORED: Level.NOTE,
}


def of_inspection(facts: object, file: str) -> Iterator[Finding]:
    """Of a UKI, or of that of a disk; other files have none."""
    uki = facts.uki if isinstance(facts, DiskFacts) else facts
    if isinstance(uki, UkiFacts):
        yield from _host_inputs(uki.unmeasured_inputs, file)


def of_comparison(report: ComparisonReport, file: str) -> Iterator[Finding]:
    yield from _of_checks(report.checklist.checks, file)


def of_presented(appraisal: PresentedAppraisal, file: str) -> Iterator[Finding]:
    """The registers of a guest, then its quote."""
    yield from _of_checks((*appraisal.checklist.checks, *appraisal.quote.authentic, *appraisal.quote.acceptable), file)


def of_rebuild(report: RebuildReport) -> Iterator[Finding]:
    """Files are those of the report's folder, and for smells those of the source."""
    image = next((pair.name for pair in report.artifacts), report.directory)
    if report.verdict is Verdict.FAILED:
        last = next(iter(report.failure.splitlines()[-1:]), "")
        yield Finding(Rule.FAILURE, Level.ERROR, report.image, f"No image was built. {last}".rstrip(), image)
    if report.inputs is not None:
        for line in chain(report.inputs.drift_between_builds, report.inputs.drift_from_reference):
            yield Finding(Rule.INPUT_DRIFT, Level.ERROR, "inputs", line, image)
    for explanation in report.explanations:
        for leaf in culprits(explanation.differences):
            yield _nondeterminism(
                leaf.path, leaf.difference.what, [cause.name for cause in leaf.difference.causes], image
            )
    if report.checklist is not None:
        yield from _of_checks(report.checklist.checks, image)
    yield from _host_inputs(report.unmeasured_inputs, image)
    for smell in report.smells:
        yield Finding(Rule.SMELL, Level.WARNING, smell.name, f"{smell.name}: {smell.why}", smell.path, smell.line)


def _nondeterminism(path: tuple[str, ...], what: str, causes: Iterable[str], file: str) -> Finding:
    place = ": ".join(path)
    usually = "".join(f" (usually: {cause})" for cause in causes)
    return Finding(Rule.NONDETERMINISM, Level.ERROR, place, f"A and B differ in {place}: {what}{usually}", file)


def _host_inputs(inputs: Iterable[UnmeasuredInput], file: str) -> Iterator[Finding]:
    for item in inputs:
        what, way_out = HOST_INPUTS[item.kind]
        detail = f" ({item.detail})" if item.detail else ""
        message = f"{item.where}: {what}{detail}. {way_out}".rstrip()
        yield Finding(Rule.HOST_INPUT, Level.WARNING, f"{item.kind.value} {item.where}", message, file)


def _of_checks(checks: Iterable[Check], file: str) -> Iterator[Finding]:
    for check in checks:
        level = _LEVELS.get(check.outcome)
        if level is not None:
            detail = detail_of(check)
            message = f"{name_of(check)}: {check.outcome.value}" + (f": {detail}" if detail else "")
            yield Finding(_rule(check), level, name_of(check), message, file)


def _rule(check: Check) -> Rule:
    match check.subject:
        case RegisterCheck() | EventTextCheck():
            return Rule.REGISTER
        case ArtifactCheck():
            return Rule.ARTIFACT
        case _:
            return Rule.EVIDENCE
