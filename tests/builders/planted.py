"""What a host plants beside an image: credentials, disks that systemd would look for, and ACPI tables."""

from __future__ import annotations

import struct
import subprocess
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING

from builders import preload
from builders.tools import require
from teekit_verify.boot import qemu

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.boot.qemu import Firmware

LOADED = "planted-by-library"
# systemd.system-credentials(7): tmpfiles.extra is lines of tmpfiles.d, and "w" writes into a file that exists.
_CREDENTIAL = "w /dev/console - - - - planted-by-{}\\n\n"
_ROOT_X86_64 = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"  # Discoverable Partitions Specification
_MIB = 1 << 20
_PARTITION_BYTES = 2 * _MIB
# The same, and Linux's own types: what is in a partition is of another kind than what its type says, so that both are tried.
_TYPES = {
    "usr": "8484680c-9521-48c6-9c11-b0720656f69e",
    "home": "933ac7e1-2eb4-4f13-b844-0e14e2aef915",
    "srv": "3b8f8425-20e0-4f3b-907f-1a25a76f98e8",
    "var": "4d21b016-b534-45c2-a9fb-5c16e091fd2d",
    "swap": "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
    "XBOOTLDR": "bc13c2ff-59e6-4262-a352-b275fd6f7172",
    "lvm": "e6d6d379-f507-44c2-a23c-238f2a3df928",
    "raid": "a19d880f-05fc-4d3b-a006-743f0f84911e",
}


def credentials(folder: Path) -> list[str]:
    """Words for QEMU: the same credential by SMBIOS and by fw_cfg."""
    by_smbios = b64encode(_CREDENTIAL.format("smbios").encode()).decode()
    (folder / "credential").write_text(_CREDENTIAL.format("fw-cfg"))
    return [
        *("-smbios", f"type=11,value=io.systemd.credential.binary:tmpfiles.extra={by_smbios}"),
        *("-fw_cfg", f"name=opt/io.systemd.credentials/tmpfiles.extra,file={folder / 'credential'}"),
    ]


def disks(folder: Path) -> list[str]:
    """Words for QEMU: a shared library as a disk, a root partition that systemd's discovery would mount, with a file system in it, and
    partitions of all other kinds.
    """
    library, root = folder / "library.raw", folder / "root.raw"
    library.write_bytes(preload.library(LOADED).ljust(1 << 20, b"\0"))
    with root.open("xb") as stream:
        stream.truncate(64 << 20)
    script = f'label: gpt\nstart=2048, type={_ROOT_X86_64}, name="root"\n'
    subprocess.run([require("sfdisk"), "--quiet", root], input=script.encode(), check=True)
    argv = [require("mke2fs"), "-q", "-t", "ext4", "-L", "root", "-E", f"offset={1 << 20}", str(root), "32M"]
    subprocess.run(argv, check=True, capture_output=True)
    words = []
    for disk in (library, root, partitions(folder)):
        words += ["-drive", f"if=virtio,format=raw,snapshot=on,file={qemu.value(disk)}"]
    return words


def _at(*pieces: tuple[int, bytes]) -> bytes:
    content = bytearray(_PARTITION_BYTES)
    for offset, piece in pieces:
        content[offset : offset + len(piece)] = piece
    return bytes(content)


