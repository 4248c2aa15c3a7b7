"""Published reference values of every format. Exactly one recogniser accepts a file; a format is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.documents import codec
from teekit_verify.documents.model import MEASUREMENTS_SCHEMA, REFERENCE_SCHEMA
from teekit_verify.reference.formats import (
    contrast,
    corim,
    dstack_mr,
    dstack_mr_gcp,
    dstack_tcb_info,
    flashbots,
    gce_endorsement,
    go_tdx_guest,
    measured_boot,
    measurements,
    native,
    pcrlock,
    portable,
    rvps,
    tinfoil,
)
from teekit_verify.reference.formats.base import Format, Source
from teekit_verify.reference.published import PublishedFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.core.files import OpenedInput
    from teekit_verify.reference.google_signature import TrustedRoot

FORMATS: tuple[Format, ...] = (
    native.FORMAT,
    measurements.FORMAT,
    dstack_mr.FORMAT,
    dstack_mr_gcp.FORMAT,
    dstack_tcb_info.FORMAT,
    measured_boot.FORMAT,
    flashbots.FORMAT,
    portable.FORMAT,
    pcrlock.FORMAT,
    gce_endorsement.FORMAT,
    tinfoil.FORMAT,
    contrast.FORMAT,
    rvps.FORMAT,
    go_tdx_guest.FORMAT,
    corim.FORMAT,
)


def load_published(path: Path, root: TrustedRoot | None = None) -> PublishedFile:
    """Reference values from a file of any known format; `root` is what those that are signed must lead to.

    Raises TeekitError for other files, for a field nobody knows, and NotAuthenticError for signatures that do not hold.
    """
    source = read_source(path, root)
    found = recognise(source)
    return PublishedFile(found.name, Digest.of(Algorithm.SHA256, source.data), tuple(found.read(source)))


def read_source(path: Path, root: TrustedRoot | None = None) -> Source:
    """The bytes, and their JSON if they begin like some. Raises TeekitError for what cannot be read or is no JSON then."""
    return _source(codec.read_bounded(path), path, root)


def source_in(file: OpenedInput) -> Source:
    """The same of an opened file."""
    return _source(file.whole(codec.MAX_DOCUMENT_BYTES, codec.WHAT), file.path, None)


def _source(data: bytes, path: Path, root: TrustedRoot | None) -> Source:
    json = codec.bounded_json(data, str(path)) if data.lstrip()[:1] in {b"{", b"["} else None
    return Source(str(path), data, json, root)


def recognise(source: Source, formats: Sequence[Format] = FORMATS) -> Format:
    """The only format that knows the file. Raises UnsupportedInputError if there is none, TeekitError if there are several."""
    found = [item for item in formats if item.recognises(source)]
    if not found and isinstance(source.json, dict) and isinstance(source.json.get("schema"), str):
        schema = printable(source.json["schema"][:80])
        raise UnsupportedInputError(
            f"{source.where}: schema: expected '{REFERENCE_SCHEMA}' or '{MEASUREMENTS_SCHEMA}', found '{schema}'",
            hint="Use a file of the expected kind, or the release of teekit-verify that wrote this one.",
        )
    if not found:
        raise UnsupportedInputError(
            f"{source.where}: is not a reference file of a known format",
            hint="Give one that `reference create` or `measure` wrote, or another verifier's of docs/formats.md.",
        )
    if len(found) > 1:
        names = " and ".join(item.name for item in found)
        raise TeekitError(f"{source.where}: could be a file of several formats: {names}", hint="Report this.")
    return found[0]
