"""The kernel and initrd of a UKI, started by QEMU itself: with files behind the initrd, or words on the command line, that the image does not have."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot import qemu
from teekit_verify.local.machine import LocalMachine

if TYPE_CHECKING:
    from pathlib import Path


def machine_in(folder: Path, forwards: tuple[tuple[int, int], ...] = (), memory_bytes: int = 2 << 30) -> LocalMachine:
    """With an empty disk, /dev/vda."""
    firmware = qemu.find_firmware()
    shutil.copyfile(firmware.variables, folder / "variables.fd")
    (folder / "disk.raw").write_bytes(bytes(1 << 20))
    return LocalMachine(
        accelerator="tcg",
        processors=2,
        memory_bytes=memory_bytes,
        firmware=qemu.Firmware(firmware.code, folder / "variables.fd"),
        disk=folder / "disk.raw",
        control=folder / "qmp.sock",
        console=folder / "console.sock",
        console_log=folder / "console.log",
        forwards=forwards,
    )


def command_line(image: Path) -> str:
    with open_uki(image) as uki:
        return (uki.text(".cmdline") or "").strip()


def argv(
    machine: LocalMachine, program: str, image: Path, folder: Path, *, more: bytes = b"", cmdline: str
) -> tuple[str, ...]:
    """QEMU's, for the kernel of a UKI, its initrd with `more` (a cpio archive) behind it, and a command line."""
    with open_uki(image) as uki:
        for name in ("linux", "initrd"):
            (section,) = uki.named(f".{name}")
            (folder / name).write_bytes(uki.content(section))
    with (folder / "initrd").open("ab") as stream:
        stream.write(bytes(-stream.tell() % 4) + more)
    # A kernel that QEMU brings is what is booted first, so the disk cannot be.
    words = [word.removesuffix(",bootindex=0") for word in machine.argv(program)]
    return (*words, "-kernel", str(folder / "linux"), "-initrd", str(folder / "initrd"), "-append", cmdline)


def wait_for(console_log: Path, line: str, *, seconds: int) -> None:
    until = time.monotonic() + seconds
    while line not in (said := console_log.read_text(errors="replace") if console_log.exists() else ""):
        assert time.monotonic() < until, said[-4000:]
        time.sleep(0.5)
