"""Where two artifacts differ: the sections of UKIs, the packages of manifests, else the first byte."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import UnifiedKernelImage, open_uki
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ArtifactDifference:
    """One place where two artifacts differ, and what is there, in words."""

    where: str
    what: str


def compare_artifacts(first: Path, second: Path) -> tuple[ArtifactDifference, ...]:
    """Compare two artifacts of the same name, byte for byte; empty exactly when they are identical."""
    offset = first_difference(first, second)
    if offset is None:
        return ()
    if first.suffix == ".efi" and (found := _in_sections(first, second)):
        return tuple(ArtifactDifference(f"{first.name}: {place.where}", place.what) for place in found)
    sizes = f"{first.stat().st_size} and {second.stat().st_size} bytes"
    return (ArtifactDifference(first.name, f"the first different byte is at offset {offset:#x} ({sizes})"),)


def _in_sections(first: Path, second: Path) -> tuple[ArtifactDifference, ...]:
    """Empty where the difference lies outside sections, or a file is no UKI: the build that made it need not be sound."""
    try:
        with open_uki(first) as one, open_uki(second) as other:
            return tuple(_compare_ukis(one, other))
    except TeekitError:
        return ()


def first_difference(first: Path, second: Path) -> int | None:
    """The offset of the first different byte (a shorter file differs where it ends); None if there is none."""
    offset = 0
    with first.open("rb") as one, second.open("rb") as other:
        while True:
            left, right = one.read(_CHUNK_BYTES), other.read(_CHUNK_BYTES)
            if (at := _first_different_byte(left, right)) is not None:
                return offset + at
            if not left:
                return None
            offset += len(left)


def _first_different_byte(left: bytes | memoryview, right: bytes | memoryview) -> int | None:
    """The offset of the first different byte; None if there is none."""
    for start in range(0, max(len(left), len(right)), _CHUNK_BYTES):
        one, other = bytes(left[start : start + _CHUNK_BYTES]), bytes(right[start : start + _CHUNK_BYTES])
        if one != other:
            pairs = enumerate(zip(one, other, strict=False))
            return start + next((at for at, pair in pairs if pair[0] != pair[1]), min(len(one), len(other)))
    return None


def _compare_ukis(first: UnifiedKernelImage, second: UnifiedKernelImage) -> Iterator[ArtifactDifference]:
    """Section by section, in file order; then what lies outside sections."""
    for one, other in zip_longest(first.sections, second.sections):
        if one is None or other is None or one.name != other.name:
            names = [section.name if section else "nothing" for section in (one, other)]
            yield ArtifactDifference("sections", f"{names[0]} in one place where the other has {names[1]}")
            return
        left, right = first.content(one), second.content(other)
        if (offset := _first_different_byte(left, right)) is not None:
            sizes = f"{len(left)} and {len(right)} bytes"
            yield ArtifactDifference(f"UKI section {one.name}", f"differs from offset {offset:#x} on ({sizes})")
