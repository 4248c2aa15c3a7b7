"""Makes raw disk images as the image's build does, for booting. What is on them is defined in `layout`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.boot import layout
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.process import find_program, run

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.boot.layout import Geometry

HINT = "Install mtools and fdisk, or run `teekit-verify doctor`."
_TOOL_TIMEOUT_SECONDS = 600


def geometry(uki_bytes: int, *, multiple_bytes: int = layout.MIB, disk_bytes: int | None = None) -> Geometry:
    """The layout for a UKI of this size. Raises UnsupportedInputError if it does not fit into FAT32 or `disk_bytes`."""
    try:
        return layout.geometry(uki_bytes, multiple_bytes=multiple_bytes, disk_bytes=disk_bytes)
    except ValueError as error:
        raise UnsupportedInputError(str(error)) from error


def make_disk(uki: Path, image: Path, sizes: Geometry) -> None:
    """Write a sparse disk image that boots `uki`. `image` must not exist. Raises ToolFailedError or ToolMissingError."""
    steps = layout.commands(uki, image, sizes)
    programs = [find_program(step.argv[0], hint=HINT) for step in steps]
    with image.open("xb") as stream:
        stream.truncate(sizes.disk_bytes)
    for program, step in zip(programs, steps, strict=True):
        run(
            (program, *step.argv[1:]),
            timeout_seconds=_TOOL_TIMEOUT_SECONDS,
            environment=layout.ENVIRONMENT,
            stdin=step.stdin,
        )
