"""Files against files: those of two builds with each other, and those of a build with the published ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import Check, Outcome
from teekit_verify.documents.model import Artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Disk


@dataclass(frozen=True, slots=True)
class ArtifactPair:
    """One file name in two builds; None where the build did not make it."""

    name: str
    a: Artifact | None
    b: Artifact | None

    @property
    def same(self) -> bool:
        return self.a is not None and self.a == self.b


def pair_artifacts(a: Sequence[Artifact], b: Sequence[Artifact]) -> tuple[ArtifactPair, ...]:
    """Every name of either build, sorted."""
    in_a, in_b = {item.name: item for item in a}, {item.name: item for item in b}
    return tuple(ArtifactPair(name, in_a.get(name), in_b.get(name)) for name in sorted(in_a.keys() | in_b.keys()))


def difference_in_words(pair: ArtifactPair) -> str:
    """Why a pair is not the same: `tdx-debian.efi: made by build A only`, say."""
    if pair.a is None or pair.b is None:
        return f"{pair.name}: made by build {'B' if pair.a is None else 'A'} only"
    if pair.a.size_bytes != pair.b.size_bytes:
        return f"{pair.name}: {pair.a.size_bytes} bytes in build A, {pair.b.size_bytes} bytes in build B"
    return f"{pair.name}: same size, other bytes"


def check_all_artifacts(published: Sequence[Artifact], made: Sequence[Artifact]) -> tuple[Check, ...]:
    """A whole build against the published files: each must be there, with these bytes, and no other."""
    return tuple(_check_pair(pair) for pair in pair_artifacts(published, made))


def _check_pair(pair: ArtifactPair) -> Check:
    name, published, made = f"artifact {pair.name}", pair.a, pair.b
    if published is None:
        return Check(name, Outcome.MISMATCH, "", _digest(made), "the reference does not list this file")
    if made is None:
        return Check(name, Outcome.MISMATCH, _digest(published), "", "the build did not make this file")
    return _check(name, published, made)


def _check(name: str, published: Artifact, found: Artifact) -> Check:
    if (published.size_bytes, published.sha256) == (found.size_bytes, found.sha256):
        return Check(name, Outcome.MATCH, _digest(published), _digest(found))
    detail = "same size, other bytes"
    if published.size_bytes != found.size_bytes:
        detail = f"has {found.size_bytes} bytes, published were {published.size_bytes}"
    return Check(name, Outcome.MISMATCH, _digest(published), _digest(found), detail)


def check_one_artifact(published: Sequence[Artifact], found: Artifact) -> Check:
    """One file, perhaps renamed, against the published files: by its bytes first, else by its name."""
    by_bytes = [item for item in published if item.sha256 == found.sha256]
    by_name = [item for item in published if item.name == found.name]
    for candidate in by_bytes + by_name:
        return _check(f"artifact {candidate.name}", candidate, found)
    name = f"artifact {found.name}"
    return Check(
        name, Outcome.MISMATCH, "", _digest(found), "the reference lists no file with these bytes or this name"
    )


def check_boot_file(
    published: Sequence[Artifact], found: Artifact, disk: Disk | None
) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """What of a UKI, or of a disk with one, is compared; and what is not, of it and of the published files.

    A disk is one of the disks that were published, whatever it is called: only of its boot file do registers and the UKI's
    digest speak. Where no disk was published, the rest of it is seen by nobody.
    """
    if disk is None:
        checks: tuple[Check, ...] = (check_one_artifact(published, found),)
        return checks, _others(published, {found.sha256}, checks)
    checks = _check_disk_whatever_its_name(published, disk)
    if not checks or any(item.sha256 == found.sha256 for item in published):
        checks = (*checks, check_one_artifact(published, found))
    unseen = _others(published, {found.sha256, disk.sha256}, checks)
    if not any(_is_of_disk(check, disk, published) for check in checks):
        unseen = (_rest_of(disk), *unseen)
    return checks, unseen


_DISKS = (".raw", ".img", ".vhd", ".vhdx", ".qcow2", ".vmdk", ".iso", ".tar", ".tgz")
_PACKED = (".gz", ".xz", ".zst", ".bz2")
_NO_DISKS = (
    ".efi",
    ".manifest",
    ".json",
    ".changelog",
    ".txt",
    ".cpio",
    ".vmlinuz",
    ".initrd",
    ".pcrlock",
    ".sig",
    ".asc",
)


def _stem(name: str) -> str:
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return name


def _check_disk_whatever_its_name(published: Sequence[Artifact], disk: Disk) -> tuple[Check, ...]:
    """Fails closed: a published file that nobody can tell from a disk by its name leaves the question open."""
    same = [item for item in published if disk.sha256 == item.sha256]
    if same:
        return (_check_disk(same[0], disk),)
    alike = [item for item in published if item.name == disk.name or item.size_bytes == disk.size_bytes]
    disks = [item for item in published if _stem(item.name.lower()).endswith(_DISKS)]
    if alike or disks:
        return (_check_disk((alike or disks)[0], disk),)
    unclear = [item for item in published if not _stem(item.name.lower()).endswith(_NO_DISKS)]
    detail = "may be this disk, and does not have its bytes: its name does not say what it is"
    return tuple(Check(f"artifact {item.name}", Outcome.NOT_CHECKED, _digest(item), "", detail) for item in unclear)


def _is_of_disk(check: Check, disk: Disk, published: Sequence[Artifact]) -> bool:
    return any(
        check.name == f"artifact {item.name}" and check.found in {"", disk.sha256.hex if disk.sha256 else ""}
        for item in published
    )


def _rest_of(disk: Disk) -> Check:
    detail = "not compared: the reference lists no disk, so only the boot file on it was"
    return Check(f"rest of the disk {disk.name}", Outcome.NOT_CHECKED, detail=detail)


def _others(published: Sequence[Artifact], seen: set[Digest | None], checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The published files that this one is not."""
    names = {check.name for check in checks}
    return tuple(
        Check(f"artifact {item.name}", Outcome.NOT_CHECKED, _digest(item), "", "not compared: another file")
        for item in published
        if item.sha256 not in seen and f"artifact {item.name}" not in names
    )


def as_claims(checks: tuple[Check, ...]) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """What measurements say of an artifact can be about another one than was published; that it is the one is only said."""
    refuted = tuple(
        replace(check, name=f"claimed {check.name}") for check in checks if check.outcome is not Outcome.MATCH
    )
    detail = "not compared: the measurements name its digest, and no byte of it was looked at"
    said = tuple(
        replace(check, name=f"claimed {check.name}", outcome=Outcome.NOT_CHECKED, detail=detail)
        for check in checks
        if check.outcome is Outcome.MATCH
    )
    return refuted, said


def _check_disk(published: Artifact, disk: Disk) -> Check:
    name = f"artifact {published.name}"
    if disk.sha256 is None and disk.size_bytes == published.size_bytes:
        detail = "the measurements do not have the digest of the whole disk: compare the disk itself"
        return Check(name, Outcome.NOT_CHECKED, _digest(published), "", detail)
    if disk.sha256 is None:
        detail = f"has {disk.size_bytes} bytes, published were {published.size_bytes}"
        return Check(name, Outcome.MISMATCH, _digest(published), "", detail)
    return _check(name, published, Artifact(disk.name, disk.size_bytes, disk.sha256))


def _digest(artifact: Artifact | None) -> str:
    return "" if artifact is None else artifact.sha256.hex
