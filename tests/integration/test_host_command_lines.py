"""A host that brings words for the kernel's command line, or files beside the image, where Secure Boot is off: the stub takes them, and the
registers say so.

Booted as far as the kernel's start; the log is the firmware's own. That without them it is as predicted is test_boot_proof.py.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from builders import varstore
from builders.machines import RealMachine
from builders.pe import Row, build_pe
from builders.tools import require
from builders.uki import magic
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot import layout
from teekit_verify.boot.artifact import bootable
from teekit_verify.boot.capture import is_complete
from teekit_verify.boot.qemu import Firmware, find_firmware
from teekit_verify.core.digest import Algorithm
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.align import first_divergence
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PLANTED = "console=ttyS0 systemd.setenv=PLANTED=by-the-host"
BY_ADDON = "systemd.setenv=PLANTED=by-an-addon"
# systemd-stub(7): where it looks; what it calls what it found there, and the PCR that is in.
BESIDE = f"{layout.BOOT_FILE}.extra.d"
FILES = {
    f"{BESIDE}/planted.cred": ("Credentials initrd", 12),
    "loader/credentials/planted.cred": ("Global credentials initrd", 12),
    f"{BESIDE}/planted.confext.raw": ("Configuration extension initrd", 12),
    f"{BESIDE}/planted.sysext.raw": ("System extension initrd", 13),
    f"{BESIDE}/planted.addon.efi": (BY_ADDON, 12),
    "loader/addons/planted.addon.efi": (BY_ADDON, 12),
}
_BOOT_SECONDS = 1800


def with_load_options(empty: Firmware, uki: Path, folder: Path) -> Firmware:
    """Its first boot entry is the UKI, with options."""
    sectors = layout.geometry(uki.stat().st_size).esp_bytes // layout.SECTOR_BYTES
    start = layout.ESP_OFFSET_BYTES // layout.SECTOR_BYTES
    place = varstore.hard_drive(1, start, sectors, UUID(layout.ESP_GUID))
    place += varstore.file_path("\\" + layout.BOOT_FILE.replace("/", "\\"))
    store = varstore.with_boot_entry(empty.variables.read_bytes(), "planted", place, PLANTED)
    (folder / "variables.fd").write_bytes(store)
    return Firmware(empty.code, folder / "variables.fd")


def plant(disk: Path, folder: Path) -> None:
    """Files in the ESP, as the stub looks for them."""
    addon = build_pe([Row(".sdmagic", magic("257.13-1~deb13u1")), Row(".cmdline", BY_ADDON.encode() + b"\0")])
    (folder / "file").write_bytes(b"planted")
    (folder / "addon").write_bytes(addon)
    esp = f"{disk}@@{layout.ESP_OFFSET_BYTES}"
    folders = [f"::{name}" for name in (BESIDE, "loader", "loader/addons", "loader/credentials")]
    argvs = [[require("mmd"), "-i", esp, *folders]]
    for name in FILES:
        source = folder / ("addon" if name.endswith(".efi") else "file")
        argvs.append([require("mcopy"), "-i", esp, str(source), f"::{name}"])
    for argv in argvs:
        subprocess.run(argv, env={**os.environ, **layout.ENVIRONMENT}, check=True, capture_output=True)


@pytest.mark.parametrize("way", ["LoadOptions", "SMBIOS"])
def test_words_of_the_hosts_for_the_command_line_are_measured(way: str, built_uki: Path, tmp_path: Path) -> None:
    firmware = find_firmware()
    more: tuple[str, ...] = ()
    if way == "LoadOptions":
        firmware = with_load_options(firmware, built_uki, tmp_path)
    else:
        # systemd-stub(7): of SMBIOS, strings of vendors
        more = ("-smbios", f"type=11,value=io.systemd.stub.kernel-cmdline-extra={PLANTED}")
    with bootable(built_uki) as booted:
        if way == "SMBIOS":
            plant(booted.disk, tmp_path)
        with RealMachine(firmware, booted.disk, more).prepared() as prepared:
            log = prepared.boot(is_complete, timeout_seconds=_BOOT_SECONDS)
        with open_uki(booted.uki) as uki:
            predicted = {item.register: item.events for item in predict_uki(uki, booted.gpt, vtpm=True)}
    # PCR 9 has what the kernel is given in the end, PCR 12 what the stub did not find in its own file.
    assert first_divergence(predicted[pcr(9)], log.events, pcr(9), Algorithm.SHA256) is not None
    said = [event.data for event in log.events if event.register == pcr(12)]
    assert any("PLANTED=by-the-host".encode("utf-16-le") in data for data in said)
    if way == "SMBIOS":
        for name, (text, index) in FILES.items():
            measured = [event.data for event in log.events if event.register == pcr(index)]
            assert any(text.encode("utf-16-le") in data for data in measured), name
        # Addons are programs to the firmware, which loads them.
        more_programs = [event for event in log.events if event.register == pcr(4)][len(predicted[pcr(4)]) :]
        assert len(more_programs) == 2
    # The image itself is the one that was predicted.
    assert first_divergence(predicted[pcr(11)], log.events, pcr(11), Algorithm.SHA256) is None
