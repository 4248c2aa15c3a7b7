"""`measure` of what lies beside a UKI, and of what newer stubs ask the machine, through main(argv)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from builders import fat as made
from builders.uki import build_uki, kernel
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.eventlog import parse_event_log
from teekit_verify.registers.registers import pcr
from teekit_verify.registers.replay import replay

BOOT = Path(__file__).parents[2] / "assets" / "companions"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """The UKI of a real boot, with a stand-in for its kernel, and the files that lay beside it."""
    described = json.loads((BOOT / "257-sidecars.json").read_text())
    sections = [
        (key, kernel(described["kernel"]) if value is None else value.encode()) for key, value in described["sections"]
    ]
    (tmp_path / "image.efi").write_bytes(build_uki(described["stub"], sections))
    for path, content in described["files"].items():
        place = tmp_path / ("shared" if path.startswith("loader/") else "beside")
        place.mkdir(exist_ok=True)
        (place / Path(path).name).write_bytes(base64.b64decode(content))
    return tmp_path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["measure", *arguments, "--json"]) is ExitStatus.HOLDS
    platforms: dict[str, Any] = json.loads(capsys.readouterr().out)["platforms"]
    return platforms


def test_the_registers_of_a_real_boot(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PCR 9, 12 and 13 as the log of the boot leads to them; folders are taken as the stub takes them."""
    log = parse_event_log((BOOT / "257-sidecars.bin").read_bytes())
    beside = ["--beside", str(real / "beside"), "--shared", str(real / "shared")]
    found = measured(capsys, str(real / "image.efi"), "--platform", "uefi-vtpm", *beside)["uefi-vtpm"]
    for bank in (Algorithm.SHA256, Algorithm.SHA384):
        values = replay(log.events, bank)
        for index in (9, 12, 13):
            assert found[f"PCR{index}"]["values"][bank.value] == values[pcr(index)].hex


def test_without_files_there_is_no_pcr_12(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = measured(capsys, str(real / "image.efi"))
    assert all(name not in registers for registers in found.values() for name in ("PCR12", "PCR13"))


def test_a_disk_brings_its_own(real: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"EFI/BOOT/BOOTX64.EFI.extra.d/{file.name}": file.read_bytes() for file in (real / "beside").iterdir()}
    folders = {".cred": "credentials", ".efi": "addons"}
    for file in (real / "shared").iterdir():
        files[f"loader/{folders[file.suffix]}/{file.name}"] = file.read_bytes()
    disk = made.make_disk(real / "disk.raw", {"EFI/BOOT/BOOTX64.EFI": (real / "image.efi").read_bytes(), **files})
    of_disk = measured(capsys, str(disk), "--platform", "uefi-vtpm")["uefi-vtpm"]
    beside = ["--beside", str(real / "beside"), "--shared", str(real / "shared")]
    of_uki = measured(capsys, str(real / "image.efi"), "--platform", "uefi-vtpm", *beside)["uefi-vtpm"]
    for name in ("PCR4", "PCR9", "PCR12", "PCR13"):
        assert of_disk[name] == of_uki[name]
    assert main(["measure", str(disk), *beside]) is ExitStatus.NO_VERDICT
    assert "what lies beside the UKI is read from the disk" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "count"), [([], 7), (["--console", "hvc0"], 2), (["--no-boot-secret"], 6), (["--console", "none"], 2)]
)
def test_what_newer_stubs_ask_the_machine(
    options: list[str], count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki("262.1-1", [(".linux", kernel()), (".cmdline", b"quiet"), (".initrd", b"0707")]))
    found = measured(capsys, str(path), "--platform", "uefi-vtpm", *options)["uefi-vtpm"]["PCR9"]
    assert len(found["alternatives"]) == count
    known = measured(capsys, str(path), "--platform", "uefi-vtpm", "--console", "none", "--no-boot-secret")
    assert "alternatives" not in known["uefi-vtpm"]["PCR9"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--console", "ttyS0"], "systemd-stub never adds the console ttyS0"),
        (["--beside", "no.txt"], "no.txt: systemd-stub does not load a file of this name"),
        (["--beside", "missing.cred"], "missing.cred: cannot be read"),
    ],
)
def test_mistakes(options: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    assert main(["measure", str(path), *options]) is ExitStatus.NO_VERDICT
    assert problem in capsys.readouterr().err
