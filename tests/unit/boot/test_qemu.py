from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.boot.qemu import PROGRAM, Firmware, Machine, accelerators, argv, find_firmware, memory_for
from teekit_verify.boot.running import running_qemu
from teekit_verify.boot.swtpm import running_tpm
from teekit_verify.core.errors import ToolMissingError
from teekit_verify.local.machine import LocalMachine

GIB = 1 << 30


def test_command_line() -> None:
    machine = Machine(
        accelerator="tcg",
        memory_bytes=2 * GIB,
        firmware=Firmware(Path("/fw/code"), Path("/run/variables")),
        disk=Path("/a/disk.raw"),
        memory_file=Path("/run/memory"),
        serial_log=Path("/run/serial"),
        qmp_socket=Path("/run/qmp"),
        tpm_socket=Path("/run/tpm"),
    )
    words = argv("qemu", machine)
    line = " ".join(words)
    assert words[0] == "qemu"
    assert "-accel tcg -cpu max" in line
    assert "-nodefaults -no-user-config" in line
    assert "if=pflash,format=raw,readonly=on,file=/fw/code" in words
    assert "if=pflash,format=raw,file=/run/variables" in words
    assert "if=virtio,format=raw,snapshot=on,file=/a/disk.raw" in words
    assert "memory-backend-file,id=ram,share=on,size=2147483648,mem-path=/run/memory" in words
    assert "-nic" not in words
    assert "-netdev" not in words


@pytest.mark.parametrize(
    ("uki_bytes", "memory_bytes"), [(1, 2 * GIB), (100 << 20, 2 * GIB), (200 << 20, 3 * GIB), (GIB, 7 * GIB)]
)
def test_memory_grows_with_the_uki(uki_bytes: int, memory_bytes: int) -> None:
    assert memory_for(uki_bytes) == memory_bytes


def test_firmware_is_found_where_debian_puts_it(tmp_path: Path) -> None:
    for name in ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"):
        (tmp_path / name).touch()
    firmware = find_firmware((tmp_path / "none", tmp_path))
    assert firmware == Firmware(tmp_path / "OVMF_CODE_4M.fd", tmp_path / "OVMF_VARS_4M.fd")


def test_missing_firmware(tmp_path: Path) -> None:
    with pytest.raises(ToolMissingError, match=r"OVMF \(OVMF_CODE_4M.fd and OVMF_VARS_4M.fd\) is not installed in "):
        find_firmware((tmp_path,))


def test_kvm_is_tried_only_where_it_opens(tmp_path: Path) -> None:
    device = tmp_path / "kvm"
    assert accelerators(device) == ("tcg",)
    device.touch()
    assert accelerators(device) == ("kvm", "tcg")


def opened_by(arguments: tuple[str, ...], control: Path, log: Path) -> set[str]:
    """The files behind the drives of a real QEMU, whose guest does not start."""
    with running_qemu((*arguments, "-S"), control, log=log) as (_, qmp):
        devices = qmp.execute("query-block")
    assert isinstance(devices, list)
    inserted = [device["inserted"] for device in devices if "inserted" in device]
    return {drive.get("backing_file", drive["file"]) for drive in inserted}


def odd_folder(tmp_path: Path) -> tuple[Path, Firmware]:
    """A folder whose name has what QEMU's options are made of, with firmware in it."""
    folder = tmp_path / "a,b c,,d=e"
    folder.mkdir()
    installed, firmware = find_firmware(), Firmware(folder / "code.fd", folder / "variables.fd")
    shutil.copyfile(installed.code, firmware.code)
    shutil.copyfile(installed.variables, firmware.variables)
    (folder / "disk.raw").write_bytes(bytes(1 << 20))
    return folder, firmware


def test_a_real_qemu_takes_commas_and_spaces_in_paths(tmp_path: Path) -> None:
    program = require(PROGRAM)
    folder, firmware = odd_folder(tmp_path)
    require("swtpm")
    require("swtpm_setup")
    (tmp_path / "tpm").mkdir()
    with running_tpm(tmp_path / "tpm", log=tmp_path / "log") as tpm:
        (folder / "tpm.sock").symlink_to(tpm.control)
        machine = Machine(
            accelerator="tcg",
            memory_bytes=64 << 20,
            firmware=firmware,
            disk=folder / "disk.raw",
            memory_file=folder / "memory",
            serial_log=folder / "serial",
            qmp_socket=folder / "qmp.sock",
            tpm_socket=folder / "tpm.sock",
        )
        opened = opened_by(argv(program, machine), machine.qmp_socket, tmp_path / "log")
    assert opened == {str(path) for path in (firmware.code, firmware.variables, machine.disk)}
    assert machine.memory_file.stat().st_size == machine.memory_bytes
    assert machine.serial_log.exists()


def test_a_real_qemu_takes_commas_and_spaces_in_paths_of_a_local_run(tmp_path: Path) -> None:
    program = require(PROGRAM)
    folder, firmware = odd_folder(tmp_path)
    machine = LocalMachine(
        accelerator="tcg",
        processors=1,
        memory_bytes=64 << 20,
        firmware=firmware,
        disk=folder / "disk.raw",
        control=folder / "qmp.sock",
        console=folder / "console.sock",
        console_log=folder / "console.log",
        forwards=(),
    )
    opened = opened_by(machine.argv(program), machine.control, tmp_path / "log")
    assert opened == {str(path) for path in (firmware.code, firmware.variables, machine.disk)}
    assert machine.console_log.exists()
