"""Files of reference values: written, read, checked, signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import write_named, write_whole
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import codec
from teekit_verify.documents.create import create_reference as new_reference
from teekit_verify.documents.create import dump_reference, require_measured_from
from teekit_verify.documents.load import load_measurements, load_reference, parse_reference
from teekit_verify.prediction.given_apps import accepting, also_accepting
from teekit_verify.record.publishable import load_publishable
from teekit_verify.reference import formats
from teekit_verify.reference.extend import add_values
from teekit_verify.reference.formats import load_published
from teekit_verify.reference.signing import dsse, keys
from teekit_verify.reference.signing.detached import sign_reference as sign_bytes
from teekit_verify.reference.signing.detached import verify_reference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.documents.model import Reference
    from teekit_verify.prediction.given_apps import GivenApps
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.published import PublishedFile
    from teekit_verify.reference.signing.detached import Verification
    from teekit_verify.reference.signing.keys import SigningKey


@frozen
class PublishedReference:
    """A file of any known format. `own` is the whole document where it is one of this project."""

    published: PublishedFile
    own: Reference | None


def load_reference_values(file: Path, *, root: TrustedRoot | None = None) -> PublishedReference:
    """Reference values of any known format, well formed: every event log leads to its value. `root` is for those that Google signs.

    Raises TeekitError for other files, for a field nobody knows, and NotAuthenticError for signatures that do not hold.
    """
    published = load_published(file, root)
    own = load_reference(file) if published.format == formats.native.FORMAT.name else None
    return PublishedReference(published, own)


def create_reference(
    report: Path,
    *,
    release: str,
    output: Path,
    commit: str | None = None,
    measurements: Sequence[Path] = (),
    given: GivenApps | None = None,
) -> PublishedFile:
    """Write the reference values of a rebuild whose builds were equal (`report` is its folder), and read them back.

    `commit`: what the source's commit is expected to be. `measurements`: files with registers of the same image on other machines.
    `given`: what machines may be given to run.

    Raises TeekitError for other reports, and for measurements of another image.
    """
    build, measured, source = load_publishable(report, commit)
    more = [load_measurements(path) for path in measurements]
    require_measured_from(build, more)
    document = new_reference(release=release, commit=source, build=build, measurements=[measured, *more])
    if given is not None:
        document = accepting(document, given, release)
    write_named(output, dump_reference(document))
    return load_published(output)


def extend_reference(
    file: Path, measurements: Path | None = None, *, label: str, output: Path, given: GivenApps | None = None
) -> None:
    """Write the reference with more acceptable values, or more that machines may be `given` to run, told from the others by `label`.

    Raises TeekitError for measurements of an artifact that the file does not list, and of machines that it has; for apps of an image that
    does not measure them, or that it accepts already; and where there is nothing to add.
    """
    if measurements is None and given is None:
        raise TeekitError("there is nothing to add", hint="Give MEASUREMENTS, or --manifest.")
    document = load_reference(file)
    if measurements is not None:
        document = add_values(document, load_measurements(measurements), label)
    if given is not None:
        document = also_accepting(document, given, label)
    write_named(output, dump_reference(document))


def signature_of(file: Path) -> Path:
    """Where the signature of a reference file is kept."""
    return file.with_name(file.name + ".sig")


def key_is_encrypted(file: Path) -> bool:
    """Whether a private key can only be read with a passphrase. Raises TeekitError for a file that cannot be read."""
    return keys.is_encrypted(file)


def load_signing_key(file: Path, passphrase: bytes | None = None, agent: Path | None = None) -> tuple[SigningKey, bool]:
    """A private key (PEM or OpenSSH's: Ed25519, ECDSA P-256 or RSA), and whether other users can read its file. Raises TeekitError.

    `passphrase` is for a key that is encrypted, which `key_is_encrypted` says. `agent` is the socket of an SSH agent, for the private key of
    a public one of OpenSSH's.
    """
    return keys.load_signing_key(file, passphrase, agent), keys.readable_by_others(file)


def public_half(key: SigningKey) -> bytes:
    """The public key, as a PEM file that others pin."""
    return keys.public_pem(key.private.public_key())


def sign_reference(file: Path, key: SigningKey) -> Path:
    """Write the signature of exactly these bytes beside them. Signatures of others over the same bytes stay.

    Raises TeekitError for a file that is not a reference, and for a signature file of other bytes.
    """
    data, target = codec.read_bounded(file), signature_of(file)
    earlier = dsse.parse(codec.read_bounded(target), str(target)) if target.exists() else None
    write_whole(target, sign_bytes(data, key, str(file), earlier))
    return target


def verify_reference_signature(
    file: Path, trusted_keys: Path, on: date, *, signature: Path | None = None
) -> Verification:
    """Whether a trusted key signed exactly this file. `trusted_keys`: a folder of OWNER.pem; `on`: the day on which none may have expired.

    Raises TeekitError for what cannot be read, and for a signed file that is not a reference.
    """
    trusted = keys.load_trusted_keys(trusted_keys)
    data, place = codec.read_bounded(file), signature or signature_of(file)
    if signature is None and not place.exists():
        raise TeekitError(
            f"{file}: has no signature beside it: no file {place}", hint="Name its signature with --signature FILE."
        )
    envelope = dsse.parse(codec.read_bounded(place), str(place))
    result = verify_reference(data, envelope, trusted, on)
    parse_reference(data, str(file))
    return result
