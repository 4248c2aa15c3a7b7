"""A signed index of a repository: what its InRelease file signs, by whom, and which Packages files that names."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.files import create_folder, write_whole
from teekit_verify.rebuild import programs
from teekit_verify.rebuild.archive import ArchiveError

if TYPE_CHECKING:
    from teekit_verify.core.download import DownloadStore

INDEX = "binary-amd64/Packages"
ENDINGS = (".xz", ".gz", "")
MAX_RELEASE_BYTES = 8 << 20
MAX_INDEX_BYTES = 1 << 30
_SECONDS = 60
_BOUNDS = (f"--as={1 << 30}", f"--fsize={MAX_RELEASE_BYTES}", "--cpu=60")
_KEYRING = "/keyring.gpg"  # its place in the sandbox
# What gpgv says, a zero, and what is signed. A signature of a key that the keyring lacks makes its status 2, whatever the others are.
_CHECK = """\
cd /tmp && cat >release || exit
gpgv --homedir /tmp --keyring "$1" --status-fd 1 --output text release || [ $? -le 2 ] || exit
printf '\\0' && { [ ! -f text ] || cat text; }
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """What gpgv says of an InRelease file; `text` is what was signed, and nothing around it."""

    text: str
    signers: tuple[str, ...]
    has_expired_key: bool


def best_index(release: str, suite: str, path: str) -> tuple[str, Digest, int]:
    """(ending, digest, bytes) of the smallest form of the index."""
    listed = listed_files(release)
    for ending in ENDINGS:
        if (found := listed.get(path + ending)) is not None:
            return ending, *found
    raise ArchiveError(f"the signed Release file of {suite} names no {path}")


def listed_files(release: str) -> dict[str, tuple[Digest, int]]:
    """Path -> digest and size, of the field SHA256."""
    block = re.search(r"^SHA256:[ \t]*\n((?: [^\n]*\n)+)", release, re.MULTILINE)
    rows = re.findall(r"^ ([0-9a-f]{64}) +([0-9]{1,15}) (\S+)$", block[1] if block else "", re.MULTILINE)
    return {path: (Digest.from_hex(Algorithm.SHA256, digest), int(size)) for digest, size, path in rows}


def signed_by(message: bytes, key: bytes) -> Signed | None:
    """As `signed`, for a key that is in no file yet."""
    with tempfile.TemporaryDirectory(prefix="teekit-key-") as folder:
        place = Path(folder) / "key.gpg"
        place.write_bytes(key)
        programs.opened_up(place.parent)
        return signed(message, place)


def signed(message: bytes, keyring: Path) -> Signed | None:
    """What is signed by a key of the keyring; None if nothing is.

    A key may have expired since (the signature is of the day of the Release file), but none may be revoked, and a signature that
    is bad spoils all. Those of keys that the keyring does not have are passed over: newer archives sign with newer keys too.
    """
    if not _is_one_message(message):
        return None
    said = programs.run(
        ["sh", "-c", _CHECK, "sh", _KEYRING],
        bounds=_BOUNDS,
        timeout_seconds=_SECONDS,
        reads={_KEYRING: keyring},
        stdin=message,
        most_bytes=2 * MAX_RELEASE_BYTES,
    ).stdout
    status, _, content = said.partition(b"\0")
    states = re.findall(rb"^\[GNUPG:\] ([A-Z]+)(?: ([0-9A-F]+))?", status, re.MULTILINE)
    names = {name for name, _ in states}
    signers = tuple(value.decode() for name, value in states if name == b"VALIDSIG")
    if not signers or not names & {b"GOODSIG", b"EXPKEYSIG"} or names & {b"BADSIG", b"REVKEYSIG", b"EXPSIG"}:
        return None
    return Signed(content.decode("utf-8", "replace"), signers, b"EXPKEYSIG" in names)


def _is_one_message(data: bytes) -> bool:
    """One clear-signed text and its signatures (RFC 9580, 7). gpgv joins the texts of several, of which one may be unsigned."""
    headings = re.findall(rb"^-----BEGIN[^\n]*", data, re.MULTILINE)
    expected = [b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----"]
    return [line.rstrip() for line in headings] == expected and data.startswith(expected[0])


def put(content: bytes, store: DownloadStore) -> str:
    """The SHA-256 in hexadecimal, by which the store has the content afterwards."""
    digest = Digest.of(Algorithm.SHA256, content)
    create_folder(store.path(digest).parent)
    write_whole(store.path(digest), content)
    return digest.hex
