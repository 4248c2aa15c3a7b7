"""Reports as JSON: versioned, deterministic, complete, and nothing in them that JSON cannot say."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.inspection.uki import SectionFacts, UkiFacts
from teekit_verify.record import json_report
from teekit_verify.report.inspect.uki import render_uki


def _rebuild(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(json_report.render_rebuild(reports.REBUILDS[name]))
    return fields


@pytest.mark.parametrize(
    ("name", "verdict", "status"),
    [
        ("reproduced", "REPRODUCED", 0),
        ("unreferenced", "UNREFERENCED", 1),
        ("nondeterministic", "NONDETERMINISTIC", 1),
        ("failed", "FAILED", 2),
    ],
)
def test_every_report_has_schema_verdict_and_status(name: str, verdict: str, status: int) -> None:
    fields = _rebuild(name)
    assert list(fields)[:5] == ["schema", "exit_status", "open_registers", "verdict", "reasons"]
    assert fields["schema"] == "teekit-verify/report/v2"
    assert (fields["verdict"], fields["exit_status"]) == (verdict, status)
    assert list(fields) == list(_rebuild("reproduced")), "absent facts are null, not left out"


def test_the_report_of_a_reproduced_build() -> None:
    fields = _rebuild("reproduced")
    assert fields["reference"]["release"] == "base-1"
    assert fields["inputs"]["sha256_a"] == fields["inputs"]["sha256_b"] == fields["inputs"]["sha256_reference"]
    assert fields["variations"] == [
        {"name": "umask", "value_a": "0022", "value_b": "0002", "reason": ""},
        {"name": "num_cpus", "value_a": "1", "value_b": "1", "reason": "there is only one processor"},
    ]
    assert fields["artifacts"][0]["a"] == fields["artifacts"][0]["b"]
    assert fields["steps"] == [
        {"name": "build A", "seconds": 61.2, "begin_seconds": 0.0},
        {"name": "build B", "seconds": 60.0, "begin_seconds": 61.3},
    ]
    assert fields["measurements"]["platforms"]["uefi-vtpm"]["PCR4"]["values"]["sha256"] == sample.PCR4_SHA256
    outcomes = {check["name"]: check["outcome"] for check in fields["checklist"]["checks"]}
    assert outcomes.pop("tdx RTMR1 sha384") == "open"
    assert set(outcomes.values()) == {"match"}
    opened = fields["checklist"]["checks"][-1]
    assert opened["subject"] == {
        "kind": "register",
        "platform": "tdx",
        "register": "RTMR1",
        "bank": "sha384",
        "source": "reference",
    }
    assert opened["reason"] == {
        "kind": "value_not_known",
        "side": "both",
        "missing": "the GPT of the disk is not known",
        "partly": True,
    }
    assert fields["environment"]["store_path"] == sample.ENVIRONMENT.store_path


def test_differences_of_builds_are_listed() -> None:
    assert _rebuild("nondeterministic")["explanations"][0]["differences"][0]["name"] == "UKI section .initrd"


def test_a_failed_report_knows_little_and_says_so() -> None:
    fields = _rebuild("failed")
    assert fields["artifacts"] == []
    assert fields["measurements"] is fields["checklist"] is fields["inputs"] is None


def test_comparison_names_the_first_different_event() -> None:
    fields = json.loads(json_report.render_comparison(reports.comparison(reports.EVIL)))
    assert fields["schema"] == "teekit-verify/comparison/v1"
    assert fields["exit_status"] == 1
    assert fields["conclusion"]["status"] == 1
    first = fields["checklist"]["differences"][0]
    assert (first["register"], first["bank"], first["position"]) == ("PCR11", "sha256", 2)
    assert first["cause"] == "UKI section .cmdline"


def test_inspection() -> None:
    digest = sample.sha256("x")
    facts = UkiFacts(
        "a.efi", 5, digest, digest, sample.sha384("x"), "257", None, "quiet", None, (SectionFacts(".a", 7, digest),)
    )
    fields = json.loads(render_uki(facts))
    assert fields["schema"] == "teekit-verify/inspection/v1"
    assert fields["sections"] == [{"name": ".a", "size_bytes": 7, "sha256": digest.hex}]
    assert (fields["cmdline"], fields["os_release"]) == ("quiet", None)


def test_same_report_same_bytes_with_one_newline_at_the_end() -> None:
    data = json_report.render_rebuild(reports.REBUILDS["reproduced"])
    assert data == json_report.render_rebuild(replace(reports.REBUILDS["reproduced"]))
    assert data.endswith(b"}\n")


def test_text_that_is_not_unicode_is_escaped() -> None:
    report = replace(reports.REBUILDS["failed"], reasons=("file \udcff",))
    data = json_report.render_rebuild(report)
    assert json.loads(data)["reasons"] == ["file \\udcff"]


def test_unknown_types_are_refused() -> None:
    @dataclass
    class Holder:
        value: object

    with pytest.raises(TypeError, match="bytes has no form in a report"):
        json_report.plain(Holder(b""))
    with pytest.raises(TypeError, match="type has no form in a report"):
        json_report.plain(Holder)
