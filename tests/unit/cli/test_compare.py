"""`compare` through main(argv): exit status, messages and output for good, different and hostile files."""

from __future__ import annotations

import json
import resource
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from builders import reports
from builders.uki import build_uki, default_sections
from builders.work import bounded_calls, bounded_reading
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create, model
from teekit_verify.prediction.image import measure_file
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ref(tmp_path: Path) -> str:
    path = tmp_path / "base.json"
    path.write_bytes(create.dump_reference(sample.reference()))
    return str(path)


def _claims(folder: Path, measured: model.Measurements) -> tuple[str, str]:
    """The option, and a file of measurements."""
    path = folder / "measurements.json"
    path.write_bytes(create.dump_measurements(measured))
    return "--claims", str(path)


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


def _known() -> dict[str, Any]:
    """Of the sample what has no open register."""
    return {"platforms": {"uefi-vtpm": sample.measurements().platforms["uefi-vtpm"]}}


def test_equal_measurements_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    platforms = {"uefi-vtpm": sample.reference().platforms["uefi-vtpm"]}
    ref = tmp_path / "base.json"
    ref.write_bytes(create.dump_reference(replace(sample.reference(), platforms=platforms)))
    assert main(["compare", str(ref), *_claims(tmp_path, sample.measurements(**_known()))]) == ExitStatus.HOLDS
    captured = capsys.readouterr()
    assert (
        captured.out.splitlines()[-1]
        == "MATCH of claims: these measurements are as published; no artifact was examined"
    )
    assert captured.err == ""
    assert "\x1b" not in captured.out


