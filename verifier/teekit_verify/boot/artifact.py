"""What is booted: a UKI on a disk made for it, or a disk image with the UKI in its ESP, as QEMU takes it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.artifacts.boot_artifact import open_disk, recognise
from teekit_verify.artifacts.disk import DiskImage, companions_of, open_boot_file
from teekit_verify.artifacts.gpt import SECTOR_BYTES
from teekit_verify.artifacts.magic import ArtifactKind
from teekit_verify.boot import disk
from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.companions import Companion
    from teekit_verify.artifacts.gpt import GuidPartitionTable, NoTable

_CHUNK_BYTES = 1 << 20
_ZEROS = bytes(_CHUNK_BYTES)


@dataclass(frozen=True, slots=True)
class Bootable:
    """A UKI, the raw disk it is on, that disk's partition table, and what lies beside the UKI there."""

    uki: Path
    disk: Path
    gpt: GuidPartitionTable | NoTable
    companions: tuple[Companion, ...] = ()


@contextlib.contextmanager
def bootable(artifact: Path) -> Iterator[Bootable]:
    """A UKI, or a disk of any kind. What had to be made for it is removed in the end.

    Raises TeekitError. What is no raw disk is unpacked or copied as one, as a sparse file.
    """
    with tempfile.TemporaryDirectory(prefix="teekit-") as name:
        yield _prepared(artifact, Path(name))


def _prepared(artifact: Path, folder: Path) -> Bootable:
    uki, image = folder / "uki.efi", folder / "disk.raw"
    match recognise(artifact):
        case ArtifactKind.UKI:
            disk.make_disk(artifact, image, disk.geometry(artifact.stat().st_size))
            with open_disk(image) as opened:
                return Bootable(artifact, image, opened.boot.measured_table)
        case ArtifactKind.RAW:
            return Bootable(uki, artifact, *_copy_boot_file(artifact, uki))
        case _:
            _copy_disk(artifact, image)
            return Bootable(uki, image, *_copy_boot_file(image, uki))


def _copy_boot_file(image: Path, target: Path) -> tuple[GuidPartitionTable | NoTable, tuple[Companion, ...]]:
    with open_disk(image) as opened, open_boot_file(opened, alone=False) as uki:
        if opened.boot.sector_bytes != SECTOR_BYTES:
            raise UnsupportedInputError(
                f"{opened.name}: a disk in sectors of {opened.boot.sector_bytes} bytes, which cannot be booted here",
                hint=f"Give one in sectors of {SECTOR_BYTES}.",
            )
        target.write_bytes(uki.data)
        return opened.boot.measured_table, companions_of(opened)


def _copy_disk(source: Path, target: Path) -> None:
    """The raw disk, without the zeros."""
    with open_disk(source) as opened, target.open("xb") as stream:
        stream.truncate(opened.size_bytes)
        for start, stop in _pieces(opened):
            opened.stream.seek(start)
            for place in range(start, stop, _CHUNK_BYTES):
                piece = opened.stream.read(min(_CHUNK_BYTES, stop - place))
                if piece != _ZEROS[: len(piece)]:
                    stream.seek(place)
                    stream.write(piece)


def _pieces(opened: DiskImage) -> list[tuple[int, int]]:
    """Where the disk may hold something else than zeros, as (start, stop). The holes of a file are passed over."""
    if not opened.in_file:
        return [(0, opened.size_bytes)]
    file = opened.stream.fileno()
    before, stop, found = os.lseek(file, 0, os.SEEK_CUR), 0, []
    with contextlib.suppress(OSError):  # raised where nothing but a hole is left
        while stop < opened.size_bytes:
            start = os.lseek(file, stop, os.SEEK_DATA)
            stop = os.lseek(file, start, os.SEEK_HOLE)
            found.append((start, min(stop, opened.size_bytes)))
    os.lseek(file, before, os.SEEK_SET)  # the stream's buffer counts on it
    return found
