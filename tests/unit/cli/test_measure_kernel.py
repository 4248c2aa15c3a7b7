"""`measure --direct-kernel`, through main(argv). Digests are computed here from the bytes that the Linux boot protocol, the PE format
and the TCG's profile name; what QEMU writes into a header is tested against QEMU in prediction/test_direct_kernel.py."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from builders import firmware, tdvf
from builders.bzimage import build_bzimage
from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.prediction import kernel as measure_kernel

if TYPE_CHECKING:
    from pathlib import Path

INITRD = b"an initrd"
EDK2 = ["--edk2", "2025.02-8"]


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(build_bzimage(version=b"6.12.1-test"))
    (tmp_path / "initrd").write_bytes(INITRD)
    (tmp_path / "OVMF.fd").write_bytes(tdvf.build_tdvf())
    return path


def _platforms(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    assert main(["measure", *map(str, argv), "--json"]) == ExitStatus.HOLDS
    fields: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert fields["stub_version"] == "none: direct kernel boot"
    platforms: dict[str, Any] = fields["platforms"]
    return platforms


def _extended(*digests: bytes) -> str:
    value = bytes(48)
    for digest in digests:
        value = hashlib.sha384(value + digest).digest()
    return value.hex()


def test_command_line_and_initrd_are_in_rtmr2(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Linux measures the load options as the firmware made them (UTF-16LE with NUL), then the initrd."""
    argv = ["--direct-kernel", kernel, "--initrd", kernel.with_name("initrd"), "--cmdline", "quiet", *EDK2]
    found = _platforms(capsys, *argv)
    options = "quiet initrd=initrd\0".encode("utf-16-le")
    expected = _extended(hashlib.sha384(options).digest(), hashlib.sha384(INITRD).digest())
    assert found["qemu"]["RTMR2"]["values"]["sha384"] == expected
    assert found["uefi-vtpm"]["PCR9"]["values"]["sha384"] == expected
    assert found["qemu"]["RTMR3"]["values"]["sha384"] == "00" * 48
    assert "give --firmware" in found["qemu"]["MRTD"]["missing"]
    newer = _platforms(capsys, *argv[:-1], "2025.08-1")["qemu"]["RTMR2"]["values"]["sha384"]
    options = "initrd=initrd quiet\0".encode("utf-16-le")
    assert newer == _extended(hashlib.sha384(options).digest(), hashlib.sha384(INITRD).digest())


def test_the_kernel_is_measured_in_one_of_two_ways(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, known in (([], 1), (["--memory", "2G"], 2)):
        found = _platforms(capsys, "--direct-kernel", kernel, *EDK2, *options)
        for register in (found["qemu"]["RTMR1"], found["uefi-vtpm"]["PCR4"]):
            assert register["values"] is None
            assert register["missing"] == "depends on the version of QEMU: one of 2 alternatives"
            values = [item["register"]["values"] for item in register["alternatives"]]
            assert len({str(value) for value in values if value}) == known
            assert ("writes it for 2048 MiB" in register["alternatives"][1]["label"]) == (known == 2)


def test_firmware_and_machine_give_the_rest(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require("qemu-system-x86_64")
    kernel.with_name("OVMF.fd").write_bytes(firmware.ovmf(UUID("462caa21-7614-4503-836e-8ab6f4662331")))  # UiApp
    machine = ["--firmware", kernel.with_name("OVMF.fd"), "--memory", "512M"]
    tables = ["--qemu", "-nodefaults -display none -M q35,pic=off,smm=off,hpet=off"]
    found = _platforms(capsys, "--direct-kernel", kernel, *EDK2, *machine, *tables)["qemu"]
    assert len(found["MRTD"]["alternatives"]) == 2
    rtmr0 = found["RTMR0"]
    digests = [bytes.fromhex(event["digests"]["sha384"]) for event in rtmr0["events"]]
    assert (rtmr0["values"], rtmr0["missing"]) == ({"sha384": _extended(*digests)}, "")
    assert [event["description"] for event in rtmr0["events"]][-2:] == ["variable BootOrder", "variable Boot0000"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "a kernel is started by QEMU's firmware"),
        ([*EDK2, "--machine", "c3-standard-4"], "a kernel is started by QEMU's firmware"),
        ([*EDK2, "--qemu", "-M q35"], "RTMR0 depends on the firmware too"),
        ([*EDK2, "--platform", "gcp"], "--direct-kernel goes with neither FILE"),
        ([*EDK2, "--pcrlock"], "--direct-kernel goes with neither FILE"),
        ([*EDK2, "--initrd", "no-such-file"], "no-such-file: cannot be read: No such file"),
        ([*EDK2, "--memory", "2G", "--cmdline", "vga=normal"], "the video mode of vga="),
    ],
)
def test_what_is_refused(kernel: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["measure", "--direct-kernel", str(kernel), *options]) == ExitStatus.NO_VERDICT
    assert message in capsys.readouterr().err


def test_what_is_no_kernel_is_refused(
    kernel: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    initrd = str(kernel.with_name("initrd"))
    assert main(["measure", "--direct-kernel", initrd, *EDK2]) == ExitStatus.NO_VERDICT
    assert "Linux kernel: boot sector" in capsys.readouterr().err
    monkeypatch.setattr(measure_kernel, "MAX_KERNEL_BYTES", 5)
    assert main(["measure", "--direct-kernel", initrd, *EDK2]) == ExitStatus.NO_VERDICT
    assert "has more than 5 bytes, too large for a kernel that QEMU starts" in capsys.readouterr().err


def test_options_of_a_kernel_need_one(kernel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    firmware = str(kernel.with_name("OVMF.fd"))
    assert main(["measure", firmware, "--cmdline", "quiet"]) == ExitStatus.NO_VERDICT
    assert "--initrd and --cmdline go with --direct-kernel" in capsys.readouterr().err
    assert main(["measure", firmware, "--machine", "c3-standard-4"]) == ExitStatus.NO_VERDICT
    assert "from firmware alone, only MRTD can be measured" in capsys.readouterr().err
