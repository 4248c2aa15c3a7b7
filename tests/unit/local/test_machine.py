"""The QEMU command line of a local run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from teekit_guest import layout
from teekit_verify.boot.qemu import Firmware
from teekit_verify.local.machine import ATTESTATION_PORT, KETTLE_PORT, MOST_KETTLES, LocalMachine


def machine(disk: str = "/d/disk.raw", forwards: tuple[tuple[int, int], ...] = ((3001, 3001),)) -> LocalMachine:
    return LocalMachine(
        accelerator="tcg",
        processors=2,
        memory_bytes=2 << 30,
        firmware=Firmware(Path("/f/code.fd"), Path("/t/variables.fd")),
        disk=Path(disk),
        control=Path("/t/qmp.sock"),
        console=Path("/t/console.sock"),
        console_log=Path("/t/console.log"),
        forwards=forwards,
    )


def test_argv() -> None:
    words = machine(forwards=((3001, 3001), (9002, 3002))).argv("/usr/bin/qemu")
    assert words[0] == "/usr/bin/qemu"
    line = " ".join(words)
    assert "-machine q35 -accel tcg -cpu max -smp 2 -m 2147483648B" in line
    assert "-drive if=pflash,format=raw,readonly=on,file=/f/code.fd" in line
    assert "-drive if=pflash,format=raw,file=/t/variables.fd" in line
    assert "snapshot=on,file=/d/disk.raw" in line
    assert "user,id=network,hostfwd=tcp:127.0.0.1:3001-:3001,hostfwd=tcp:127.0.0.1:9002-:3002" in words
    assert "socket,id=console,path=/t/console.sock,server=on,wait=off,logfile=/t/console.log" in words
    assert "-qmp unix:/t/qmp.sock,server=on,wait=off" in line


def test_nothing_of_the_guest_is_reachable_from_other_hosts() -> None:
    (network,) = [word for word in machine().argv("qemu") if word.startswith("user,")]
    assert network.count("hostfwd=") == network.count("hostfwd=tcp:127.0.0.1:") == 1


def test_a_comma_in_a_path_does_not_end_it() -> None:
    assert "if=none,id=disk,format=raw,snapshot=on,file=/d/a,,b.raw" in machine("/d/a,b.raw").argv("qemu")


def test_kettles_are_where_the_guest_has_them() -> None:
    assert (KETTLE_PORT, MOST_KETTLES) == (layout.FIRST_PORT, layout.KETTLES)
    assert ATTESTATION_PORT == layout.ATTESTATION_PORT


def test_a_tpm_where_there_is_one() -> None:
    line = " ".join(replace(machine(), tpm=Path("/t/a,b.sock")).argv("qemu"))
    assert "-chardev socket,id=tpm-control,path=/t/a,,b.sock -tpmdev emulator,id=tpm,chardev=tpm-control" in line
    assert "-device tpm-crb,tpmdev=tpm" in line
    assert "tpm" not in " ".join(machine().argv("qemu"))
