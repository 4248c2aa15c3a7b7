"""`measure`, `inspect` and `compare` on whole disks, through main(argv)."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import documents as sample
from builders import fat as made
from builders import vhd
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import create, model
from teekit_verify.prediction.image import measure_file, measure_rebuilt
from teekit_verify.prediction.platforms import PLATFORMS
from teekit_verify.registers.registers import rtmr

UKI = build_uki()
BOOT = "EFI/BOOT/BOOTX64.EFI"
ASSETS = Path(__file__).parents[2] / "assets" / "pcrlock"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disk")
    (folder / "image.efi").write_bytes(UKI)
    return made.make_disk(folder / "disk.raw", {BOOT: UKI})


@pytest.fixture(scope="module")
def azure(raw: Path) -> Path:
    return vhd.convert(raw, "subformat=fixed,force_size=on")


@pytest.fixture(scope="module")
def gcp(raw: Path) -> Path:
    path = raw.with_name("image.tar.gz")
    subprocess.run(
        [require("tar"), "--format=oldgnu", "-C", str(raw.parent), "-Sczf", str(path), "disk.raw"], check=True
    )
    return path


def _run(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    assert main([*map(str, argv), "--json"]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


def _gpt_event(disk: bytes) -> bytes:
    """UEFI_GPT_DATA (PFP 10.4.1): the header, the number of used entries, the used entries; cut out by hand."""
    entries = [disk[1024 + 128 * index : 1152 + 128 * index] for index in range(128)]
    used = [entry for entry in entries if any(entry[:16])]
    return disk[512:604] + struct.pack("<Q", len(used)) + b"".join(used)


def _extended(algorithm: str, *digests: bytes) -> str:
    value = bytes(hashlib.new(algorithm).digest_size)
    for digest in digests:
        value = hashlib.new(algorithm, value + digest).digest()
    return value.hex()


def test_the_disk_completes_pcr_5_and_rtmr1(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fields = _run(capsys, "measure", raw)
    exits = [b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success"]
    for algorithm in ("sha256", "sha384"):
        messages = [bytes(4), _gpt_event(raw.read_bytes()), *exits]
        expected = _extended(algorithm, *(hashlib.new(algorithm, message).digest() for message in messages))
        assert fields["platforms"]["uefi-vtpm"]["PCR5"]["values"][algorithm] == expected
    rtmr1 = fields["platforms"]["tdx"]["RTMR1"]
    assert rtmr1["missing"] == ""
    assert rtmr1["values"]["sha384"] == _extended(
        "sha384", *(bytes.fromhex(event["digests"]["sha384"]) for event in rtmr1["events"])
    )
    gpt = hashlib.sha384(_gpt_event(raw.read_bytes())).hexdigest()
    assert [event["digests"]["sha384"] for event in rtmr1["events"]].index(gpt) == 2


def test_everything_else_is_as_for_the_uki_alone(
    raw: Path, azure: Path, gcp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = [flag for platform in PLATFORMS for flag in ("--platform", platform.name)]
    alone = _run(capsys, "measure", raw.with_name("image.efi"), *every)
    found = [_run(capsys, "measure", path, *every) for path in (raw, azure, gcp)]
    for disk in found:
        assert disk["platforms"] == found[0]["platforms"]
        assert (disk["artifact"]["size_bytes"], disk["artifact"]["sha256"]) == (
            len(UKI),
            hashlib.sha256(UKI).hexdigest(),
        )
        for name, registers in alone["platforms"].items():
            for register, value in registers.items():
                if "GPT" not in value["missing"]:
                    assert disk["platforms"][name][register] == value
    assert [disk["disk"] for disk in found] == [
        {"name": "disk.raw", "format": "raw", "size_bytes": raw.stat().st_size, "sha256": None},
        {"name": "disk.vhd", "format": "vhd", "size_bytes": azure.stat().st_size, "sha256": None},
        {"name": "image.tar.gz", "format": "tar.gz", "size_bytes": gcp.stat().st_size, "sha256": None},
    ]


def test_a_file_for_one_cloud_is_measured_for_that_cloud(
    raw: Path, azure: Path, gcp: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(_run(capsys, "measure", azure)["platforms"]) == {"azure"}
    assert set(_run(capsys, "measure", gcp)["platforms"]) == {"gcp", "gcp-no-vtpm"}
    assert set(_run(capsys, "measure", gcp, "--no-vtpm")["platforms"]) == {"gcp-no-vtpm"}
    assert set(_run(capsys, "measure", raw)["platforms"]) == {platform.name for platform in PLATFORMS}


def test_text_says_what_is_not_known_and_why(azure: Path, gcp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(azure)]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert f"on the disk disk.vhd (vhd, {azure.stat().st_size} bytes)" in text
    assert re.search(r"RTMR1 +- +not known: belongs to the paravisor \(OpenHCL\)", text)
    assert "MRTD and RTMRs belong to Azure's paravisor" in text
    assert main(["measure", str(gcp)]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert re.search(r"PCR2 +- +not known: GPT, UKI and kernel measured here instead of into PCR 4 and 5", text)
    assert re.search(r"MRTD +- +not known: decided by Google's firmware", text)


def test_inspect_shows_partitions_files_and_the_uki(raw: Path, azure: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = json.loads(made.run("sfdisk", "--json", str(raw)))["partitiontable"]
    (partition,) = table["partitions"]
    facts = _run(capsys, "inspect", azure)
    assert facts["schema"] == "teekit-verify/inspection/v1"
    assert (facts["kind"], facts["size_bytes"]) == ("fixed VHD", raw.stat().st_size)
    assert facts["disk_guid"] == table["id"].lower()
    assert (facts["first_usable_lba"], facts["last_usable_lba"]) == (table["firstlba"], table["lastlba"])
    (esp,) = facts["partitions"]
    assert (esp["type_guid"], esp["unique_guid"]) == (partition["type"].lower(), partition["uuid"].lower())
    assert (esp["name"], esp["first_lba"]) == (partition["name"], partition["start"])
    assert esp["last_lba"] - esp["first_lba"] + 1 == partition["size"]
    assert facts["files"] == [
        {"path": "EFI", "size_bytes": None},
        {"path": "EFI/BOOT", "size_bytes": None},
        {"path": BOOT, "size_bytes": len(UKI)},
    ]
    assert facts["uki"]["sha256"] == hashlib.sha256(UKI).hexdigest()
    assert main(["inspect", str(azure)]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert "VHD geometry         65535/16/255 (the specification computes" in text
    assert re.search(r"esp +EFI system partition +00000000-0000-0000-0001-000000000007", text)
    assert "systemd-stub         257.13-1~deb13u1" in text


def test_inspect_shows_a_disk_that_boots_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made.make_disk(tmp_path / "disk.raw", {"README.TXT": b"x", **{f"{index}": b"" for index in range(3)}})
    facts = _run(capsys, "inspect", path)
    assert facts["uki"] is None
    assert facts["uki_problem"] == "disk.raw, EFI/BOOT/BOOTX64.EFI: no such file in the EFI system partition"
    assert main(["inspect", str(path)]) == ExitStatus.HOLDS
    assert "no UKI: disk.raw, EFI/BOOT" in capsys.readouterr().out


def _reference(folder: Path, measured: model.Measurements, *artifacts: model.Artifact) -> str:
    reference = create.create_reference(
        release="disk-1", commit=None, build=model.Build(sample.inputs(), artifacts), measurements=[measured]
    )
    path = folder / "ref.json"
    path.write_bytes(create.dump_reference(reference))
    return str(path)


def _artifact(path: Path, name: str = "") -> model.Artifact:
    data = path.read_bytes()
    return model.Artifact(name or path.name, len(data), Digest.of(Algorithm.SHA256, data))


def test_a_disk_holds_against_its_own_reference(
    raw: Path, azure: Path, gcp: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MRTD and others that nobody predicts are written out as ignored, with the reason."""
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), _artifact(raw.with_name("image.efi")))
    for path in (raw, azure, gcp):
        assert main(["compare", ref, str(path)]) == ExitStatus.HOLDS, path
        text = capsys.readouterr().out
        assert "artifact image.efi" in text
        assert "gcp MRTD: ignored, as the reference says: decided by Google's firmware" in text
        assert f"rest of the disk {path.name}: not compared: the reference lists no disk" in text
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), _artifact(raw.with_name("image.efi")), _artifact(gcp))
    for path, status in ((raw, ExitStatus.DOES_NOT_HOLD), (azure, ExitStatus.DOES_NOT_HOLD), (gcp, ExitStatus.HOLDS)):
        assert main(["compare", ref, str(path)]) == status, path
        text = capsys.readouterr().out
        assert "artifact image.efi" in text
        assert "artifact image.tar.gz" in text
        assert "rest of the disk" not in text