def _lvm_label() -> bytes:
    """Of a physical volume: its sector, a CRC-32 of what follows (begun with LVM's own number, and not inverted), and the volume's identifier."""
    volume = b"planted".ljust(32, b"0") + struct.pack("<Q", _PARTITION_BYTES) + bytes(64)
    content = (struct.pack("<I", 32) + b"LVM2 001" + volume).ljust(512 - 20, b"\0")
    crc = zlib.crc32(content, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    return b"LABELONE" + struct.pack("<QI", 1, crc) + content


def _contents() -> dict[str, bytes]:
    """What every tool would take for the thing of that name, as far as its first look goes."""
    swap = struct.pack("<III", 1, _PARTITION_BYTES // 4096 - 1, 0) + bytes(range(1, 17)) + b"state"
    return {
        "crypto_LUKS": _at((0, b"LUKS\xba\xbe\0\1"), (168, b"a8e0d1b4-6a0c-4c2f-8d3c-2e5d1f3b4c5d")),
        "swap": _at((1024, swap), (4086, b"SWAPSPACE2")),
        "iso9660": _at((32768, b"\1CD001\1\0" + b"LINUX".ljust(32) + b"cidata".ljust(32)), (34816, b"\xffCD001\1")),
        "LVM2_member": _at((512, _lvm_label())),
        # Version 1.2: magic, version, a level of RAID, and where in the device it is itself (in sectors).
        "linux_raid_member": _at(
            (4096, struct.pack("<II", 0xA92B4EFC, 1)),
            (4096 + 72, struct.pack("<I", 1)),
            (4096 + 144, struct.pack("<Q", 8)),
        ),
    }


def partitions(folder: Path) -> Path:
    """A disk with a partition of each type that something mounts, activates or reads by itself, and in them swap, a LUKS volume, `cidata`, parts of LVM and RAID."""
    disk, contents = folder / "partitions.raw", _contents()
    script = "label: gpt\n" + "".join(
        f'start={2048 + number * _PARTITION_BYTES // 512}, size={_PARTITION_BYTES // 512}, type={kind}, name="{name}"\n'
        for number, (name, kind) in enumerate(_TYPES.items())
    )
    with disk.open("xb") as stream:
        stream.truncate(_MIB * 3 + len(_TYPES) * _PARTITION_BYTES)
    subprocess.run([require("sfdisk"), "--quiet", disk], input=script.encode(), check=True)
    with disk.open("r+b") as stream:
        for number in range(len(_TYPES)):
            name, content = list(contents.items())[number % len(contents)]
            stream.seek(_MIB + number * _PARTITION_BYTES)
            stream.write(content)
            where = ["--offset", str(_MIB + number * _PARTITION_BYTES), "--size", str(_PARTITION_BYTES)]
            stream.flush()
            asked = [require("blkid"), "--probe", *where, "--output", "value", "--match-tag", "TYPE", str(disk)]
            assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split() == [name]
    return disk


LOG_PAGE = 0x9F000
"""A page of the guest's memory, in which AML writes; nobody's log."""
# DefinitionBlock ("", "SSDT", 2, "HOST", "PLANTED", 1) { Scope (\\_SB) { Device (PLNT) { Name (_HID, "TKIT0001")
#   OperationRegion (MEMO, SystemMemory, 0x9F000, 0x10) Field (MEMO, DWordAcc, NoLock, Preserve) { WORD, 32 }
#   Method (_INI, 0, Serialized) { Store (0x544B4954, WORD) } Method (_STA, 0, NotSerialized) { Return (0x0F) } } } }
_SSDT = bytes.fromhex(
    "53534454790000000287484f53540000504c414e5445440001000000494e544c250920201044055c5f53425f5b824b04504c4e54"
    "085f4849440d544b495430303031005b804d454d4f000c00f009000a105b810b4d454d4f03574f52442014105f494e4908700c54"
    "494b54574f524414095f53544100a40a0f"
)
WRITTEN_BY_AML, WRITTEN_BY_HEST = b"TIKT", b"BY-HEST!"
HEST_OFFSET = 32
"""In that page, where the source of errors is acknowledged."""
_ERROR_OFFSET = 0x80000  # in the variable store: part of what is spare


def _errors(firmware: Firmware) -> tuple[bytes, bytes]:
    """HEST and BERT (ACPI 6.5, 18.3). By the first, errors of the hardware are where the host's flash says, are looked for each second, and
    are acknowledged by writing eight bytes to an address; by the second, there was one at the last boot.
    """
    store = bytearray(firmware.variables.read_bytes())
    start = (4 << 30) - firmware.code.stat().st_size - len(store)
    block = struct.pack("<IIIII", 2, 0, 0, 0, 2)  # one error, corrected, with nothing to say
    place = start + _ERROR_OFFSET
    content = struct.pack("<Q", place + 8) + block
    assert store[_ERROR_OFFSET : _ERROR_OFFSET + len(content)] == b"\xff" * len(content)
    store[_ERROR_OFFSET : _ERROR_OFFSET + len(content)] = content
    firmware.variables.write_bytes(store)
    memory = struct.Struct("<BBBBQ")  # an address: in memory, of 64 bits
    source = struct.pack("<HHHBBIII", 10, 0, 0xFFFF, 0, 1, 1, 1, 4096) + memory.pack(0, 64, 0, 4, place)
    source += struct.pack("<BBHIIIIII", 0, 28, 0, 1000, 0, 0, 0, 0, 0)  # to be polled
    source += struct.pack("<I", 4096) + memory.pack(0, 64, 0, 4, LOG_PAGE + HEST_OFFSET)
    source += struct.pack("<Q", 0) + WRITTEN_BY_HEST
    return struct.pack("<I", 1) + source, struct.pack("<IQ", len(block), place + 8)


def program_in_acpi(folder: Path) -> tuple[str, ...]:
    """Words for QEMU: an SSDT of the host's own."""
    (folder / "ssdt").write_bytes(_SSDT)
    return ("-acpitable", f"file={qemu.value(folder / 'ssdt')}")


def tables(folder: Path, firmware: Firmware) -> list[str]:
    """Words for QEMU: ACPI tables that no machine of ours has. One is a program (AML) that writes into memory, one says that a page
    of memory is the TD's event log (CC Event Log ACPI table: type, reserved, length, address), one that the console is another port,
    two where errors are. `firmware.variables` gets such an error.
    """
    generic = struct.pack("<BBBBQ", 1, 8, 0, 1, 0x2F8)  # a port
    spcr = struct.pack(
        "<B3x12sBBIBBBBBBHHBBBBIBI", 0, generic, 3, 3, 0, 7, 0, 1, 0, 0, 0, 0xFFFF, 0xFFFF, 0, 0, 0, 0, 0, 0, 0
    )
    bgrt = struct.pack("<HBBQII", 1, 1, 0, LOG_PAGE, 0, 0)
    hest, bert = _errors(firmware)
    words = [*program_in_acpi(folder)]
    ccel = struct.pack("<BBHQQ", 2, 0, 0, 4096, LOG_PAGE)
    for signature, content in {
        "CCEL": ccel,
        "SPCR": spcr,
        "BGRT": bgrt,
        "WSMT": bytes(4),
        "HEST": hest,
        "BERT": bert,
    }.items():
        (folder / signature).write_bytes(content)
        words += [
            "-acpitable",
            f"sig={signature},rev=1,oem_id=HOST,oem_table_id=PLANTED,data={qemu.value(folder / signature)}",
        ]
    return words
