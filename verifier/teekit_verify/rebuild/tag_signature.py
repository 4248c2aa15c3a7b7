"""Signatures of git tags: checked by gpg or ssh-keygen in a sandbox, against one given key."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from teekit_verify.core.errors import TeekitError, ToolFailedError, printable
from teekit_verify.core.files import write_whole
from teekit_verify.documents import codec
from teekit_verify.rebuild import programs

_BEGIN_KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_PGP, _SSH = b"-----BEGIN PGP SIGNATURE-----\n", b"-----BEGIN SSH SIGNATURE-----\n"
_SECONDS = 60
_MOST_BYTES = 1 << 20
_BOUNDS = (f"--as={1 << 30}", f"--fsize={64 << 20}", "--cpu=60")
_GIVEN = "/given"  # the place of key, text and signature in the sandbox
_GPG = f"""\
gpg() {{
    command gpg --homedir /tmp/gnupg --no-options --batch --no-tty --no-auto-key-retrieve --no-autostart "$@"
}}
mkdir -m 700 /tmp/gnupg && gpg --quiet --import {_GIVEN}/key >&2 &&
    gpg --status-fd 1 --verify {_GIVEN}/signature {_GIVEN}/text
"""
_HINT = "Do not trust this tag, or give the key that its maker published."


class TagSignatureError(TeekitError):
    """A tag has no good signature of the given key."""


def verify(tag: str, commit: str, content: bytes | None, key: Path) -> str:
    """Whose signature the tag has. `content` is the tag object, `key` an OpenPGP public key or ssh's allowed signers.

    Raises TagSignatureError unless the signature is good and covers this very name and commit: a good signature of
    another tag, moved here, is none.
    """
    trusted = codec.read_bounded(key)
    text, signature, kind = _split(tag, content)
    header = text.split(b"\n\n", 1)[0].split(b"\n")
    if header[:3] != [f"object {commit}".encode(), b"type commit", f"tag {tag}".encode()]:
        raise TagSignatureError(f"what is signed is not the tag {tag} of the commit {commit}", hint=_HINT)
    is_pgp = _BEGIN_KEY in trusted
    if is_pgp is not (kind == _PGP):
        raise TagSignatureError(
            f"the tag {tag} has an {'OpenPGP' if kind == _PGP else 'ssh'} signature, but {key} is a key of the other kind",
            hint="Give an OpenPGP public key, or a file of allowed signers (ssh-keygen(1)).",
        )
    with tempfile.TemporaryDirectory(prefix="teekit-tag-") as folder:
        place = Path(folder)
        for name, data in (("key", trusted), ("text", text), ("signature", signature)):
            write_whole(place / name, data)
        programs.opened_up(place)
        try:
            return _verify_pgp(place) if is_pgp else _verify_ssh(place)
        except ToolFailedError as error:
            raise TagSignatureError(
                f"the tag {tag} has no good signature of a key in {key}: {error.message}", hint=_HINT
            ) from error


def _split(tag: str, content: bytes | None) -> tuple[bytes, bytes, bytes]:
    """(what is signed, signature, its kind); the signature is the last thing in a tag object."""
    for kind in (_PGP, _SSH):
        text, found, rest = (content or b"").rpartition(b"\n" + kind)
        if found:
            return text + b"\n", kind + rest, kind
    raise TagSignatureError(f"the tag {tag} is not signed", hint=_HINT)


def _verify_pgp(place: Path) -> str:
    status = _run(["sh", "-c", _GPG], place).decode(errors="replace")
    good = re.search(r"^\[GNUPG:\] GOODSIG \S+ (.+)$", status, re.MULTILINE)
    valid = re.search(r"^\[GNUPG:\] VALIDSIG ([0-9A-F]+) ", status, re.MULTILINE)
    if good is None or valid is None:  # an expired or revoked key, or an expired signature
        raise ToolFailedError("gpg", "does not call the signature good")
    return printable(f"{good[1]} (key {valid[1]})")


def _verify_ssh(place: Path) -> str:
    files = ["-f", f"{_GIVEN}/key", "-s", f"{_GIVEN}/signature"]
    owner = _run(["ssh-keygen", "-Y", "find-principals", *files], place).decode(errors="replace").splitlines()[0]
    _run(["ssh-keygen", "-Y", "verify", "-n", "git", "-I", owner, *files], place, stdin=(place / "text").read_bytes())
    return printable(owner)


def _run(command: list[str], place: Path, stdin: bytes | None = None) -> bytes:
    return programs.run(
        command, bounds=_BOUNDS, timeout_seconds=_SECONDS, reads={_GIVEN: place}, stdin=stdin, most_bytes=_MOST_BYTES
    ).stdout
