"""What a guest boots from, as a file: a UKI, or a disk with one. `magic` tells them apart.

A disk is read by its structure: of a 30 GiB image only the partition table, the FAT, some directories and the UKI are touched.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from teekit_verify.artifacts.magic import FORMATS_HINT, ArtifactKind, artifact_kind
from teekit_verify.artifacts.uki import UnifiedKernelImage, uki_in
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.files import open_input
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.artifacts.companions import Companion
    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.artifacts.gpt import GuidPartitionTable, NoTable
    from teekit_verify.core.files import OpenedInput

_MOST_LAYERS = 4


@frozen
class BootArtifact:
    """The UKI that is booted, the name of its file, and if it is on a disk the partition table and what lies beside it there.

    `gpt` is None where no disk was given.
    """

    kind: ArtifactKind
    name: str
    uki: UnifiedKernelImage
    gpt: GuidPartitionTable | NoTable | None
    companions: tuple[Companion, ...] = ()


@contextmanager
def open_boot_artifact(path: Path) -> Iterator[BootArtifact]:
    """A UKI or a disk with one; not to be used after the `with` block. Raises TeekitError."""
    with open_input(path) as file, boot_artifact_in(file) as boot:
        yield boot


@contextmanager
def boot_artifact_in(file: OpenedInput) -> Iterator[BootArtifact]:
    """The same of an opened file."""
    with unpacked_input(file) as (inner, kind):
        if kind is ArtifactKind.UKI:
            with uki_in(inner) as uki:
                yield BootArtifact(kind if inner is file else ArtifactKind.PACKED, inner.name, uki, None)
            return
        from teekit_verify.artifacts import disk as disks

        with disks.opened_disk(inner, kind, file) as disk, disks.open_boot_file(disk, alone=False) as uki:
            beside = disks.companions_of(disk)
            yield BootArtifact(disk.kind, disks.BOOT_PATH[-1], uki, disk.boot.measured_table, beside)


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
    from teekit_verify.artifacts.disk import opened_disk

    with unpacked_input(file) as (inner, kind), opened_disk(inner, kind, file) as disk:
        yield disk


@contextmanager
def unpacked_input(file: OpenedInput) -> Iterator[tuple[OpenedInput, ArtifactKind]]:
    """The file, or of a PACKED one what it holds, and of what kind that is. Raises TeekitError."""
    with ExitStack() as stack:
        inner, kind = file, artifact_kind(file)
        for _ in range(_MOST_LAYERS):
            if kind is not ArtifactKind.PACKED:
                yield inner, kind
                return
            from teekit_verify.artifacts.packed import unpacked

            inner = stack.enter_context(unpacked(inner))
            kind = artifact_kind(inner)
        raise UnsupportedInputError(
            f"{file.path}: more than {_MOST_LAYERS} files packed in each other", hint=FORMATS_HINT
        )


def recognise(path: Path) -> ArtifactKind:
    """The kind of a file by its content. Raises UnsupportedInputError for all others, TeekitError if it cannot be read."""
    with open_input(path) as file:
        return artifact_kind(file)
