"""One artifact, or its measurements, against a reference: the decision of `compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.appraise import appraise
from teekit_verify.appraisal.artifacts import check_boot_file
from teekit_verify.appraisal.checklist import Checklist, Conclusion, conclude

if TYPE_CHECKING:
    from teekit_verify.reference.model import Measurements, Reference


def compare_with_reference(reference: Reference, measurements: Measurements) -> tuple[Checklist, Conclusion]:
    """The measured file's own digest, and every register. Other files of the reference are not asked for."""
    artifact = check_boot_file(reference.artifacts, measurements.artifact, measurements.disk)
    checklist = Checklist(artifact) + appraise(reference, measurements)
    return checklist, conclude(checklist)
