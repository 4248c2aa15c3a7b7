r"""What a guest boots from, as a file: a UKI, or a disk image with the UKI where the firmware looks for it.

    UKI                 .efi
    raw disk            GPT, protective MBR, one EFI system partition with `\EFI\BOOT\BOOTX64.EFI`
    fixed VHD           the same, with a footer (Azure)
    .tar.gz             the same, as `disk.raw` in an archive (Google Cloud)

The kind is found out by content. A disk is read by its structure: of a 30 GiB image only the partition table, the FAT,
some directories and the UKI are touched. A UKI that lies in one piece in a file is mapped; one in several pieces or in an
archive is gathered in memory, at most MAX_GATHERED_BYTES.
"""

from __future__ import annotations

import io
import mmap
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from teekit_verify.artifacts.companions import MAX_FILE_BYTES, MAX_FILES, Companion, CompanionKind, kind_of
from teekit_verify.artifacts.fat import FatVolume, open_fat
from teekit_verify.artifacts.gpt import SECTOR_BYTES, GptEntry, GuidPartitionTable, read_gpt
from teekit_verify.artifacts.mapped import viewed
from teekit_verify.artifacts.targz import GZIP_MAGIC, TarGzDisk
from teekit_verify.artifacts.uki import UnifiedKernelImage, parse_uki, uki_in
from teekit_verify.artifacts.vhd import COOKIE, FOOTER_BYTES, VhdFooter, parse_footer
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.opened import open_input

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.artifacts.fat_directory import FatEntry
    from teekit_verify.artifacts.pe import Span
    from teekit_verify.core.opened import OpenedInput

ESP_TYPE_GUID = UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")  # UEFI 2.10, table 5.7
BOOT_PATH = ("EFI", "BOOT", "BOOTX64.EFI")  # UEFI 2.10, 3.5.1.1
MAX_GATHERED_BYTES = 1 << 30
_MAX_UKI_BYTES = (1 << 32) - 1
_BUFFER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)
_PROTECTIVE = 0xEE
_HINT = "Name a UKI (.efi), a raw disk, a fixed .vhd, or a .tar.gz with a disk.raw."
_FOREIGN = {
    b"QFI\xfb": "a qcow2 disk",
    b"vhdxfile": "a VHDX disk",
    b"KDMV": "a VMDK disk",
    COOKIE: "a dynamic VHD",
}
_PACKED = {b"\x28\xb5\x2f\xfd": ("zstd", "zstd"), b"\xfd7zXZ\0": ("xz", "xz"), b"BZh": ("bzip2", "bzip2")}
"""What it is compressed with, and the program that unpacks it with -d."""
_ALL_KINDS = frozenset(CompanionKind)
_BESIDE: tuple[tuple[tuple[str, ...], frozenset[CompanionKind]], ...] = (
    ((*BOOT_PATH[:-1], f"{BOOT_PATH[-1]}.extra.d"), _ALL_KINDS),
    (("loader", "addons"), frozenset({CompanionKind.ADDON})),
    (("loader", "credentials"), frozenset({CompanionKind.CREDENTIAL})),
    (("loader", "extensions"), frozenset({CompanionKind.EXTENSION, CompanionKind.CONFEXT})),
)
"""Folders from which systemd-stub takes companion files, and of what kind; the first is the UKI's own."""
_VARIABLES = "NvVars"
"""Where OVMF without flash keeps its variables, boot options too (edk2 OvmfPkg/Library/NvVarsFileLib)."""


class ArtifactKind(Enum):
    """What a file is, by its content. The value is for people."""

    UKI = "UKI"
    RAW = "raw disk"
    VHD = "fixed VHD"
    TAR_GZ = "tar.gz of a raw disk"


@dataclass(frozen=True, slots=True)
class DiskImage:
    """An open disk image; `size_bytes` is that of the disk. Not to be used after the `with` block of `open_disk`."""

    name: str
    kind: ArtifactKind
    stream: BinaryIO
    size_bytes: int
    gpt: GuidPartitionTable
    esp: GptEntry
    volume: FatVolume
    footer: VhdFooter | None


