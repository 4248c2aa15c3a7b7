"""What the host can say to the base image without a register changing, all at once in one boot: none of it has an effect.

The firmware's variable store has systemd's SystemdOptions; SMBIOS and fw_cfg have credentials; disks have labels that systemd looks for, one is
a shared library; the console gets keys and a break. Each of these was obeyed by an image that did nothing against it.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from builders import direct_boot, planted
from builders.cpio import FILE, Entry, build_cpio
from builders.tools import require
from teekit_verify.boot import qemu
from teekit_verify.boot.artifact import bootable
from teekit_verify.boot.running import running_qemu
from teekit_verify.local.machine import LocalMachine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

READY = "teekit: minimal.target reached"
# systemd, src/fundamental/efivars-fundamental.h and docs/ENVIRONMENT.md
NAME, GUID = "SystemdOptions", "8cf2644b-4b0b-428f-9387-6d876050dc67"
PRELOAD = "systemd.setenv=LD_PRELOAD=/dev/vdb"
# The same place: what boot loaders leave for systemd; and shim's for the kernel's keyring.
LOADER, SHIM = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", "605dab50-e046-4300-abb6-3dd810dd8b23"
OTHERS = {
    "LoaderSystemToken": (LOADER, "planted-by-token"),
    "LoaderEntryOneShot": (LOADER, "planted.conf"),
    "LoaderEntryDefault": (LOADER, "planted.conf"),
    "LoaderDevicePartUUID": (LOADER, "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"),
    "MokListTrustedRT": (SHIM, "\1"),
}
OPTIONS = f"systemd.log_level=debug systemd.log_target=console {PRELOAD} systemd.setenv=PLANTED=by-variable"
# As the image's own, without what it says of mounts and of the environment.
INIT_THAT_DOES_NOTHING = b"""#!/bin/sh
set -eu
export PATH=/usr/bin:/usr/sbin
chmod 0755 /
mkdir -p /run/root
mount --bind / /run/root
cd /run/root
mount --move . /
exec chroot . /usr/lib/systemd/systemd "$@"
"""
# None of the three platforms has a keyboard, a balloon or random numbers in this way.
DEVICES = ("-device", "virtio-keyboard-pci", "-device", "virtio-balloon-pci", "-device", "virtio-rng-pci")
_BOOT_SECONDS, _AFTERWARDS_SECONDS = 1800, 5


class Qmp(Protocol):
    def execute(self, command: str, **arguments: object) -> object: ...


@pytest.fixture(scope="module")
def console(built_uki: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """All that the machine printed, until some seconds after the keys."""
    program, folder = require(qemu.PROGRAM), tmp_path_factory.mktemp("machine")
    firmware = qemu.find_firmware()
    with bootable(built_uki) as booted:
        machine = LocalMachine(
            accelerator="tcg",
            processors=2,
            memory_bytes=qemu.memory_for(built_uki.stat().st_size),
            firmware=qemu.Firmware(firmware.code, planted_variables(firmware.variables, folder)),
            disk=booted.disk,
            control=folder / "qmp.sock",
            console=folder / "console.sock",
            console_log=folder / "console.log",
            forwards=(),
        )
        argv = (*machine.argv(program), *planted.credentials(folder), *planted.disks(folder), *DEVICES)
        with running_qemu(argv, machine.control, log=folder / "log") as (_, qmp):
            direct_boot.wait_for(machine.console_log, READY, seconds=_BOOT_SECONDS)
            press_keys(machine.console, qmp)
            yield machine.console_log.read_text(errors="replace")


def planted_variables(empty: Path, folder: Path) -> Path:
    """The variable store with what systemd and the kernel read, made by virt-firmware."""
    given = {NAME: (GUID, OPTIONS), **OTHERS}
    variables = [
        {"name": name, "guid": guid, "attr": 7, "data": (value + "\0").encode("utf-16-le").hex()}
        for name, (guid, value) in given.items()
    ]
    (folder / "variables.json").write_text(json.dumps({"version": 2, "variables": variables}))
    program = [sys.executable, "-m", "virt.firmware.vars"]
    argv = [
        "--input",
        str(empty),
        "--set-json",
        str(folder / "variables.json"),
        "--output",
        str(folder / "variables.fd"),
    ]
    subprocess.run([*program, *argv], check=True, capture_output=True)
    shown = [*program, "--input", str(folder / "variables.fd"), "--print"]
    said = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    assert all(name in said for name in given)
    return folder / "variables.fd"


def press_keys(console: Path, qmp: Qmp) -> None:
    """What a person would try who sits at the console: Enter, names, Ctrl-C, Ctrl-D, and SysRq (a break, then a key)."""
    with socket.socket(socket.AF_UNIX) as keys:
        keys.connect(str(console))
        keys.sendall(b"\r\nroot\r\n\x03\x04\r\nid\r\n")
        qmp.execute("chardev-send-break", id="console")
        keys.sendall(b"h")
        time.sleep(_AFTERWARDS_SECONDS)


def test_systemd_takes_no_command_line_from_an_efi_variable(console: str) -> None:
    """Debugging on the console is what the variable asked for; that library would be in every process."""
    assert "systemd[1]: " not in console.partition(READY)[2]
    for word in (
        "LD_PRELOAD",
        planted.LOADED,
        "planted-by-",
        "by-variable",
        "Found cgroup2",
        "Added job",
        "systemd-executor",
    ):
        assert word not in console


def test_credentials_of_the_host_are_not_taken(console: str) -> None:
    assert "planted-by-smbios" not in console
    assert "planted-by-fw-cfg" not in console


def test_no_disk_is_looked_into(console: str) -> None:
    """The kernel sees the disk, so it was there; nobody mounts it."""
    assert "vdc1" in console or "vdc" in console
    for word in ("EXT4-fs", "sysroot", "fsck"):
        assert word not in console


def said_with(image: Path, folder: Path, obeyed: tuple[str, ...], *, cmdline: str, more: bytes = b"") -> str:
    """What the machine prints, until it is ready and has said that it `obeyed`, with the same disks and credentials, but this command line, and files behind its initrd."""
    machine = direct_boot.machine_in(folder)
    argv = direct_boot.argv(machine, require(qemu.PROGRAM), image, folder, more=more, cmdline=cmdline)
    argv += (*planted.credentials(folder), *planted.disks(folder))
    with running_qemu(argv, machine.control, log=folder / "log"):
        for words in (READY, *obeyed):
            direct_boot.wait_for(machine.console_log, words, seconds=_BOOT_SECONDS)
        return machine.console_log.read_text(errors="replace")


def test_an_image_that_does_nothing_against_it_obeys(built_uki: Path, tmp_path: Path) -> None:
    """The same image less what it does about credentials and disks, so that the other tests here would notice."""
    taken_out = ("systemd.import_credentials=", "initcall_blacklist=")
    words = [word for word in direct_boot.command_line(built_uki).split() if not word.startswith(taken_out)]
    assert len(words) == len(direct_boot.command_line(built_uki).split()) - len(taken_out)
    init = Entry("init", INIT_THAT_DOES_NOTHING, mode=FILE | 0o755)
    obeyed = (planted.LOADED, "planted-by-smbios")
    said = said_with(built_uki, tmp_path, obeyed, cmdline=" ".join((*words, PRELOAD)), more=build_cpio([init]))
    assert all(words in said for words in obeyed)


def test_a_device_of_another_kind_gets_no_driver(console: str) -> None:
    assert "Virtio Keyboard" not in console
    assert "virtio_balloon" not in console
    assert "virtio_rng" not in console


def test_the_console_takes_no_keys(console: str) -> None:
    for word in ("login:", "uid=", "Password", "sysrq: ", "sh-5", "Ctrl-Alt-Del"):
        assert word not in console
