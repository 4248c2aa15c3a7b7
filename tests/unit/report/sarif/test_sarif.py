"""Findings as SARIF: each under its rule, at its level, at the place that shows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from builders import documents as sample
from builders import reports
from builders.sarif import results
from builders.uki import build_uki, kernel
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.inspection.host_inputs import HostInput, UnmeasuredInput
from teekit_verify.rebuild.smells import Smell
from teekit_verify.report.sarif.document import render
from teekit_verify.report.sarif.findings import Finding, Level, Rule, of_comparison, of_rebuild

if TYPE_CHECKING:
    from pathlib import Path


def test_a_register_that_differs_is_an_error_of_the_file() -> None:
    report = reports.comparison(reports.EVIL)
    found = results(render(of_comparison(report, "out dir/image.efi"), ExitStatus.DOES_NOT_HOLD))
    wrong = [item for item in found if item["level"] == "error"]
    assert {item["ruleId"] for item in wrong} == {"register"}
    assert all("PCR11" in item["message"]["text"] for item in wrong)
    (location,) = wrong[0]["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "out%20dir/image.efi"}


def test_what_matches_is_no_finding() -> None:
    report = reports.comparison(sample.measurements())
    assert report.conclusion.status is ExitStatus.HOLDS
    found = results(render(of_comparison(report, "image.efi"), ExitStatus.HOLDS))
    assert not [item for item in found if item["level"] != "note"]


def test_a_rebuild_has_its_differences_its_warnings_and_places_of_the_source() -> None:
    leaf = Difference(
        "etc/machine-id", Kind.CONTENT, "content differs", causes=(Cause("machine ID", "made at random"),)
    )
    tree = Difference("UKI section .initrd", Kind.CONTENT, "", children=(leaf,))
    report = reports.rebuild(
        sample.build(),
        sample.build(),
        sample.measurements(),
        None,
        explanations=(Explanation("a.efi", "b.efi", (tree,)),),
        smells=(Smell("downloads", "mkosi/mkosi.build", 7, "curl", "it downloads what no lock names"),),
        unmeasured_inputs=(UnmeasuredInput(HostInput.EFI_OPTIONS, "usr/lib/systemd/systemd", "reads it"),),
    )
    found = {item["ruleId"]: item for item in results(render(of_rebuild(report), ExitStatus.DOES_NOT_HOLD))}
    assert set(found) == {"nondeterminism", "smell", "host-input"}
    assert "UKI section .initrd: etc/machine-id" in found["nondeterminism"]["message"]["text"]
    assert "usually: machine ID" in found["nondeterminism"]["message"]["text"]
    assert found["smell"]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "mkosi/mkosi.build"},
        "region": {"startLine": 7},
    }
    assert found["host-input"]["level"] == "warning"


@pytest.mark.parametrize("path", ["/srv/a b.efi", "c:/a.efi", "\u00fc?#%.efi", "bad\udcff.efi", "-"])
def test_any_name_of_a_file_is_a_reference(path: str) -> None:
    finding = Finding(Rule.ARTIFACT, Level.ERROR, "pla\x1bce", "bell \a and a half \udcff", path)
    (item,) = results(render([finding], ExitStatus.DOES_NOT_HOLD))
    assert "\x1b" not in json.dumps(item, ensure_ascii=False)


def test_a_finding_keeps_its_fingerprint_when_values_change() -> None:
    one, other = (
        Finding(Rule.REGISTER, Level.ERROR, "tdx RTMR1", f"mismatch: {value}", "image.efi") for value in ("aa", "bb")
    )
    elsewhere = Finding(Rule.REGISTER, Level.ERROR, "tdx RTMR2", "mismatch: aa", "image.efi")
    prints = [item["partialFingerprints"] for item in results(render([one, other, elsewhere], ExitStatus.HOLDS))]
    assert prints[0] == prints[1] != prints[2]


def test_no_more_results_than_github_shows() -> None:
    many = (Finding(Rule.SMELL, Level.WARNING, str(number), "x", "a") for number in range(6000))
    assert len(results(render(many, ExitStatus.HOLDS))) == 5000


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image, log = tmp_path / "image.efi", tmp_path / "log.sarif"
    image.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"no archive")]))
    assert main(["inspect", str(image), "--sarif", str(log)]) == 0
    (item,) = results(log.read_bytes())
    assert (item["ruleId"], item["level"]) == ("host-input", "warning")
    assert "not looked into" in item["message"]["text"]
    assert main(["inspect", str(image), "--json"]) == 0
    capsys.readouterr()
