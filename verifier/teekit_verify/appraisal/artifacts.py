"""Files against files: those of two builds with each other, and those of a build with the published ones.

Rules. Size and SHA-256 decide, both. Of a whole build every published file must be there and no other; one file by itself is looked up by
its bytes and only then by its name. A disk is held against the published disks whatever it is called, and what of it or of the
publication nobody compared is listed.
Non-rules: a name never makes a match, and never gets a file out of being compared; a file's ending only says what cannot be a disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import ArtifactCheck, ArtifactPart, Because, Check, OtherSize, Why
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents.model import Artifact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Disk


@frozen
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


def check_all_artifacts(published: Sequence[Artifact], made: Sequence[Artifact]) -> tuple[Check, ...]:
    """A whole build against the published files: each must be there, with these bytes, and no other."""
    return tuple(_check_pair(pair) for pair in pair_artifacts(published, made))


def _check_pair(pair: ArtifactPair) -> Check:
    published, made = pair.a, pair.b
    if published is None:
        return _mismatch(pair.name, None, made, Because(Why.NOT_PUBLISHED))
    if made is None:
        return _mismatch(pair.name, published, None, Because(Why.NOT_MADE))
    return _check(published, made)


def _mismatch(name: str, published: Artifact | None, found: Artifact | None, reason: Because | OtherSize) -> Check:
    return Check(ArtifactCheck(name), Outcome.MISMATCH, _digest(published), _digest(found), reason)


def _check(published: Artifact, found: Artifact) -> Check:
    if (published.size_bytes, published.sha256) == (found.size_bytes, found.sha256):
        return Check(ArtifactCheck(published.name), Outcome.MATCH, _digest(published), _digest(found))
    if published.size_bytes != found.size_bytes:
        return _mismatch(published.name, published, found, OtherSize(published.size_bytes, found.size_bytes))
    return _mismatch(published.name, published, found, Because(Why.OTHER_BYTES))


def check_one_artifact(published: Sequence[Artifact], found: Artifact) -> Check:
    """One file, perhaps renamed, against the published files: by its bytes first, else by its name."""
    by_bytes = [item for item in published if item.sha256 == found.sha256]
    by_name = [item for item in published if item.name == found.name]
    for candidate in by_bytes + by_name:
        return _check(candidate, found)
    return _mismatch(found.name, None, found, Because(Why.NOT_LISTED))


def check_boot_file(
    published: Sequence[Artifact], found: Artifact, disk: Disk | None
) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """What of a UKI, or of a disk with one, is compared; and what is not, of it and of the published files.

    A disk is one of the disks that were published, whatever it is called: registers and the UKI's digest speak of its boot
    file alone. Where no disk was published, nobody sees the rest of it.
    """
    if disk is None:
        checks: tuple[Check, ...] = (check_one_artifact(published, found),)
        return checks, _others(published, {found.sha256}, checks)
    of_disk = _check_disk_whatever_its_name(published, disk)
    checks = of_disk
    if not of_disk or any(item.sha256 == found.sha256 for item in published):
        checks = (*of_disk, check_one_artifact(published, found))
    unseen = _others(published, {found.sha256, disk.sha256}, checks)
    return checks, unseen if of_disk else (_rest_of(disk), *unseen)


_DISKS = (".raw", ".img", ".vhd", ".vhdx", ".qcow2", ".vmdk", ".iso", ".tar", ".tgz")
_PACKED = (".gz", ".xz", ".zst", ".bz2")
_NO_DISKS = (
    *(".efi", ".vmlinuz", ".initrd", ".cpio"),
    *(".manifest", ".changelog", ".json", ".txt", ".pcrlock", ".sig", ".asc"),
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
    if alike or disks:  # a disk was published, and this one has other bytes: it may be called what it likes
        return (_check_disk((alike or disks)[0], disk),)
    return tuple(
        Check(ArtifactCheck(item.name), Outcome.NOT_CHECKED, _digest(item), reason=Because(Why.MAY_BE_THIS_DISK))
        for item in published
        if not _stem(item.name.lower()).endswith(_NO_DISKS)
    )


def _rest_of(disk: Disk) -> Check:
    subject = ArtifactCheck(disk.name, ArtifactPart.REST_OF_DISK)
    return Check(subject, Outcome.NOT_CHECKED, reason=Because(Why.NO_DISK_PUBLISHED))


def _others(published: Sequence[Artifact], seen: set[Digest | None], checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The published files that this one is not."""
    compared = {check.subject for check in checks}
    return tuple(
        Check(ArtifactCheck(item.name), Outcome.NOT_CHECKED, _digest(item), reason=Because(Why.ANOTHER_FILE))
        for item in published
        if item.sha256 not in seen and ArtifactCheck(item.name) not in compared
    )


def as_claims(checks: tuple[Check, ...]) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
    """What decides, and what does not: measurements can be about another artifact than was published, which speaks against
    them; that they are about this one is only said.
    """
    decisive, said = [], []
    for check in checks:
        assert isinstance(check.subject, ArtifactCheck)  # noqa: S101 - `check_boot_file` makes no other
        claim = replace(check, subject=replace(check.subject, part=ArtifactPart.CLAIM))
        if check.outcome is Outcome.MATCH:
            said.append(replace(claim, outcome=Outcome.NOT_CHECKED, reason=Because(Why.ONLY_CLAIMED)))
        else:
            decisive.append(claim)
    return tuple(decisive), tuple(said)


def _check_disk(published: Artifact, disk: Disk) -> Check:
    if disk.sha256 is not None:
        return _check(published, Artifact(disk.name, disk.size_bytes, disk.sha256))
    if disk.size_bytes != published.size_bytes:
        return _mismatch(published.name, published, None, OtherSize(published.size_bytes, disk.size_bytes))
    reason = Because(Why.DISK_DIGEST_UNKNOWN)
    return Check(ArtifactCheck(published.name), Outcome.NOT_CHECKED, _digest(published), reason=reason)


def _digest(artifact: Artifact | None) -> str:
    return "" if artifact is None else artifact.sha256.hex
