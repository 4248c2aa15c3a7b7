"""The releases of a folder: what each release.json says, held against its reference file, and who signed that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.documents.load import parse_reference
from teekit_verify.documents.release import load_release
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.detached import verify_reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.documents.model import Reference
    from teekit_verify.documents.release import Release
    from teekit_verify.reference.signing.detached import Verification
    from teekit_verify.reference.signing.keys import TrustedKey

SIGNATURE = ".sig"


class Disagreement(Enum):
    """What release.json and its reference file say differently: then nobody knows which of them was meant."""

    COMMIT = "commit"
    IMAGE = "image"
    PROFILES = "profiles"


@dataclass(frozen=True, slots=True)
class KnownRelease:
    """A release of a folder. `sha256` is that of the reference file; `verified` is None where no keys were given, or nobody signed."""

    name: str
    release: Release
    reference: Reference
    sha256: Digest
    has_signature_file: bool
    verified: Verification | None
    disagreements: tuple[Disagreement, ...]


@dataclass(frozen=True, slots=True)
class DamagedRelease:
    """One that cannot be read; `problem` says why."""

    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class Releases:
    """Those of a folder, by name. `asked` is whether signatures were to be checked."""

    folder: str
    releases: tuple[KnownRelease | DamagedRelease, ...]
    asked: bool

    @property
    def status(self) -> ExitStatus:
        """NO_VERDICT for a damaged one, or none; DOES_NOT_HOLD for one that disagrees with itself, or that no trusted key signed.

        Signatures of withdrawn releases are not asked for: nobody is to accept them.
        """
        if not self.releases or any(isinstance(item, DamagedRelease) for item in self.releases):
            return ExitStatus.NO_VERDICT
        fine = all(_is_fine(item, asked=self.asked) for item in self.releases if isinstance(item, KnownRelease))
        return ExitStatus.HOLDS if fine else ExitStatus.DOES_NOT_HOLD


def _is_fine(known: KnownRelease, *, asked: bool) -> bool:
    signed = known.verified is not None and known.verified.status is ExitStatus.HOLDS
    return not known.disagreements and (signed or not asked or known.release.withdrawn is not None)


def list_releases(folder: Path, trusted: Sequence[TrustedKey] | None = None, on: date | None = None) -> Releases:
    """Every folder in `folder` with a release.json, by name. `trusted` goes with `on`, the day the keys must be good for."""
    names = sorted(path.parent.name for path in folder.glob("*/release.json"))
    return Releases(
        str(folder), tuple(_known_or_damaged(folder, name, trusted, on) for name in names), trusted is not None
    )


def _known_or_damaged(
    folder: Path, name: str, trusted: Sequence[TrustedKey] | None, on: date | None
) -> KnownRelease | DamagedRelease:
    try:
        return find_release(folder, name, trusted, on)
    except TeekitError as error:
        return DamagedRelease(name, error.message)


def find_release(
    folder: Path, name: str, trusted: Sequence[TrustedKey] | None = None, on: date | None = None
) -> KnownRelease:
    """The release of that name. Raises TeekitError for a name that is none, for files that cannot be read, and for a reference file of another release.

    The publisher signed that one as well: under a new name an old release, with all its statements, would look like a new one.
    """
    release, path = load_release(folder, name)
    data = codec.read_bounded(path)
    reference = parse_reference(data, str(path))
    if reference.release != name:
        raise TeekitError(
            f"{path.name} is of the release '{printable(reference.release)}', not of '{printable(name)}'",
            hint="Ask the publisher.",
        )
    signature = path.with_name(path.name + SIGNATURE)
    signed = signature.is_file()
    verified = None
    if signed and trusted is not None and on is not None:
        verified = verify_reference(data, dsse.parse(codec.read_bounded(signature), str(signature)), trusted, on)
    digest = Digest.of(Algorithm.SHA256, data)
    return KnownRelease(name, release, reference, digest, signed, verified, tuple(_disagreements(release, reference)))


def _disagreements(release: Release, reference: Reference) -> list[Disagreement]:
    said = {
        Disagreement.COMMIT: release.commit is None or release.commit == reference.commit,
        Disagreement.IMAGE: release.image == reference.inputs.image,
        Disagreement.PROFILES: sorted(release.profiles) == sorted(reference.inputs.profiles),
    }
    return [what for what, agrees in said.items() if not agrees]
