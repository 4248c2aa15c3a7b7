"""What speaks against a better verdict, in words for somebody who has never seen this project."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.facts import (
    ArtifactCheck,
    Because,
    Check,
    Choice,
    Nearest,
    RegisterCheck,
    Side,
    ValueNotKnown,
    Why,
)
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents import model
from teekit_verify.documents.load import load_reference
from teekit_verify.explanation.causes.known import UMASK
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.registers.registers import MRTD, pcr, rtmr
from teekit_verify.report.rebuild import findings

if TYPE_CHECKING:
    from teekit_verify.rebuild.environments import EnvironmentChosen
    from teekit_verify.record.document import RebuildReport

GCP = Path(__file__).parents[4] / "reference/releases/tdx-debian-gcp-2026.11.1/gcp.json"


def checks(report: RebuildReport) -> list[str]:
    return [line.plain for line in findings.checks(report)]


def measured_otherwise(platform: str, **values: model.RegisterValue) -> RebuildReport:
    """A rebuild that gives what was published for Google Cloud, but for these registers of a platform."""
    right = reports.of_reference(GCP)
    assert right.measurements is not None
    registers = right.measurements.platforms[platform] | {
        MRTD if name == "MRTD" else rtmr(int(name[-1])): value for name, value in values.items()
    }
    measured = replace(right.measurements, platforms={**right.measurements.platforms, platform: registers})
    build = sample.build(inputs=right.consumed, artifacts=tuple(pair.a for pair in right.artifacts))
    return reports.rebuild(build, build, measured, right.published)


def test_values_of_no_published_firmware_are_said_so_in_short() -> None:
    """`appraise` says it in a line of 300 characters, with the digests; that line is in report.json."""
    report = measured_otherwise("gcp/c3-standard-4", RTMR0=sample.complete(sample.ACTION))
    assert any(reason.startswith("gcp/c3-standard-4 RTMR0 sha384: mismatch: no group of") for reason in report.reasons)
    assert checks(report) == [
        "gcp/c3-standard-4 RTMR0: fits no published set of values; nearest is 'firmware of COS 113 logs'"
    ]


def test_another_firmware_without_a_log() -> None:
    unknown = model.RegisterValue((sample.sha384("another firmware"),), "", ())
    report = measured_otherwise("gcp/c3-standard-4", MRTD=unknown)
    (line,) = checks(report)
    assert line.startswith("gcp/c3-standard-4 MRTD: fits no published set of values; nearest is '")
    assert line.endswith("': another firmware")


def test_values_of_two_published_firmwares_do_not_fit_together() -> None:
    """Each was published, but no machine has both."""
    registers = load_reference(GCP).platforms["gcp/c3-standard-4"]
    mrtd, rtmr0 = next(
        (one.register, other.register)
        for one in registers[MRTD].acceptable
        for other in registers[rtmr(0)].acceptable
        if not set(one.groups) & set(other.groups)
    )
    report = measured_otherwise("gcp/c3-standard-4", MRTD=mrtd, RTMR0=rtmr0)
    assert report.verdict.value == "MISMATCH"
    assert any("fits no published set of values" in line for line in checks(report))


def test_what_a_cause_explains_is_not_said_twice() -> None:
    report = reports.REBUILDS["mismatch"]
    assert len(report.reasons) == 2
    assert [line.plain for line in findings.what_differs(report)] == [
        "differs: UKI section .cmdline (seen in uefi-vtpm PCR11)"
    ]
    assert checks(report) == []


def test_banks_and_registers_of_which_the_same_is_said_are_one_line() -> None:
    said, nearest = "one side has no event log to explain it", (Nearest(Choice.ACCEPTABLE, "x", 2),)
    made = [
        Check(RegisterCheck(*place, bank), Outcome.MISMATCH, "aa", "bb", Because(Why.NO_EVENT_LOG), nearest)
        for place in (("tdx", rtmr(1)), ("tdx", rtmr(2)), ("uefi-vtpm", pcr(4)))
        for bank in (Algorithm.SHA256, Algorithm.SHA384)
    ]
    unknown = ValueNotKnown(Side.MEASUREMENTS, "the disk")
    missing = Check(RegisterCheck("tdx", rtmr(3), Algorithm.SHA384), Outcome.OPEN, reason=unknown)
    report = replace(reports.REBUILDS["mismatch"], checklist=Checklist((missing, *made)))
    assert checks(report) == [
        f"tdx RTMR1 RTMR2, uefi-vtpm PCR4: {said}",
        "tdx RTMR3: open: not known: the disk",
    ]


@pytest.mark.parametrize(("name", "words"), [("unreferenced", ["no reference was given"]), ("mismatch", [])])
def test_reasons_that_others_say_are_left_out(name: str, words: list[str]) -> None:
    assert [line.plain for line in findings.other_reasons(reports.REBUILDS[name])] == words


def test_the_next_step_after_a_drift_is_the_one_that_helps() -> None:
    drifted = reports.REBUILDS["input drift"]
    assert drifted.inputs is not None
    assert drifted.origin is not None
    assert findings.next_step(drifted).endswith(f"add `--commit {'a' * 40}`")
    same = replace(drifted, origin=replace(drifted.origin, commit="a" * 40))
    assert findings.next_step(same).startswith("rebuild with the files, the lock and the options that")
    between = replace(drifted, inputs=replace(drifted.inputs, drift_between_builds=("package bash",)))
    assert findings.next_step(between).startswith("run this again")


def test_the_next_step_after_a_mismatch_without_files_names_none() -> None:
    step = findings.next_step(replace(reports.REBUILDS["mismatch"], artifacts=()))
    assert step.endswith(": `teekit-verify explain PUBLISHED report/artifacts/FILE`")


def test_a_long_name_does_not_push_out_what_is_said_of_it() -> None:
    check = Check(ArtifactCheck("x" * 250), Outcome.MISMATCH, reason=Because(Why.OTHER_BYTES))
    report = replace(reports.REBUILDS["mismatch"], checklist=Checklist((check,)))
    assert checks(report) == [f"artifact {'x' * 7}...{'x' * 16}: same size, other bytes"]


@pytest.mark.parametrize(
    ("causes", "chosen", "words"),
    [
        ((UMASK,), reports.CHOSEN, "rebuild with `--vary default,-umask`: "),
        ((UMASK,), None, "fix what makes A and B differ in the image's source"),
        (
            (UMASK, Cause("time stamp", "the clock")),
            reports.CHOSEN,
            "fix what makes A and B differ in the image's source",
        ),
        ((), reports.CHOSEN, "fix what makes A and B differ in the image's source"),
    ],
)
def test_the_umask_of_mkosis_caller_is_not_for_somebody_elses_project_to_mend(
    causes: tuple[Cause, ...], chosen: EnvironmentChosen | None, words: str
) -> None:
    mode = Difference("usr/lib/os-release", Kind.METADATA, "mode", causes=causes)
    explanations = (Explanation("A", "B", (mode,)),)
    report = replace(reports.REBUILDS["nondeterministic"], explanations=explanations, environment_chosen=chosen)
    assert findings.next_step(report).startswith(words)