@pytest.mark.parametrize("name", ["renamed.raw", "good.raw", "image.efi", "BOOTX64.EFI"])
def test_a_tampered_disk_is_no_match_under_any_name(
    name: str, raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its boot file is as published; what was changed lies where no register sees it, in the backup GPT."""
    good = replace(_artifact(raw), name="good.raw")
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), _artifact(raw.with_name("image.efi")), good)
    folder = tmp_path / "tampered"
    folder.mkdir()
    path = folder / name
    path.write_bytes(raw.read_bytes())
    assert main(["compare", ref, str(path)]) == ExitStatus.HOLDS
    assert "artifact good.raw" in capsys.readouterr().out
    path.write_bytes(raw.read_bytes()[:-1] + b"x")
    assert main(["compare", ref, str(path)]) == ExitStatus.DOES_NOT_HOLD
    assert "mismatch: same size, other bytes" in capsys.readouterr().out
    path.write_bytes(raw.read_bytes() + bytes(512))
    assert main(["compare", ref, str(path)]) == ExitStatus.DOES_NOT_HOLD


def test_a_published_file_that_may_be_the_disk_leaves_the_question_open(
    raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`image` has no ending that says what it is; a manifest is no disk."""
    uki, other = _artifact(raw.with_name("image.efi")), model.Artifact("image", 7, sample.sha256("image"))
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), uki, replace(other, name="image.manifest"))
    assert main(["compare", ref, str(raw)]) == ExitStatus.HOLDS
    capsys.readouterr()
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), uki, other)
    assert main(["compare", ref, str(raw)]) == ExitStatus.NO_VERDICT
    assert "artifact image: not checked: may be this disk" in capsys.readouterr().out


