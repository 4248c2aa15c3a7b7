"""Why two files differ: the whole tree, from the files down to single lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.dynamic_vhd import is_dynamic_vhd
from teekit_verify.artifacts.magic import is_fat
from teekit_verify.explanation import diffoscope
from teekit_verify.explanation.examination import Examination, Format
from teekit_verify.explanation.formats import (
    archive,
    bundles,
    compressed,
    disk,
    elf,
    folders,
    kernel,
    manifest,
    partitions,
    pe,
    qcow2,
    sealed,
    superblock,
    virtual_disks,
)
from teekit_verify.explanation.pair import Pair
from teekit_verify.explanation.tree import Explanation, attached, in_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.explanation.causes.find import Condition
    from teekit_verify.explanation.tree import Difference

FORMATS: tuple[Format, ...] = (
    Format(elf.is_elf, elf.compare_elfs),
    Format(kernel.is_kernel, kernel.compare_kernels),
    Format(pe.is_pe, pe.compare_pes),
    Format(superblock.is_iso, superblock.compare_file_systems),
    Format(disk.is_disk, disk.compare_disks),
    Format(qcow2.is_qcow2, qcow2.compare_qcow2s),
    Format(virtual_disks.is_vhdx, virtual_disks.compare_virtual_disks),
    Format(virtual_disks.is_vmdk, virtual_disks.compare_virtual_disks),
    Format(is_dynamic_vhd, virtual_disks.compare_virtual_disks),
    Format(partitions.is_foreign, partitions.refuse_foreign),
    Format(partitions.is_partitioned, partitions.compare_partitioned),
    Format(is_fat, partitions.compare_fats),
    Format(sealed.is_verity, sealed.compare_verities),
    Format(sealed.is_luks, sealed.compare_lukses),
    Format(archive.is_archive, archive.compare_archives),
    Format(compressed.is_compressed, compressed.compare_compressed),
    Format(bundles.is_bundle, bundles.compare_bundles),
    Format(superblock.is_file_system, superblock.compare_file_systems),
    Format(manifest.is_manifest, manifest.compare_manifests),
    Format(manifest.is_json, manifest.compare_jsons),
)
"""In this order: a kernel is also a PE image, and what is compressed is an initrd first."""


def explain(
    a: Path,
    b: Path,
    *,
    folder: Path,
    names: tuple[str, str] | None = None,
    conditions: Sequence[Condition] = (),
    with_diffoscope: bool = True,
) -> Explanation:
    """Compare two files, or two folders. Raises TeekitError if one cannot be read: whatever can be read is equal or different.

    `folder` takes temporary files, up to the size of what differs; `names` stand for the paths in the result;
    `conditions` are what was different on purpose when A and B were built.
    """
    with Examination(folder, FORMATS, tuple(conditions)) as examination:
        differences = (
            folders.compare_folders(examination, a, b) if a.is_dir() and b.is_dir() else _files(examination, a, b)
        )
        if differences and with_diffoscope:
            differences = attached(differences, diffoscope.deepen(examination))
        one, other = names or (str(a), str(b))
        return Explanation(one, other, in_unicode(differences), tuple(examination.notices))


def _files(examination: Examination, a: Path, b: Path) -> tuple[Difference, ...]:
    name = a.name if a.name == b.name else f"{a.name} and {b.name}"
    pair = Pair((name,), examination.open(a), examination.open(b))
    return () if first_difference(pair.a, pair.b) is None else (examination.compare(pair),)
