"""What is booted: a UKI on a disk made for it, or a raw disk with the UKI in its ESP."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.gpt import GuidPartitionTable, read_gpt
from teekit_verify.boot import disk, layout
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.process import find_program, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_COPY_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Bootable:
    """A UKI, the raw disk it is on, and that disk's partition table."""

    uki: Path
    disk: Path
    gpt: GuidPartitionTable


@contextlib.contextmanager
def bootable(artifact: Path) -> Iterator[Bootable]:
    """A UKI (a PE file) or a raw disk with a GPT. What had to be made for it is removed in the end. Raises TeekitError."""
    try:
        with artifact.open("rb") as stream:
            is_pe = stream.read(2) == b"MZ"
    except OSError as error:
        raise TeekitError(f"cannot read {artifact}: {error.strerror}") from error
    with tempfile.TemporaryDirectory(prefix="teekit-") as name:
        if is_pe:
            image = Path(name) / "disk.raw"
            disk.make_disk(artifact, image, disk.geometry(artifact.stat().st_size))
            yield Bootable(artifact, image, _table(image))
        else:
            table = _table(artifact)
            uki = Path(name) / "uki.efi"
            _copy_boot_file(artifact, table, uki)
            yield Bootable(uki, artifact, table)


def _table(image: Path) -> GuidPartitionTable:
    try:
        with image.open("rb") as stream:
            return read_gpt(stream)
    except MalformedInputError as error:
        raise UnsupportedInputError(
            f"{image} is neither a UKI nor a raw disk with a GPT ({error.message})",
            hint="Give the UKI (.efi) or the raw disk; unpack a .tar.gz first.",
        ) from error


def _copy_boot_file(image: Path, table: GuidPartitionTable, target: Path) -> None:
    offsets = [
        entry.first_lba * layout.SECTOR_BYTES
        for entry in table.entries
        if entry.type_guid == UUID(layout.ESP_TYPE_GUID)
    ]
    if len(offsets) != 1:
        raise UnsupportedInputError(f"{image}: expected one EFI system partition, found {len(offsets)}")
    mcopy = find_program("mcopy", hint=disk.HINT)
    source = ("-i", f"{image.absolute()}@@{offsets[0]}", f"::{layout.BOOT_FILE}")
    run((mcopy, *source, str(target)), timeout_seconds=_COPY_TIMEOUT_SECONDS)
