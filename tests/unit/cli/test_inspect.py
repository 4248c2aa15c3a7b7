"""`inspect` of firmware, evidence and documents, through main(argv): what a file is is found out by content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from builders import documents as sample
from builders import tdvf
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create

ASSETS = Path(__file__).parents[2] / "assets"


def _run(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main(["inspect", *map(str, argv)]) == ExitStatus.HOLDS
    return capsys.readouterr().out


def _json(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(_run(capsys, *argv, "--json"))
    return fields


def test_firmware(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "OVMF.fd"
    path.write_bytes(tdvf.build_tdvf())
    fields = _json(capsys, path)
    assert (fields["schema"], fields["size_bytes"]) == ("teekit-verify/inspection/v1", 0x8000)
    assert fields["sha384"] == hashlib.sha384(path.read_bytes()).hexdigest()
    assert [(row["section"]["type"], row["section"]["memory_address"]) for row in fields["sections"]] == [
        (row.kind, row.address) for row in tdvf.ROWS
    ]
    lines = [line.split() for line in _run(capsys, path).splitlines()]
    code = hashlib.sha384(path.read_bytes()[0x4000:]).hexdigest()
    assert ["BFV", "0xffffc000", "0x4000", "0x4000", "address", "and", "content", code] in lines
    assert ["TD_HOB", "0x809000", "0x2000", "0x0", "address", "-"] in lines


def test_firmware_pages_that_are_added_later_are_not_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "OVMF.fd"
    path.write_bytes(tdvf.build_tdvf([*tdvf.ROWS, tdvf.Row(0, 0, 0, 0x1000, tdvf.PERM_MEM, tdvf.AUG)]))
    assert ["PERM_MEM", "0x0", "0x1000", "0x0", "no", "-"] in [line.split() for line in _run(capsys, path).splitlines()]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quotes/phala-v4.bin", "TDX quote, version 4, ECDSA-P256; signature: not verified"),
        ("quotes/gcp-v4.json", "TDX quote, version 4"),
        ("eventlogs/gcp-cos113-ccel-data.bin", "CCEL log, 43 events"),
        ("eventlogs/gcp-cos113-ccel-table.bin", "CCEL table: log area of 262144 bytes"),
        ("eventlogs/ovmf-swtpm-uki.bin", "TPM log"),
        ("eventlogs/dstack-quote-report.json", "CCEL log, 28 events"),
    ],
)
def test_evidence(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = _run(capsys, ASSETS / name)
    assert text in out
    assert "OK" not in out
    assert "acceptable" not in out
    assert _json(capsys, ASSETS / name)["schema"] == "teekit-verify/evidence/v1"


def test_events_of_a_log_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    path = ASSETS / "eventlogs/gcp-cos113-ccel-data.bin"
    assert "EV_EFI_HANDOFF_TABLES2" not in _run(capsys, path)
    assert "EV_EFI_HANDOFF_TABLES2" in _run(capsys, path, "--events")
    assert len(_json(capsys, path, "--events")["event_log"]["events"]) == 43


def test_documents_of_this_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(create.dump_measurements(sample.measurements()))
    assert "schema teekit-verify/measurements/v1: predicted measurements" in _run(capsys, path)
    path.write_bytes(create.dump_reference(sample.reference()))
    fields = _json(capsys, path)
    assert (fields["document_schema"], fields["size_bytes"]) == ("teekit-verify/reference/v1", path.stat().st_size)
    path.write_text('{"schema": "teekit-verify/new-thing/v1"}')
    assert "schema teekit-verify/new-thing/v1: another document of this tool" in _run(capsys, path)


def test_damaged_files_of_a_known_kind_are_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    for content, message in (
        (b'{"schema": "teekit-verify/reference/v1", ', "is not JSON"),
        (b'{"schema": "teekit-verify/a", "schema": 5}', "occurs twice"),
        (tdvf.build_tdvf(signature=b"TDVX"), "TDX metadata signature at offset"),
        ((ASSETS / "quotes/phala-v4.bin").read_bytes()[:300], "quote"),
    ):
        path.write_bytes(content)
        assert main(["inspect", str(path)]) == ExitStatus.NO_VERDICT
        captured = capsys.readouterr()
        assert captured.out == ""
        assert message in captured.err
        assert "internal error" not in captured.err


def test_reference_values_in_other_formats(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[2] / "assets" / "formats"
    text = _run(capsys, folder / "flashbots-measurements.json")
    assert "reference values: Flashbots measurements JSON (a list with attestation types)" in text
    assert "dcap-tdx-example" in text
    text = _run(capsys, folder / "gce-endorsement.binarypb")
    assert "reference values: launch endorsement of Google Compute Engine" in text
    assert "signed, not checked: `reference show --google-root` does" in text
    fields = json.loads(_run(capsys, folder / "dstack-mr.json", "--json"))
    assert (fields["schema"], fields["format"]) == ("teekit-verify/inspection/v1", "dstack-mr JSON")
    assert (fields["signed"], fields["images"]) == (False, ["image of a dstack-mr file"])