def test_another_partition_table_is_named(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), _artifact(raw.with_name("image.efi")))
    data = bytearray(raw.read_bytes())
    sector = data[512:1024]
    sector[56] ^= 1  # the disk GUID
    sector[16:20] = bytes(4)
    sector[16:20] = struct.pack("<I", zlib.crc32(sector[:92]))
    data[512:1024] = sector
    other = tmp_path / "other.raw"
    other.write_bytes(data)
    assert main(["compare", ref, str(other)]) == ExitStatus.DOES_NOT_HOLD
    text = capsys.readouterr().out
    assert "differs: GPT of the disk" in text
    assert "artifact image.efi: mismatch" not in text


def test_the_published_disk_is_compared_whole(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = measure_file(raw, PLATFORMS)
    listed = _artifact(raw)
    ref = _reference(tmp_path, measured, listed)
    assert main(["compare", ref, str(raw)]) == ExitStatus.HOLDS
    assert "artifact disk.raw" in capsys.readouterr().out
    stray = tmp_path / "disk.raw"
    stray.write_bytes(raw.read_bytes()[:-1] + b"x")  # in the backup GPT, which no register covers
    assert main(["compare", ref, str(stray)]) == ExitStatus.DOES_NOT_HOLD
    assert "artifact disk.raw: mismatch: same size, other bytes" in capsys.readouterr().out
    stored = tmp_path / "measurements.json"
    stored.write_bytes(create.dump_measurements(measured))
    assert main(["compare", ref, "--claims", str(stored)]) == ExitStatus.NO_VERDICT
    assert "do not have the digest of the whole disk: compare the disk itself" in capsys.readouterr().out
    smaller = _reference(tmp_path, measured, replace(listed, size_bytes=7))
    assert main(["compare", smaller, "--claims", str(stored)]) == ExitStatus.DOES_NOT_HOLD
    assert f"has {raw.stat().st_size} bytes, published: 7" in capsys.readouterr().out


def test_an_unlisted_disk_is_a_mismatch(raw: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = model.Artifact("another.raw", 7, sample.sha256("another"))
    ref = _reference(tmp_path, measure_file(raw, PLATFORMS), other)
    assert main(["compare", ref, str(raw)]) == ExitStatus.DOES_NOT_HOLD
    assert f"artifact another.raw: mismatch: has {raw.stat().st_size} bytes, published: 7" in capsys.readouterr().out


def test_pcrlock_lists_what_the_image_decides(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = _run(capsys, "measure", raw, "--platform", "uefi-vtpm")["platforms"]["uefi-vtpm"]
    assert main(["measure", str(raw), "--pcrlock"]) == ExitStatus.HOLDS
    component = json.loads(capsys.readouterr().out)
    assert list(component) == ["records"]
    assert [record["pcr"] for record in component["records"]] == [4, 4, 5, 9, 9] + [11] * 10
    assert component["records"][2] == {
        "pcr": 5,
        "digests": [
            {"hashAlg": name, "digest": hashlib.new(name, _gpt_event(raw.read_bytes())).hexdigest()}
            for name in ("sha256", "sha384")
        ],
    }
    events = [event["digests"]["sha256"] for event in measured["PCR11"]["events"]]
    assert [record["digests"][0]["digest"] for record in component["records"] if record["pcr"] == 11] == events


def test_pcrlock_agrees_with_what_systemd_wrote_for_the_same_uki(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`lock-uki` writes the UKI's own event of PCR 4, and all of PCR 11, in the same format."""
    assert main(["measure", str(raw.with_name("image.efi")), "--pcrlock"]) == ExitStatus.HOLDS
    ours = json.loads(capsys.readouterr().out)
    theirs = json.loads((ASSETS / "lock-uki-small.pcrlock").read_text())
    assert _of_pcr(ours, 11) == _of_pcr(theirs, 11)
    assert _of_pcr(ours, 4)[:1] == _of_pcr(theirs, 4)


def _of_pcr(component: dict[str, Any], pcr: int) -> list[dict[str, str]]:
    return [
        {
            digest["hashAlg"]: digest["digest"]
            for digest in record["digests"]
            if digest["hashAlg"] in {"sha256", "sha384"}
        }
        for record in component["records"]
        if record["pcr"] == pcr
    ]


def test_a_rebuild_with_a_disk_measures_the_disk(gcp: Path) -> None:
    """Else RTMR1 would stay open for want of the partition table, and nobody's disk could match."""
    uki = gcp.with_name("image.efi")
    without, measured = measure_rebuilt(uki, None), measure_rebuilt(uki, gcp)
    assert "GPT" in without.platforms["tdx"][rtmr(1)].missing
    assert measured.platforms["tdx"][rtmr(1)] == measure_file(gcp).platforms["tdx"][rtmr(1)]
    assert measured.platforms["tdx"][rtmr(1)].values
    assert measured.artifact.sha256 == without.artifact.sha256
