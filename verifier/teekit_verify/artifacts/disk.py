r"""Disk images with a UKI where the firmware looks for it. `magic` tells their kinds apart.

A disk is read by its structure: of a 30 GiB image only the partition table, the FAT, some directories and the UKI are touched. A UKI
that lies in one piece in a file is mapped; one in several pieces or in an archive is gathered in memory, at most MAX_GATHERED_BYTES.
"""

from __future__ import annotations

import io
import mmap
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.boot_volume import open_boot_volume
from teekit_verify.artifacts.companions import MAX_FILE_BYTES, MAX_FILES, Companion, CompanionKind, kind_of
from teekit_verify.artifacts.magic import FORMATS_HINT, VHD_FOOTER_BYTES, ArtifactKind
from teekit_verify.artifacts.mapped import viewed
from teekit_verify.artifacts.other_volumes import require_no_other
from teekit_verify.artifacts.qcow2 import Qcow2Blocks, read_header
from teekit_verify.artifacts.targz import TarGzDisk
from teekit_verify.artifacts.uki import UnifiedKernelImage, parse_uki
from teekit_verify.artifacts.vhd import VhdFooter, parse_footer
from teekit_verify.artifacts.vhdx import Vhdx, open_vhdx
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.boot_volume import BootVolume
    from teekit_verify.artifacts.fat import FatVolume
    from teekit_verify.artifacts.fat_directory import FatEntry
    from teekit_verify.artifacts.pe import Span
    from teekit_verify.artifacts.virtual_disk import Blocks
    from teekit_verify.core.files import OpenedInput


BOOT_PATH = ("EFI", "BOOT", "BOOTX64.EFI")  # UEFI 2.10, 3.5.1.1
MAX_GATHERED_BYTES = 1 << 30
_MAX_UKI_BYTES = (1 << 32) - 1
_BUFFER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)
_MAX_QCOW2_BYTES = 1 << 46
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


@frozen
class DiskImage:
    """An open disk image; `size_bytes` is that of the disk. Not to be used after the `with` block of `open_disk`.

    `inner`: what a PACKED one turned out to be. `in_file`: the disk's bytes are those of the stream's file.
    """

    name: str
    kind: ArtifactKind
    stream: BinaryIO
    size_bytes: int
    boot: BootVolume
    footer: VhdFooter | None = None
    inner: ArtifactKind | None = None
    in_file: bool = True

    @property
    def volume(self) -> FatVolume:
        """The one that firmware boots from."""
        return self.boot.volume


@contextmanager
def opened_disk(file: OpenedInput, kind: ArtifactKind, whole: OpenedInput) -> Iterator[DiskImage]:
    """`whole` is the file that was given, of which `file` may be what it holds."""
    path, stream = file.path, file.stream
    stream.seek(0)
    names = (whole.name, kind) if file is whole else (whole.name, ArtifactKind.PACKED)
    inner = None if file is whole else kind
    match kind:
        case ArtifactKind.TAR_GZ:
            archive = TarGzDisk(stream)
            inside = io.BufferedReader(archive, _BUFFER_BYTES)
            boot = open_boot_volume(inside, archive.size_bytes, path)
            yield DiskImage(*names, inside, archive.size_bytes, boot, None, inner, in_file=False)
            archive.finish()
        case ArtifactKind.VHD:
            footer = parse_footer(file.tail[-VHD_FOOTER_BYTES:], file.size_bytes)
            boot = open_boot_volume(stream, footer.size_bytes, path)
            yield DiskImage(*names, stream, footer.size_bytes, boot, footer, inner)
        case ArtifactKind.RAW:
            boot = open_boot_volume(stream, file.size_bytes, path)
            yield DiskImage(*names, stream, file.size_bytes, boot, None, inner)
        case ArtifactKind.QCOW2 | ArtifactKind.VHDX | ArtifactKind.DYNAMIC_VHD:
            blocks, footer_of = _blocks(file, kind)
            from teekit_verify.artifacts.virtual_disk import stream_of

            virtual = stream_of(blocks)
            sector = blocks.sector_bytes if isinstance(blocks, Vhdx) else None
            boot = open_boot_volume(virtual, blocks.size_bytes, path, device_sector=sector)
            yield DiskImage(*names, virtual, blocks.size_bytes, boot, footer_of, inner, in_file=False)
        case ArtifactKind.UKI | ArtifactKind.PACKED:
            raise UnsupportedInputError(f"{path} is a UKI, expected a disk image", hint=FORMATS_HINT)


def _blocks(file: OpenedInput, kind: ArtifactKind) -> tuple[Blocks, VhdFooter | None]:
    blob = Blob.of(file.stream.fileno())
    if kind is ArtifactKind.QCOW2:
        return Qcow2Blocks(blob, read_header(blob, most_bytes=_MAX_QCOW2_BYTES)), None
    if kind is ArtifactKind.VHDX:
        return open_vhdx(blob), None
    from teekit_verify.artifacts.dynamic_vhd import open_dynamic_vhd

    disk = open_dynamic_vhd(blob)
    return disk, disk.footer


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
            f"{disk.name}: {printable(companions[0][0].name)} beside the UKI in the EFI system partition: systemd-stub loads it",
            hint="Measure the disk, or build it with the UKI alone.",
        )
    with _content(disk, disk.volume.extents(file), file.size_bytes, what) as view:
        require_no_other(disk.stream, disk.boot, disk.size_bytes, BOOT_PATH, disk.name)
        yield parse_uki(view, what=what)


def _require_no_variables(disk: DiskImage) -> None:
    if disk.volume.find((_VARIABLES,)) is not None:
        raise UnsupportedInputError(
            f"{disk.name}: {_VARIABLES} in the EFI system partition: firmware takes its variables from there",
            hint="Give the disk as it was before it was booted.",
        )


def companions_of(disk: DiskImage) -> tuple[Companion, ...]:
    """What systemd-stub picks up with the UKI, with its content. Raises TeekitError."""
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
        raise UnsupportedInputError(f"{what}: has {size_bytes} bytes, which is not a UKI")
    if len(extents) == 1 and disk.in_file:
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
