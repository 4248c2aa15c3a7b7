"""A git bundle of one commit (gitformat-bundle(5), gitformat-pack(5)): its tree without its history, always the same bytes.

Objects are stored, not compressed: what zlib makes of them differs by version. Parents stand as prerequisites, as in any bundle.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.rebuild import checkout, git
from teekit_verify.rebuild.git import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_SIGNATURES = {40: b"# v2 git bundle\n", 64: b"# v3 git bundle\n@object-format=sha256\n"}
_PARENT = re.compile(rb"^parent ([0-9a-f]{40,64})$", re.MULTILINE)
_MOST_HEADER_BYTES = 1 << 16
_MOST_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class _Object:
    kind: str
    object_id: str
    content: bytes


def make(folder: Path, commit: str, tag: str | None) -> bytes:
    """A bundle of the commit in the repository `folder`, and of the tag, if it is an annotated one. Raises GitError."""
    checkout.list_files(folder, commit)  # bounded, and nothing but plain files
    listing = git.read(folder, "ls-tree", "-r", "-t", "-z", git.require_commit(commit)).split(b"\0")
    ids = {line.split()[2].decode() for line in listing if line}
    ids |= {commit, git.read(folder, "rev-parse", f"{commit}^{{tree}}").decode().strip()}
    name, tip = "HEAD", commit
    if tag is not None:
        name = f"refs/tags/{git.require_tag(tag)}"
        tip = git.read(folder, "rev-parse", "--verify", name).decode().strip()
        ids.add(tip)
    objects = _read(folder, sorted(ids))
    head = next(one for one in objects if one.object_id == commit).content.partition(b"\n\n")[0]
    parents = b"".join(b"-%s\n" % parent for parent in _PARENT.findall(head))
    return b"%s%s%s %s\n\n" % (_SIGNATURES[len(commit)], parents, tip.encode(), name.encode()) + _pack(objects, commit)


def _read(folder: Path, ids: list[str]) -> list[_Object]:
    kinds = git.read(
        folder, "cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{one}\n" for one in ids).encode()
    )
    contents = checkout.objects(folder, ids)
    return [_Object(*parts) for parts in zip(kinds.decode().split(), ids, contents, strict=True)]


def _pack(objects: Iterable[_Object], commit: str) -> bytes:
    """In the order of kinds and names."""
    ordered = sorted(objects, key=lambda one: (_KINDS[one.kind], one.object_id))
    packed = b"".join(_entry(one) for one in ordered)
    data = struct.pack(">4sII", b"PACK", 2, len(ordered)) + packed
    return data + hashlib.new("sha1" if len(commit) == 40 else "sha256", data, usedforsecurity=False).digest()  # noqa: PLR2004


def _entry(one: _Object) -> bytes:
    """Three bits of kind and the size, least bits first: 4 in the first byte, 7 in those after it."""
    size, byte = len(one.content) >> 4, _KINDS[one.kind] << 4 | len(one.content) & 15
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        size, byte = size >> 7, size & 0x7F
    head.append(byte)
    return bytes(head) + zlib.compress(one.content, 0)


def pack_of(path: Path) -> tuple[dict[str, str], bytes]:
    """The references of a bundle (name -> object id), and its pack. Raises GitError for what is none."""
    if path.stat().st_size > _MOST_BYTES:
        raise GitError(f"{path}: is larger than any source we know", hint="Ask whoever made it.")
    data = path.read_bytes()
    end = data.find(b"\n\n", 0, _MOST_HEADER_BYTES)
    if end < 0 or not data.startswith((b"# v2 git bundle\n", b"# v3 git bundle\n")):
        raise GitError(f"{path}: is not a git bundle", hint="Ask whoever made it.")
    lines = data[:end].decode("ascii", "replace").splitlines()[1:]
    named = [line.partition(" ") for line in lines if not line.startswith(("-", "@"))]
    return {name: object_id for object_id, _, name in named}, data[end + 2 :]
