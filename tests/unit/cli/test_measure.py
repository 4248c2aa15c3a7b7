"""`measure` and `inspect` through main(argv): values, output, and refusals of what is not a UKI."""

from __future__ import annotations

import hashlib
import json
import resource
from typing import TYPE_CHECKING, Any

import pytest

from builders.uki import CMDLINE, build_uki, default_sections, kernel
from builders.work import bounded_calls, bounded_reading
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.load import load_measurements

if TYPE_CHECKING:
    from pathlib import Path

# systemd src/fundamental/uki.h: the order in which systemd-stub measures the sections of `default_sections`.
MEASURED_ORDER = (".linux", ".osrel", ".cmdline", ".initrd", ".uname")


def _pcr11(algorithm: str, sections: dict[str, bytes]) -> str:
    """systemd-measure(1): for each section, extend with H(name with NUL), then with H(content)."""
    value = bytes(hashlib.new(algorithm).digest_size)
    for name in MEASURED_ORDER:
        for data in (name.encode() + b"\0", sections[name]):
            value = hashlib.new(algorithm, value + hashlib.new(algorithm, data).digest()).digest()
    return value.hex()


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    return path


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    return fields


def test_pcr_11_is_that_of_the_manual_page(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(uki), "--json"]) == ExitStatus.HOLDS
    fields = _json(capsys)
    sections = dict(default_sections())
    assert fields["platforms"]["uefi-vtpm"]["PCR11"]["values"] == {
        "sha256": _pcr11("sha256", sections),
        "sha384": _pcr11("sha384", sections),
    }


def test_the_document_describes_the_file(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(uki), "--json"]) == ExitStatus.HOLDS
    fields = _json(capsys)
    assert fields["schema"] == "teekit-verify/measurements/v1"
    assert fields["artifact"] == {
        "name": "image.efi",
        "size_bytes": uki.stat().st_size,
        "sha256": hashlib.sha256(uki.read_bytes()).hexdigest(),
    }
    assert fields["stub_version"] == "257.13-1~deb13u1"
    assert fields["disk"] is None
    assert {name: list(registers) for name, registers in fields["platforms"].items()} == {
        "azure": ["MRTD", "PCR4", "PCR9", "PCR11", "RTMR0", "RTMR1", "RTMR2", "RTMR3"],
        "gcp": ["MRTD", "PCR2", "PCR4", "PCR5", "PCR9", "PCR11", "RTMR0", "RTMR1", "RTMR2", "RTMR3"],
        "gcp-no-vtpm": ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"],
        "qemu": ["MRTD", "RTMR0", "RTMR1", "RTMR2", "RTMR3"],
        "tdx": ["RTMR1", "RTMR2"],
        "tdx-vtpm": ["PCR9", "PCR11", "RTMR1", "RTMR2"],
        "uefi-vtpm": ["PCR4", "PCR5", "PCR9", "PCR11"],
    }
    assert fields["platforms"]["tdx"]["RTMR1"]["values"] is None
    assert "GPT of the boot disk" in fields["platforms"]["tdx"]["RTMR1"]["missing"]


