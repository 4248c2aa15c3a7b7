"""What a project's file of apt's sources asks for, in either of its forms: sources.list(5), "One-line-style format" and "deb822-style format".

Options that would have apt believe more than a signature are read over: our own line for a repository has none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.core.files import read_bounded, resolved
from teekit_verify.rebuild import openpgp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINE = re.compile(r"[ \t]*deb[ \t]+(?:\[(?P<options>[^\]]*)\][ \t]*)?(?P<rest>[^\s#\[][^#]*)")
_SIGNED_BY = re.compile(r"(?:^|\s)signed-by=(\S+)", re.IGNORECASE)
_NO = frozenset({"no", "false", "0", "off", "without", "disable"})  # apt's StringToBool
_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
MOST_ENTRIES = 500
"""Of one project. A stanza asks for each of its suites at each of its addresses, so that its length does not bound them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One suite of one address. `key` is what the project has of its key; `file` says where in the project it is asked for."""

    address: str
    suite: str
    components: tuple[str, ...]
    key: bytes | None
    file: str


def without_keys(text: str) -> str:
    """The text less the keys in it, and less what is a comment: armor may have an address in it."""
    plain = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    last_end = max((number for number, line in enumerate(plain) if line.lstrip().startswith(_END)), default=-1)
    kept, inside = [], False
    for number, line in enumerate(plain):
        inside = inside or (line.lstrip().startswith(_BEGIN) and number < last_end)
        if not inside:
            kept.append(line)
        elif line.lstrip().startswith(_END):
            inside = False
            kept.append(line.lstrip().removeprefix(_END))
    return "\n".join(kept)


def entries(path: Path, text: str, tree: Path, file: str) -> Iterator[Entry]:
    """`tree` is the folder that is `/` for apt, where the paths of keys begin. Sources of source packages are left out."""
    found = _of_stanzas(text, tree) if path.suffix == ".sources" else _of_lines(text, tree)
    for address, suite, components, key in found:
        yield Entry(address.rstrip("/"), suite, components, key, file)


_Found = tuple[str, str, tuple[str, ...], bytes | None]


def _of_lines(text: str, tree: Path) -> Iterator[_Found]:
    for line in text.splitlines():
        match = _LINE.match(line)
        words = match["rest"].split() if match else []
        if match is None or not words[1:]:
            continue
        signed = _SIGNED_BY.search(match["options"] or "")
        yield words[0], words[1], tuple(words[2:]), _key_file(signed[1], tree) if signed else None


def _of_stanzas(text: str, tree: Path) -> Iterator[_Found]:
    plain = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", plain):
        fields = dict(_fields(stanza))
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() in _NO:
            continue
        addresses, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
        key = _key(fields.get("signed-by", ""), tree) if addresses and suites else None
        for address in addresses:
            for suite in suites:
                yield address, suite, tuple(fields.get("components", "").split()), key


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    """Names in lower case; a value's further lines begin with a space, and one with a dot alone is empty (deb822(5))."""
    for match in re.finditer(r"^([A-Za-z-]+):(.*(?:\n[ \t]+.*)*)", stanza, re.MULTILINE):
        lines = (line.strip() for line in match[2].split("\n"))
        yield match[1].lower(), "\n".join("" if line == "." else line for line in lines)


def _key(value: str, tree: Path) -> bytes | None:
    if "-----BEGIN" in value:
        return value.strip().encode() + b"\n"
    words = value.split()
    return _key_file(words[0], tree) if len(words) == 1 else None


def _key_file(place: str, tree: Path) -> bytes | None:
    """A plain file of the project; None for what is none, a fingerprint among it: that names a key, and is not it."""
    parts = PurePosixPath(place).parts
    if not place.startswith("/") or ".." in parts:
        return None
    path = tree.joinpath(*parts[1:])
    if path.is_symlink() or not path.is_file() or not resolved(path).is_relative_to(tree.resolve()):
        return None
    return read_bounded(path, openpgp.MOST_KEY_BYTES, "a repository's key")