@dataclass(frozen=True, slots=True)
class BootArtifact:
    """The UKI that is booted, the name of its file, and if it is on a disk the partition table and what lies beside it there."""

    kind: ArtifactKind
    name: str
    uki: UnifiedKernelImage
    gpt: GuidPartitionTable | None
    companions: tuple[Companion, ...] = ()


@contextmanager
def open_boot_artifact(path: Path) -> Iterator[BootArtifact]:
    """A UKI or a disk with one; not to be used after the `with` block. Raises TeekitError."""
    with open_input(path) as file, boot_artifact_in(file) as boot:
        yield boot


@contextmanager
def boot_artifact_in(file: OpenedInput) -> Iterator[BootArtifact]:
    """The same of an opened file."""
    kind = artifact_kind(file)
    if kind is ArtifactKind.UKI:
        with uki_in(file) as uki:
            yield BootArtifact(kind, file.name, uki, None)
    else:
        with disk_in(file) as disk, open_boot_file(disk, alone=False) as uki:
            yield BootArtifact(kind, BOOT_PATH[-1], uki, disk.gpt, companions_of(disk))


def recognise(path: Path) -> ArtifactKind:
    """The kind of a file by its content. Raises UnsupportedInputError for all others, TeekitError if it cannot be read."""
    with open_input(path) as file:
        return artifact_kind(file)


def artifact_kind(file: OpenedInput) -> ArtifactKind:
    """The same of an opened file."""
    if not file.head:
        raise UnsupportedInputError(f"{file.path} is empty", hint=_HINT)
    for magic, what in _FOREIGN.items():
        if file.head.startswith(magic):
            raise UnsupportedInputError(
                f"{file.path} is {what}, which is not read", hint="Convert it with `qemu-img convert -O raw`."
            )
    if file.head.startswith(b"MZ"):
        return ArtifactKind.UKI
    if file.head.startswith(GZIP_MAGIC):
        return ArtifactKind.TAR_GZ
    if file.tail[-FOOTER_BYTES:].startswith(COOKIE):
        return ArtifactKind.VHD
    if file.head[SECTOR_BYTES:].startswith(b"EFI PART"):
        return ArtifactKind.RAW
    for magic, (name, program) in _PACKED.items():
        if file.head.startswith(magic):
            raise UnsupportedInputError(
                f"{file.path} is compressed with {name}: what is in it is not read",
                hint=f"Unpack it first, with `{program} -d`.",
            )
    raise UnsupportedInputError(
        f"{file.path} is neither a UKI (it does not begin with 'MZ') nor a disk image", hint=_HINT
    )


@contextmanager
def open_disk(path: Path) -> Iterator[DiskImage]:
    """Open a disk image and mount its ESP. An archive is read to its end when the block ends without an error.

    Raises MalformedInputError with offset and field, or UnsupportedInputError.
    """
    with open_input(path) as file, disk_in(file) as disk:
        yield disk


@contextmanager
def disk_in(file: OpenedInput) -> Iterator[DiskImage]:
    """The same of an opened file."""
    kind, path, stream = artifact_kind(file), file.path, file.stream
    stream.seek(0)
    match kind:
        case ArtifactKind.TAR_GZ:
            archive = TarGzDisk(stream)
            yield _disk(path, kind, io.BufferedReader(archive, _BUFFER_BYTES), archive.size_bytes, None)
            archive.finish()
        case ArtifactKind.VHD:
            footer = parse_footer(file.tail[-FOOTER_BYTES:], file.size_bytes)
            yield _disk(path, kind, stream, footer.size_bytes, footer)
        case ArtifactKind.RAW:
            yield _disk(path, kind, stream, file.size_bytes, None)
        case ArtifactKind.UKI:
            raise UnsupportedInputError(f"{path} is a UKI, expected a disk image", hint=_HINT)


