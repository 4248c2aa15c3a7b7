from __future__ import annotations

from pathlib import Path

import pytest

from teekit_verify.boot.qemu import Firmware, Machine, accelerators, argv, find_firmware, memory_for
from teekit_verify.core.errors import ToolMissingError

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
