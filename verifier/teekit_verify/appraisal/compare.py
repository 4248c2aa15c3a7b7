"""One artifact, or its measurements, against a published file: the decision of `compare`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.appraise import appraise
from teekit_verify.appraisal.artifacts import check_boot_file
from teekit_verify.appraisal.checklist import Checklist, Conclusion, conclude
from teekit_verify.core.outcome import Check, ExitStatus, Outcome
from teekit_verify.reference.published import values_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.reference.model import Measurements, Reference
    from teekit_verify.reference.published import ReferenceValues

    Compared = tuple[ReferenceValues, Checklist, Conclusion]

_BEST_FIRST = (ExitStatus.HOLDS, ExitStatus.NO_VERDICT, ExitStatus.DOES_NOT_HOLD)


def compare_with_reference(reference: Reference, measurements: Measurements) -> tuple[Checklist, Conclusion]:
    """The measured file's own digest, and every register. Other files of the reference are not asked for."""
    _, checklist, conclusion = compare_with_published((values_of(reference),), measurements)
    return checklist, conclusion


def compare_with_published(published: Sequence[ReferenceValues], measurements: Measurements) -> Compared:
    """The values that match, else those that come closest, and what speaks against them.

    Values about other platforms than the measured ones are asked only if there are no others.
    """
    about = [values for values in published if values.platforms.keys() & measurements.platforms.keys()]
    compared = [_compare(values, measurements) for values in about or published]
    values, checklist, conclusion = min(compared, key=_distance)
    if len(published) > 1 and conclusion.status is not ExitStatus.HOLDS:
        reason = f"of {len(published)} published images none matches; '{values.name}' comes closest"
        conclusion = replace(conclusion, reasons=(reason, *conclusion.reasons))
    return values, checklist, conclusion


def _compare(values: ReferenceValues, measurements: Measurements) -> Compared:
    checks = check_boot_file(values.artifacts, measurements.artifact, measurements.disk)
    checklist = Checklist(checks if values.artifacts or not values.unmentioned else (), not_compared(values))
    checklist += appraise(values, measurements, unmentioned=values.unmentioned)
    return values, checklist, conclude(checklist)


def not_compared(values: ReferenceValues) -> tuple[Check, ...]:
    """What a file of another format says beside registers, for the `ignored` of a checklist."""
    return tuple(
        Check(name, Outcome.NOT_CHECKED, expected=text, detail=f"ignored: {text} is no value of a register")
        for name, text in values.not_compared
    )


def _distance(compared: Compared) -> tuple[int, int]:
    _, checklist, conclusion = compared
    return _BEST_FIRST.index(conclusion.status), len(checklist.of(Outcome.MISMATCH))