@pytest.mark.parametrize(
    ("flags", "platforms"),
    [
        (["--vtpm"], {"uefi-vtpm", "tdx-vtpm", "gcp", "azure"}),
        (["--no-vtpm"], {"tdx", "gcp-no-vtpm", "qemu"}),
        (["--platform", "gcp"], {"gcp", "gcp-no-vtpm"}),
        (["--platform", "gcp", "--no-vtpm"], {"gcp-no-vtpm"}),
        (["--platform", "azure", "--platform", "qemu"], {"azure", "qemu"}),
        (["--platform", "tdx-vtpm"], {"tdx-vtpm"}),
    ],
)
def test_only_some_machines(
    uki: Path, flags: list[str], platforms: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(uki), "--json", *flags]) == ExitStatus.HOLDS
    assert set(_json(capsys)["platforms"]) == platforms


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--platform", "aws\x1b"], "no such platform: aws\\x1b"),
        (["--platform", "g"], "no such platform: g"),
        (["--platform", "azure", "--no-vtpm"], "azure has no machines without a vTPM"),
        (["--platform", "qemu", "--vtpm"], "qemu has no machines with a vTPM"),
        (["--pcrlock", "--platform", "gcp"], "a pcrlock component is for one platform, found gcp, gcp-no-vtpm"),
        (["--pcrlock", "--platform", "qemu"], "no PCR of qemu is known"),
    ],
)
def test_platforms_that_cannot_be(
    uki: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(uki), *flags]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_the_written_file_is_what_json_prints_and_can_be_loaded(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "measurements.json"
    assert main(["measure", str(uki), "--json", "--output", str(output)]) == ExitStatus.HOLDS
    assert output.read_text() == capsys.readouterr().out
    assert load_measurements(output).artifact.name == "image.efi"


def test_a_place_that_cannot_be_written_is_an_error(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", str(uki), "--output", str(tmp_path / "none" / "m.json")]) == ExitStatus.NO_VERDICT
    assert "m.json: cannot be written: No such file or directory" in capsys.readouterr().err


def test_text_output_and_event_logs(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(uki)]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert _pcr11("sha256", dict(default_sections())) in text
    assert "EV_IPL" not in text
    assert main(["measure", str(uki), "--events"]) == ExitStatus.HOLDS
    events = capsys.readouterr().out
    assert "content of section .cmdline" in events
    assert "\x1b" not in text + events


def test_inspect_shows_sections_texts_and_digests(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(uki), "--json"]) == ExitStatus.HOLDS
    fields = _json(capsys)
    assert (fields["cmdline"], fields["os_release"]) == (CMDLINE.decode(), "ID=teekit\nVERSION_ID=1\n")
    assert fields["kernel_release"] == "6.12.107-amd64"
    sections = {section["name"]: section for section in fields["sections"]}
    assert sections[".linux"] == {
        "name": ".linux",
        "size_bytes": len(kernel()),
        "sha256": hashlib.sha256(kernel()).hexdigest(),
    }
    assert main(["inspect", str(uki)]) == ExitStatus.HOLDS
    text = capsys.readouterr().out
    assert "systemd-stub         257.13-1~deb13u1" in text
    assert "os-release           VERSION_ID=1" in text


def test_a_changed_checksum_changes_the_file_but_not_its_authenticode_digest(
    uki: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """PE format, CheckSum at offset 64 of the optional header: left out of the Authenticode digest."""
    data = bytearray(uki.read_bytes())
    data[int.from_bytes(data[0x3C:0x40], "little") + 24 + 64] ^= 0xFF
    other = tmp_path / "other.efi"
    other.write_bytes(data)
    found = []
    for path in (uki, other):
        assert main(["inspect", str(path), "--json"]) == ExitStatus.HOLDS
        found.append(_json(capsys))
    assert found[0]["authenticode_sha256"] == found[1]["authenticode_sha256"]
    assert found[0]["authenticode_sha384"] == found[1]["authenticode_sha384"]
    assert found[0]["sha256"] != found[1]["sha256"]


@pytest.mark.parametrize("command", ["measure", "inspect"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 rubbish", "zip: end of the directory at offset 0x0: is missing"),
        (b"KDMV rubbish", "is a VMDK disk, which is not supported"),
        (b"rubbish", "is neither a UKI (it does not begin with 'MZ') nor a disk"),
        (b'{"name": "teekit"}', "is neither a UKI"),
        (b"QFI\xfb rubbish", "qcow2: header at offset 0x0: is truncated"),
        (b"vhdxfile", "VHDX: header at offset 0x10000: neither copy has a valid checksum"),
        (b"conectix", "dynamic VHD: footer"),
        (b"MZ", "e_lfanew"),
        (b"MZ" + b"\xff" * 5000, "e_lfanew"),
        (build_uki()[:300], "at offset"),
        (build_uki()[:-700], "at offset"),
        (build_uki(sections=[(".cmdline", b"quiet")]), "no .linux section: this is a UKI addon"),
    ],
)
def test_what_is_not_a_uki_is_refused(
    tmp_path: Path, command: str, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main([command, str(path)]) == ExitStatus.NO_VERDICT
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "internal error" not in captured.err


@pytest.mark.parametrize("command", ["measure", "inspect"])
def test_directories_and_missing_files_are_errors(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path)]) == ExitStatus.NO_VERDICT
    assert "is a folder" in capsys.readouterr().err
    assert main([command, str(tmp_path / "none")]) == ExitStatus.NO_VERDICT
    assert "cannot be read: No such file or directory" in capsys.readouterr().err
    assert main([command]) == ExitStatus.NO_VERDICT
    assert "Missing argument 'FILE'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["measure", "inspect"])
@pytest.mark.parametrize("beginning", [b"", b"MZ", b"MZ" + b"\x01" * 200])
def test_a_huge_sparse_file_is_refused_at_once(
    tmp_path: Path, command: str, beginning: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "huge.efi"
    with path.open("wb") as stream:
        stream.write(beginning)
        stream.truncate(2 << 30)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with bounded_reading(64 << 20), bounded_calls(1_000_000):
        assert main([command, str(path)]) == ExitStatus.NO_VERDICT
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 128 << 10
    assert "internal error" not in capsys.readouterr().err


def test_an_error_is_json_too_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", str(tmp_path / "none"), "--json"]) == ExitStatus.NO_VERDICT
    assert "cannot be read" in _json(capsys)["error"]["message"]


def test_profiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload = [*default_sections(), (".profile", b"ID=main\n"), (".profile", b"ID=debug\n"), (".cmdline", b"debug")]
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki("257", payload))
    values = []
    for options, line in (
        ([], "Profile 0 (main) of 2: the others measure other values (--profile)."),
        (["--profile", "debug"], "Profile 1 (debug) of 2: the others measure other values (--profile)."),
        (["--profile", "1"], "Profile 1 (debug) of 2: the others measure other values (--profile)."),
    ):
        assert main(["measure", str(path), "--platform", "uefi-vtpm", *options]) == ExitStatus.HOLDS
        text = capsys.readouterr().out
        assert line in text.splitlines()
        values.append(next(line for line in text.splitlines() if "PCR11" in line))
    assert values[0] != values[1] == values[2]
    assert main(["measure", str(path), "--profile", "other"]) == ExitStatus.NO_VERDICT
    assert "the UKI has no profile other: there are 0 (main), 1 (debug)" in capsys.readouterr().err


def test_rtmr0_is_open_where_the_stub_measures_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki("262.1-1"))
    assert main(["measure", str(path), "--machine", "c3-standard-4", "--json"]) == ExitStatus.HOLDS
    (registers,) = json.loads(capsys.readouterr().out)["platforms"].values()
    assert registers["RTMR0"]["values"] is None
    assert registers["RTMR0"]["missing"].startswith("systemd-stub 262.1-1 measures the machine's SMBIOS structures")
    assert "alternatives" not in registers["RTMR0"]


def test_an_old_kernel_has_alternatives_in_rtmr2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki("257", [(".linux", kernel("6.8.0-1010-gcp")), (".cmdline", b"quiet")]))
    assert main(["measure", str(path), "--platform", "tdx", "--json"]) == ExitStatus.HOLDS
    found = json.loads(capsys.readouterr().out)["platforms"]["tdx"]["RTMR2"]
    assert found["values"] is None
    assert len({row["register"]["values"]["sha384"] for row in found["alternatives"]}) == 2
