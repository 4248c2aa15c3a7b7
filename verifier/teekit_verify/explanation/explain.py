"""Why two files differ: the whole tree, from the files down to single lines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.explanation import archive, compressed, documents, elf, kernel, pe
from teekit_verify.explanation.examination import Examination, Format, Pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from teekit_verify.explanation.culprits import Condition
    from teekit_verify.explanation.tree import Difference

FORMATS: tuple[Format, ...] = (
    Format(elf.is_elf, elf.compare_elfs),
    Format(kernel.is_kernel, kernel.compare_kernels),
    Format(pe.is_pe, pe.compare_pes),
    Format(archive.is_archive, archive.compare_archives),
    Format(compressed.is_compressed, compressed.compare_compressed),
    Format(documents.is_manifest, documents.compare_manifests),
    Format(documents.is_json, documents.compare_jsons),
)
"""In this order: a kernel is also a PE image, and what is compressed is an initrd first."""


@contextmanager
def examination(folder: Path, conditions: Sequence[Condition] = ()) -> Iterator[Examination]:
    """`folder` takes temporary files; `conditions` are what was different on purpose when A and B were built."""
    with Examination(folder, FORMATS, tuple(conditions)) as started:
        yield started


def compare_files(started: Examination, name: str, a: Path, b: Path) -> Difference | None:
    """None exactly when every byte is equal. Raises TeekitError if a file cannot be read."""
    pair = Pair((name,), started.open(a), started.open(b))
    return None if first_difference(pair.a, pair.b) is None else started.compare(pair)
