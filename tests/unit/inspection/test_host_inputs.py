"""Ways in for the host that no register measures. The variable's name and what switches it off are systemd's and Linux' own
(systemd src/basic/efivars.c, Documentation/admin-guide/kernel-parameters.txt)."""

from __future__ import annotations

import gzip
import json
import lzma
import struct
from pathlib import Path

import pytest

from builders.bzimage import build_bzimage
from builders.cpio import SYMLINK, Entry, build_cpio
from builders.uki import build_uki
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.cli.app import main
from teekit_verify.inspection.command_line import has_no_efi_variables
from teekit_verify.inspection.host_inputs import HostInput, unmeasured_inputs

SHARED = "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so"
READS = Entry(SHARED, bytes(3 << 20) + b"SystemdOptions-8cf2644b-4b0b-428f-9387-6d876050dc67\0")
MODULE = Entry("usr/lib/modules/6.12/kernel/fs/efivarfs/efivarfs.ko.xz", b"module")
GENERATOR = Entry("usr/lib/systemd/system-generators/systemd-gpt-auto-generator", b"\x7fELF")


def kernel(vmlinux: bytes) -> bytes:
    """A bzImage whose payload is gzip's."""
    head = bytearray(build_bzimage(setup_sectors=15))
    packed = gzip.compress(vmlinux)
    start = len(head)
    struct.pack_into("<II", head, 0x248, start - 16 * 512, len(packed))
    return bytes(head) + packed


def uki(*entries: Entry, cmdline: bytes = b"quiet", linux: bytes = b"") -> bytes:
    initrd = lzma.compress(build_cpio(entries))
    sections = [(".cmdline", cmdline), (".linux", linux or kernel(b"no such file system")), (".initrd", initrd)]
    return build_uki(sections=sections)


def found(data: bytes) -> list[tuple[HostInput, str]]:
    return [(item.kind, item.where) for item in unmeasured_inputs(parse_uki(data))]


def test_a_module_or_a_built_in_file_system_opens_the_variable() -> None:
    expected = [(HostInput.EFI_OPTIONS, SHARED)]
    assert found(uki(READS, MODULE)) == expected
    assert found(uki(READS, linux=kernel(bytes(2 << 20) + b"\0efivarfs\0"))) == expected
    assert found(uki(READS)) == []
    assert found(uki(MODULE)) == []  # nobody asks


@pytest.mark.parametrize(
    ("cmdline", "off"),
    [
        ("efi=noruntime", True),
        ("quiet noefi", True),
        ("efi=debug,noruntime", True),
        ("efi=runtime efi=noruntime\0", True),
        ("efi=noruntime efi=runtime", False),
        ("efi=noruntimes", False),
        ("xefi=noruntime", False),
        ("", False),
        (None, False),
    ],
)
def test_the_kernel_can_be_told_to_have_no_variables(cmdline: str | None, *, off: bool) -> None:
    assert has_no_efi_variables(cmdline) is off


def test_a_kernel_without_runtime_services_closes_it() -> None:
    assert found(uki(READS, MODULE, cmdline=b"console=ttyS0 efi=noruntime")) == []


def test_disks_found_by_type_unless_masked_or_switched_off() -> None:
    assert found(uki(GENERATOR)) == [(HostInput.DISK_DISCOVERY, GENERATOR.name)]
    assert found(uki(GENERATOR, cmdline=b"systemd.gpt_auto=no")) == []
    mask = Entry("etc/systemd/system-generators/systemd-gpt-auto-generator", b"/dev/null", mode=SYMLINK | 0o777)
    assert found(uki(GENERATOR, mask)) == []
    assert found(uki(mask, GENERATOR)) == []


def test_agents_of_the_host() -> None:
    assert found(uki(Entry("usr/bin/cloud-init", b"#!"), Entry("usr/share/doc/cloud-init", b"text"))) == [
        (HostInput.HOST_CONFIGURATION, "usr/bin/cloud-init")
    ]


def test_what_cannot_be_read_is_said() -> None:
    damaged = build_uki(sections=[(".linux", kernel(b"")), (".initrd", b"\xfd7zXZ\0 and then nothing of the kind")])
    assert found(damaged) == [(HostInput.NOT_READ, ".initrd")]
    unknown = uki(READS, linux=build_bzimage())
    assert found(unknown) == [(HostInput.NOT_READ, ".linux")]


def test_inspect_says_so_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(uki(READS, MODULE))
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "The host can change what this image does; no register shows it:" in shown
    assert "Put efi=noruntime on the command line" in " ".join(shown.split())
    assert main(["inspect", str(path), "--json"]) == 0
    (item,) = json.loads(capsys.readouterr().out)["unmeasured_inputs"]
    assert (item["kind"], item["where"], item["detail"]) == ("efi-options", SHARED, MODULE.name)


def test_measure_points_to_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_, closed = tmp_path / "open.efi", tmp_path / "closed.efi"
    open_.write_bytes(uki(READS, MODULE))
    closed.write_bytes(uki(READS, MODULE, cmdline=b"efi=noruntime"))
    assert main(["measure", str(open_)]) == 0
    assert "warning: the host can change its command line" in capsys.readouterr().err
    assert main(["measure", str(closed)]) == 0
    assert capsys.readouterr().err == ""
