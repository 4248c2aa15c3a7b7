"""Reports that releases before schema v2 wrote: read, shown, and no better than they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from teekit_verify.appraisal.facts import ArtifactCheck, RegisterCheck, Said
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.record import read
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.report.html import page
from teekit_verify.wording.checks import detail_of, name_of

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "tests/assets/reports"
NAMES = ("failed", "mismatch", "reproduced")


def _document(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((FOLDER / f"{name}-v1.json").read_bytes())
    return fields


@pytest.mark.parametrize("name", NAMES)
def test_v1_fits_its_frozen_schema_and_is_read(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = _document(name)
    schema = json.loads((ROOT / "reference/schema/report-v1.schema.json").read_text())
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(document)] == []
    report = read.load_rebuild(FOLDER / f"{name}-v1.json")
    assert (report.verdict.value, list(report.reasons)) == (document["verdict"], document["reasons"])
    assert main(["report", str(FOLDER / f"{name}-v1.json")]) == ExitStatus.HOLDS
    assert capsys.readouterr().out.splitlines()[-1].startswith("  next: ")
    assert page.render(report).startswith(b"<!doctype html>")


def test_names_become_subjects_and_sentences_stay() -> None:
    report = read.load_rebuild(FOLDER / "mismatch-v1.json")
    assert report.checklist is not None
    before = _document("mismatch")["checklist"]["checks"]
    assert [name_of(check) for check in report.checklist.checks] == [check["name"] for check in before]
    assert [detail_of(check) for check in report.checklist.checks] == [check["detail"] for check in before]
    first, *_, last = report.checklist.checks
    assert first.subject == ArtifactCheck("tdx-debian.efi")
    assert last.subject == RegisterCheck("tdx", rtmr(1), Algorithm.SHA384)
    (differs, _) = report.checklist.of(Outcome.MISMATCH)
    assert differs.subject == RegisterCheck("uefi-vtpm", pcr(11), Algorithm.SHA256)
    assert isinstance(differs.reason, Said)


def test_what_v1_called_a_match_of_known_events_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    report = read.load_rebuild(FOLDER / "reproduced-v1.json")
    assert report.checklist is not None
    assert [name_of(check) for check in report.checklist.of(Outcome.OPEN)] == ["tdx RTMR1 sha384"]
    assert main(["report", str(FOLDER / "reproduced-v1.json")]) == ExitStatus.HOLDS
    assert "registers    tdx: RTMR1 open\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checklist": {"checks": [5]}}, "checklist.checks[0]"),
        ({"checklist": {"checks": [{"name": 5, "outcome": "match"}]}}, "checklist.checks[0].subject"),
        ({"checklist": {"checks": [{"name": "x", "outcome": "fine"}]}}, "checklist.checks[0].outcome"),
        ({"checklist": 5}, "checklist"),
        ({"exit_status": 1}, "exit_status: expected 0 for REPRODUCED"),
    ],
)
def test_malformed_v1_is_refused(changes: dict[str, Any], problem: str) -> None:
    data = json.dumps(_document("reproduced") | changes).encode()
    with pytest.raises(TeekitError) as caught:
        read.parse_rebuild(data, "some.json")
    assert problem in caught.value.message
