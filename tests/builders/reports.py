"""Reports of rebuilds and comparisons, made from the sample documents by the code that makes them in earnest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from builders import documents as sample
from teekit_verify.appraisal.compare import compare_with_reference
from teekit_verify.appraisal.rebuild import appraise_rebuild
from teekit_verify.appraisal.verdict import Verdict
from teekit_verify.measurement.registers import pcr
from teekit_verify.rebuild.comparison import ArtifactDifference
from teekit_verify.report.document import (
    ComparisonReport,
    RebuildReport,
    ReferenceUsed,
    Step,
    inputs_used,
    variations,
)

if TYPE_CHECKING:
    from teekit_verify.reference import model

USED = ReferenceUsed("reference/base.json", "base-1", "a" * 40, sample.sha256("reference"))
_EVIL_PCR11 = sample.complete(
    sample.section_event(".linux"), sample.section_event(".cmdline", "init=/bin/sh"), sample.section_event(".initrd")
)
EVIL = sample.measurements(
    platforms={**sample.measurements().platforms, "uefi-vtpm": {pcr(4): sample.PCR4, pcr(11): _EVIL_PCR11}}
)
"""Measurements with another command line in PCR 11."""


def comparison(measured: model.Measurements, reference: model.Reference | None = None) -> ComparisonReport:
    checklist, conclusion = compare_with_reference(reference or sample.reference(), measured)
    return ComparisonReport(USED, measured, checklist, conclusion, "0.1.0")


def _rebuild(
    other: model.Build, reference: model.Reference | None, differences: tuple[ArtifactDifference, ...] = ()
) -> RebuildReport:
    build, measured = sample.build(), sample.measurements()
    appraisal = appraise_rebuild(build, other, measured, reference)
    return RebuildReport(
        verdict=appraisal.decision.verdict,
        reasons=appraisal.decision.reasons,
        tool_version="0.1.0",
        image="base",
        profiles=("debian-kernel",),
        directory="report",
        reference=None if reference is None else USED,
        environment=sample.ENVIRONMENT,
        inputs=inputs_used(build, other, reference, appraisal),
        variations=variations(
            {"umask": "0022", "num_cpus": "1"},
            {"umask": "0002", "num_cpus": "1"},
            {"num_cpus": "there is only one processor"},
        ),
        artifacts=appraisal.artifacts,
        differences=differences,
        measurements=measured,
        checklist=appraisal.checklist,
        steps=(Step("build A", 61.21), Step("build B", 59.99, 61.3)),
    )


_OTHER = sample.build(artifacts=(replace(sample.UKI, sha256=sample.sha256("evil")), sample.MANIFEST))
_DIFFERENCE = ArtifactDifference("tdx-debian.efi: UKI section .initrd", "differs\x1b[31m from offset 0x10 on")

REBUILDS = {
    "reproduced": _rebuild(sample.build(), sample.reference()),
    "unreferenced": _rebuild(sample.build(), None),
    "nondeterministic": _rebuild(_OTHER, sample.reference(), (_DIFFERENCE,)),
    "failed": RebuildReport(
        verdict=Verdict.FAILED,
        reasons=("mkosi failed; its last lines were:", "  | bad\x07"),
        tool_version="0.1.0",
        image="base",
        profiles=(),
        directory="report",
    ),
}