def _disk(path: Path, kind: ArtifactKind, stream: BinaryIO, size_bytes: int, footer: VhdFooter | None) -> DiskImage:
    if size_bytes % SECTOR_BYTES:
        raise UnsupportedInputError(f"{path}: a disk of {size_bytes} bytes, expected whole sectors of {SECTOR_BYTES}")
    _require_protective_mbr(stream)
    gpt = read_gpt(stream)
    esp = _esp(gpt, size_bytes // SECTOR_BYTES)
    esp_bytes = (esp.last_lba - esp.first_lba + 1) * SECTOR_BYTES
    volume = open_fat(stream, esp.first_lba * SECTOR_BYTES, esp_bytes)
    return DiskImage(path.name, kind, stream, size_bytes, gpt, esp, volume, footer)


def _require_protective_mbr(stream: BinaryIO) -> None:
    """edk2 MdeModulePkg/Universal/Disk/PartitionDxe/Gpt.c: one of the four MBR partitions is of type 0xEE and starts at
    LBA 1; otherwise the firmware does not look at the GPT.
    """
    stream.seek(0)
    sector = stream.read(SECTOR_BYTES)
    rows = [sector[446 + 16 * index : 462 + 16 * index] for index in range(4)]
    if not any(row[4:5] == bytes([_PROTECTIVE]) and row[8:12] == b"\1\0\0\0" for row in rows):
        raise MalformedInputError(
            "disk", field="protective MBR", offset=446, problem="no partition of type 0xee that starts at sector 1"
        )


def _esp(gpt: GuidPartitionTable, sectors: int) -> GptEntry:
    """The only EFI system partition. The firmware leaves out partitions that overlap or lie outside (PartitionCheckGptEntry)."""
    for entry in gpt.entries:
        if not gpt.first_usable_lba <= entry.first_lba <= entry.last_lba <= min(gpt.last_usable_lba, sectors - 1):
            raise _bad_partition(
                entry, f"LBA {entry.first_lba} to {entry.last_lba} are not in the usable part of the disk"
            )
    for before, after in pairwise(sorted(gpt.entries, key=lambda entry: entry.first_lba)):
        if after.first_lba <= before.last_lba:
            raise _bad_partition(after, f"overlaps the partition before it, which ends at LBA {before.last_lba}")
    found = [entry for entry in gpt.entries if entry.type_guid == ESP_TYPE_GUID]
    if len(found) != 1:
        raise UnsupportedInputError(
            f"the disk has {len(found)} EFI system partitions, expected one", hint="Give a disk that boots from one."
        )
    return found[0]


def _bad_partition(entry: GptEntry, problem: str) -> UnsupportedInputError:
    return UnsupportedInputError(f"GPT: partition {entry.unique_guid} ({printable(entry.name)}): {problem}")


@contextmanager
def open_boot_file(disk: DiskImage, *, alone: bool = True) -> Iterator[UnifiedKernelImage]:
    r"""The UKI at `\EFI\BOOT\BOOTX64.EFI`; not to be used after the `with` block.

    Raises UnsupportedInputError if it is not there, or (`alone`) if there are files beside it that systemd-stub would take up.
    """
    what = f"{disk.name}, {'/'.join(BOOT_PATH)}"
    file = disk.volume.find(BOOT_PATH)
    if file is None or file.is_directory:
        raise UnsupportedInputError(
            f"{what}: no such file in the EFI system partition", hint="Give a disk that holds a UKI there."
        )
    _require_no_variables(disk)
    if alone and (companions := _found_beside(disk)):
        raise UnsupportedInputError(
            f"{disk.name}: {printable(companions[0][0].name)} beside the UKI in the EFI system partition: systemd-stub takes it up",
            hint="Measure the disk, or build it with the UKI alone.",
        )
    with _content(disk, disk.volume.extents(file), file.size_bytes, what) as view:
        yield parse_uki(view, what=what)


def _require_no_variables(disk: DiskImage) -> None:
    if disk.volume.find((_VARIABLES,)) is not None:
        raise UnsupportedInputError(
            f"{disk.name}: {_VARIABLES} in the EFI system partition: firmware takes its variables from there",
            hint="Give the disk as it was before it was booted.",
        )


def companions_of(disk: DiskImage) -> tuple[Companion, ...]:
    """What systemd-stub takes up with the UKI, with its content. Raises TeekitError."""
    return tuple(Companion(file.name, _bytes_of(disk, file), shared=shared) for file, shared in _found_beside(disk))


def _found_beside(disk: DiskImage) -> list[tuple[FatEntry, bool]]:
    """The files, and whether each is for all UKIs."""
    found: list[tuple[FatEntry, bool]] = []
    for number, (path, kinds) in enumerate(_BESIDE):
        folder = disk.volume.find(path)
        if folder is not None and folder.is_directory:
            files = [
                file for file in disk.volume.entries(folder) if not file.is_directory and kind_of(file.name) in kinds
            ]
            found += [(file, number > 0) for file in files]
    if len(found) > MAX_FILES:
        raise UnsupportedInputError(f"{disk.name}: {len(found)} files beside the UKI, at most {MAX_FILES} are read")
    return found


def _bytes_of(disk: DiskImage, file: FatEntry) -> bytes:
    if file.size_bytes > MAX_FILE_BYTES:
        raise UnsupportedInputError(
            f"{disk.name}: {printable(file.name)} has {file.size_bytes} bytes, at most {MAX_FILE_BYTES} are read"
        )
    if not file.size_bytes:
        return b""
    memory = _gathered(disk.stream, disk.volume.extents(file), file.size_bytes, f"{disk.name}, {printable(file.name)}")
    return bytes(memory)


@contextmanager
def _content(disk: DiskImage, extents: tuple[Span, ...], size_bytes: int, what: str) -> Iterator[memoryview]:
    if not 0 < size_bytes <= _MAX_UKI_BYTES:
        raise UnsupportedInputError(f"{what}: has {size_bytes} bytes, which is no UKI")
    if len(extents) == 1 and disk.kind is not ArtifactKind.TAR_GZ:
        mapped, place = _mapped(disk.stream, extents[0])
    else:
        mapped, place = _gathered(disk.stream, extents, size_bytes, what), 0
    with viewed(mapped, place, place + size_bytes) as view:
        yield view


def _mapped(file: BinaryIO, extent: Span) -> tuple[mmap.mmap, int]:
    """A read-only map of the extent, and where in it the extent begins: maps start at whole pages."""
    place = extent.start % mmap.ALLOCATIONGRANULARITY
    size_bytes = extent.size_bytes + place
    if extent.stop > file.seek(0, 2):
        raise _beyond(extent.stop)
    return mmap.mmap(file.fileno(), size_bytes, access=mmap.ACCESS_READ, offset=extent.start - place), place


def _gathered(stream: BinaryIO, extents: tuple[Span, ...], size_bytes: int, what: str) -> mmap.mmap:
    """The pieces of a file in memory, read in stream order. Raises MalformedInputError if the stream ends before."""
    if size_bytes > MAX_GATHERED_BYTES:
        raise UnsupportedInputError(
            f"{what}: has {size_bytes} bytes; in pieces or from an archive, at most {MAX_GATHERED_BYTES} are read",
            hint="Give the raw disk, with the file in one piece.",
        )
    memory = mmap.mmap(-1, size_bytes)
    place, places = 0, []
    for extent in extents:
        places.append((extent, place))
        place += extent.size_bytes
    for extent, start in sorted(places):
        stream.seek(extent.start)
        for done in range(0, extent.size_bytes, _CHUNK_BYTES):
            wanted = min(_CHUNK_BYTES, extent.size_bytes - done)
            piece = stream.read(wanted)
            if len(piece) != wanted:
                raise _beyond(extent.start)
            if piece != _ZEROS[:wanted]:  # memory that is never written takes no room: a hostile file may be all zeros
                memory[start + done : start + done + wanted] = piece
    return memory


def _beyond(offset: int) -> MalformedInputError:
    return MalformedInputError("disk", field="file content", offset=offset, problem="is beyond the end of the disk")