def test_a_register_that_is_open_is_no_match_of_claims(
    tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows the value of RTMR1 without the disk; its known events agree."""
    assert main(["compare", ref, *_claims(tmp_path, sample.measurements())]) == ExitStatus.NO_VERDICT
    lines = capsys.readouterr().out.splitlines()
    (row,) = [line for line in lines if line.startswith("tdx RTMR1 sha384 ")]
    assert row.rstrip().endswith(" open")
    assert any(
        line.startswith("NO VERDICT: ") and line.endswith("; 1 register is open: its value is not known")
        for line in lines
    )
    assert main(["compare", ref, *_claims(tmp_path, sample.measurements()), "--json"]) == ExitStatus.NO_VERDICT
    checks = {check["name"]: check["outcome"] for check in _json(capsys)["checklist"]["checks"]}
    assert checks["tdx RTMR1 sha384"] == "open"


def test_another_command_line_does_not_hold(tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ref, *_claims(tmp_path, reports.EVIL), "--events"]) == ExitStatus.DOES_NOT_HOLD
    text = capsys.readouterr().out
    assert "MISMATCH: this is not what was published" in text
    assert "first difference at event 2: section .cmdline (EV_IPL)" in text
    assert "uefi-vtpm PCR11 (rebuild)" in text


def test_another_artifact_does_not_hold(tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = sample.measurements(artifact=replace(sample.UKI, sha256=sample.sha256("resigned")))
    assert main(["compare", ref, *_claims(tmp_path, other)]) == ExitStatus.DOES_NOT_HOLD
    assert "claimed artifact tdx-debian.efi: mismatch: same size, other bytes" in capsys.readouterr().out


def test_json_carries_the_same_answer(tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", ref, *_claims(tmp_path, reports.EVIL), "--json"]) == ExitStatus.DOES_NOT_HOLD
    fields = _json(capsys)
    assert fields["exit_status"] == 1
    assert fields["reference"]["release"] == "base-1"
    assert fields["checklist"]["differences"][0]["cause"] == "UKI section .cmdline"


def test_unmeasured_registers_give_no_verdict(tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    without = {"uefi-vtpm": {pcr(4): sample.PCR4}, "tdx": sample.measurements().platforms["tdx"]}
    measured = sample.measurements(platforms=without)
    assert main(["compare", ref, *_claims(tmp_path, measured)]) == ExitStatus.NO_VERDICT
    assert "uefi-vtpm PCR11 sha256: not checked: published, but not among the measurements" in capsys.readouterr().out


def test_a_reference_without_registers_never_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its artifacts alone would match; but then no register was compared with anything."""
    reference = replace(sample.reference(), platforms={})
    path = tmp_path / "empty.json"
    path.write_bytes(create.dump_reference(reference))
    assert main(["compare", str(path), *_claims(tmp_path, sample.measurements())]) == ExitStatus.NO_VERDICT
    assert "registers: not checked: the reference asks for none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x7fELF rubbish", "is neither a UKI (it does not begin with 'MZ') nor a disk image"),
        (b"MZ", "e_lfanew"),
        (b"{}", "holds JSON, not an artifact"),
        (b'  {"schema": "teekit-verify/reference/v1"}', "release: missing field"),
        (b"{" * 100_000, "holds JSON, not an artifact"),
        (b"[]", "holds JSON, not an artifact"),
    ],
)
def test_unreadable_files_give_no_verdict(
    tmp_path: Path, ref: str, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["compare", ref, str(path)]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "internal error" not in captured.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "is not a document of this tool: it has no field 'schema'"),
        (b'  {"schema": "teekit-verify/reference/v1"}', "expected 'teekit-verify/measurements/v1'"),
        (b"{" * 100_000, "is not JSON"),
    ],
)
def test_unreadable_claims_give_no_verdict(
    tmp_path: Path, ref: str, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["compare", ref, "--claims", str(path)]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err


@pytest.mark.parametrize("beginning", [b"", b" \n\t", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("named", ["tdx-debian.efi", "measurements.json", "disk.raw"])
def test_claims_are_no_artifact_whatever_they_are_called(
    named: str, beginning: bytes, tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Written from the public reference, they say what it says, and would match whatever the artifact is."""
    path = tmp_path / named
    path.write_bytes(beginning + create.dump_measurements(sample.measurements()))
    assert main(["compare", ref, str(path)]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{named}: holds measurements of an artifact as JSON, not the artifact" in captured.err
    assert "compare the claim as one with --claims FILE" in captured.err


def test_claims_are_shown_as_claims(tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["compare", ref, *_claims(tmp_path, sample.measurements())])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("claims about tdx-debian.efi against ")
    assert not any(line.startswith("artifact ") and line.rstrip().endswith("match") for line in lines)
    (said,) = [line for line in lines if line.startswith("claimed artifact tdx-debian.efi: ")]
    assert said.endswith("not compared: the measurements name its digest, and no byte of it was looked at")
    assert "artifact tdx-debian.manifest: not compared: another file" in lines


def test_measurements_can_be_the_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    option, measured = _claims(tmp_path, sample.measurements(**_known()))
    assert main(["compare", measured, option, measured]) == ExitStatus.HOLDS
    assert "uefi-vtpm PCR11 sha384" in capsys.readouterr().out


def test_a_reference_of_an_unknown_kind_gives_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = _claims(tmp_path, sample.measurements())
    other = tmp_path / "other.json"
    other.write_text('{"schema": "teekit-verify/inputs/v1"}')
    assert main(["compare", str(other), *measured]) == ExitStatus.NO_VERDICT
    assert "other.json: schema: expected 'teekit-verify/reference/v1' or" in capsys.readouterr().err
    other.write_text("{}")
    assert main(["compare", str(other), *measured]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr().err
    assert "other.json: is not a reference file of a known format" in captured
    assert (
        "hint: Give one that `reference create` or `measure` wrote, or another verifier's of docs/formats.md."
        in captured
    )


def test_directories_and_missing_files_give_no_verdict(
    tmp_path: Path, ref: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", ref, str(tmp_path)]) == ExitStatus.NO_VERDICT
    assert "is a folder" in capsys.readouterr().err
    assert main(["compare", ref, str(tmp_path / "none")]) == ExitStatus.NO_VERDICT
    assert "cannot be read: No such file or directory" in capsys.readouterr().err
    assert main(["compare", str(tmp_path / "none"), ref]) == ExitStatus.NO_VERDICT
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize("beginning", [b"", b"MZ", b"{"])
def test_a_huge_sparse_file_is_refused_at_once(
    tmp_path: Path, ref: str, beginning: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as stream:
        stream.write(beginning)
        stream.truncate(2 << 30)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with bounded_reading(64 << 20), bounded_calls(1_000_000):
        assert main(["compare", ref, str(path)]) == ExitStatus.NO_VERDICT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 128 << 10
    assert "internal error" not in capsys.readouterr().err


@pytest.fixture
def uki_ref(tmp_path: Path) -> tuple[str, Path]:
    """A reference made from a UKI, and that UKI."""
    path = tmp_path / "tdx-debian.efi"
    path.write_bytes(build_uki())
    measured = measure_file(path)
    reference = create.create_reference(
        release="base-1",
        commit=None,
        build=model.Build(sample.inputs(), (measured.artifact,)),
        measurements=[measured],
    )
    (tmp_path / "uki.json").write_bytes(create.dump_reference(reference))
    return str(tmp_path / "uki.json"), path


def test_the_published_uki_holds_even_when_renamed(uki_ref: tuple[str, Path], tmp_path: Path) -> None:
    reference, path = uki_ref
    assert main(["compare", reference, str(path)]) == ExitStatus.HOLDS
    path.rename(tmp_path / "BOOTX64.EFI")
    assert main(["compare", reference, str(tmp_path / "BOOTX64.EFI")]) == ExitStatus.HOLDS


@pytest.mark.parametrize("changed", [".osrel", ".cmdline", ".uname", ".linux", ".initrd"])
def test_a_changed_byte_names_its_section(
    uki_ref: tuple[str, Path], changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, path = uki_ref
    sections = [
        (name, content[:-1] + bytes([content[-1] ^ 1]) if name == changed else content)
        for name, content in default_sections()
    ]
    path.write_bytes(build_uki(sections=sections))
    assert main(["compare", reference, str(path), "--json"]) == ExitStatus.DOES_NOT_HOLD
    fields = _json(capsys)
    causes = {item["cause"] for item in fields["checklist"]["differences"] if item["register"] == "PCR11"}
    assert causes == {f"UKI section {changed}"}
    assert main(["compare", reference, str(path)]) == ExitStatus.DOES_NOT_HOLD
    assert f"  differs: UKI section {changed} (seen in " in capsys.readouterr().out


def test_a_register_that_is_open_does_not_hide_behind_a_match(
    uki_ref: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every byte of the UKI is as published; PCR 5 and RTMR1 also depend on a disk."""
    reference, path = uki_ref
    assert main(["compare", reference, str(path)]) == ExitStatus.HOLDS
    lines = capsys.readouterr().out.splitlines()
    assert not any("PCR5" in line and line.rstrip().endswith(" match") for line in lines)
    assert any(line.startswith("uefi-vtpm PCR5 sha256 ") and line.rstrip().endswith(" open") for line in lines)
    assert lines[-1].startswith("MATCH: every byte is as published, and so are the registers whose values are known; ")
    assert lines[-1].endswith(" registers are open: their values are not known")


def test_a_changed_byte_of_the_stub_is_seen_in_the_image_as_a_whole(
    uki_ref: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    reference, path = uki_ref
    data = path.read_bytes()
    path.write_bytes(data.replace(b"stub code", b"evil code"))
    assert main(["compare", reference, str(path)]) == ExitStatus.DOES_NOT_HOLD
    text = capsys.readouterr().out
    assert "  differs: UKI (seen in " in text
    assert "differs: UKI section" not in text


def test_every_flipped_byte_of_a_uki_is_noticed(uki_ref: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Sampled: whatever byte changes, the answer is not "holds"."""
    reference, path = uki_ref
    data = path.read_bytes()
    for position in range(0, len(data), len(data) // 30):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x40]) + data[position + 1 :])
        assert main(["compare", reference, str(path)]) != ExitStatus.HOLDS, f"byte {position:#x}"
    assert "internal error" not in capsys.readouterr().err


def test_a_platform_we_cannot_predict_is_not_a_pass(
    uki_ref: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reference, path = uki_ref
    fields = json.loads((tmp_path / "uki.json").read_text())
    fields["platforms"]["marsrover"] = fields["platforms"]["tdx"]
    (tmp_path / "uki.json").write_text(json.dumps(fields))
    assert main(["compare", reference, str(path)]) == ExitStatus.NO_VERDICT
    assert "marsrover RTMR2 sha384: not checked: published, but not among the measurements" in capsys.readouterr().out
