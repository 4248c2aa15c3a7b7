"""A rebuild from its facts: two builds, measurements, and what was published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from teekit_verify.appraisal.rebuild.appraise import appraise_rebuild
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.registers.registers import pcr
from teekit_verify.wording.checks import reason_line

if TYPE_CHECKING:
    from teekit_verify.documents import model

BUILD, REFERENCE = sample.build(), sample.reference()
DRIFTED = sample.build(inputs=sample.inputs(lock_sha256=sample.sha256("another lock")))
OTHER_UKI = replace(sample.UKI, sha256=sample.sha256("evil"))
OTHER = sample.build(artifacts=(OTHER_UKI, sample.MANIFEST))


@pytest.mark.parametrize(
    ("a", "b", "reference", "verdict", "reason"),
    [
        (BUILD, BUILD, REFERENCE, Verdict.REPRODUCED, None),
        (BUILD, BUILD, None, Verdict.UNREFERENCED, "no reference was given"),
        (BUILD, OTHER, REFERENCE, Verdict.NONDETERMINISTIC, "tdx-debian.efi: same size, other bytes"),
        (OTHER, OTHER, REFERENCE, Verdict.MISMATCH, "artifact tdx-debian.efi: mismatch: same size, other bytes"),
        (DRIFTED, DRIFTED, REFERENCE, Verdict.INPUT_DRIFT, "not the reference's input: lock file changed"),
        (DRIFTED, BUILD, None, Verdict.INPUT_DRIFT, "A and B did not consume the same: lock file changed"),
    ],
)
def test_verdicts(
    a: model.Build, b: model.Build, reference: model.Reference | None, verdict: Verdict, reason: str | None
) -> None:
    appraisal = appraise_rebuild(a, b, sample.measurements(), reference)
    assert appraisal.decision.verdict is verdict
    assert (reason is None) == (not appraisal.decision.reasons)
    if reason is not None:
        assert reason_line(appraisal.decision.reasons[0]).startswith(reason)


def test_equal_files_with_other_measurements_are_a_mismatch() -> None:
    """The prediction changed, not the image: the tool or the reference is wrong, and that must not pass."""
    registers = {**sample.measurements().platforms["uefi-vtpm"], pcr(4): sample.PCR11}
    measured = sample.measurements(platforms={**sample.measurements().platforms, "uefi-vtpm": registers})
    appraisal = appraise_rebuild(BUILD, BUILD, measured, REFERENCE)
    assert appraisal.decision.verdict is Verdict.MISMATCH
    assert reason_line(appraisal.decision.reasons[0]).startswith(
        "uefi-vtpm PCR4 sha256: mismatch: first difference at event 1"
    )


def test_artifacts_alone_do_not_make_a_pass_when_registers_were_not_measured() -> None:
    appraisal = appraise_rebuild(BUILD, BUILD, sample.measurements(platforms={}), REFERENCE)
    assert appraisal.decision.verdict is Verdict.FAILED
