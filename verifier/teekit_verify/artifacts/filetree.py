"""What file systems hold, whatever their kind: one entry per name, with all that a guest sees of it."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MAX_ENTRIES = 500_000
MAX_NAMES_BYTES = 64 << 20
MAX_TARGET_BYTES = 4096
"""PATH_MAX of Linux: no symlink is longer."""
MAX_XATTR_BYTES = 1 << 16
"""XATTR_SIZE_MAX of Linux."""
_MAX_ATTRIBUTES_BYTES = 1 << 30
"""Of all entries: whoever walks keeps them, and many inodes may name the same block of them."""
_MAX_DEPTH = 128
_MAX_NAME_BYTES = 255
_ZERO_BYTES = 1 << 18
LEAST_READ_BYTES = 512
_MOST_METERED, _FREE_METERED, _TIMES_METERED = 8 << 30, 16 << 20, 256


@frozen
class Node:
    """An inode. `content` gives a file's bytes in pieces, as often as it is asked; `mtime` is in nanoseconds since 1970,
    None where the file system keeps none of its own.
    """

    inode: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int | None
    size_bytes: int
    content: Callable[[], Iterator[bytes]]
    device: tuple[int, int] = (0, 0)
    target: str = ""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    others: tuple[tuple[str, str], ...] = ()
    """Fields that only this kind of file system has, by name, as text."""
    stored: Callable[[], Iterator[bytes]] | None = None
    """The content as it is packed, with all that its unpacking depends on: where that is equal in two files, their contents are."""


@frozen
class TreeFile:
    """A name (a path without a slash in front, "." for the root) and its inode."""

    name: str
    node: Node


@dataclass(slots=True)
class Meter:
    """How much of its tables, folders and inodes may still be read of a file system: all in all, as many of them may name the same place.

    A read counts as LEAST_READ_BYTES at least, so that the number of reads is bounded as well.
    """

    what: str
    left: int

    @classmethod
    def of(cls, what: str, image_bytes: int) -> Meter:
        """In proportion to the image: what is read of a real one is no more than some times its size."""
        return cls(what, min(_MOST_METERED, _FREE_METERED + _TIMES_METERED * image_bytes))

    def spend(self, size_bytes: int, pieces: int = 1) -> None:
        """Of each of the pieces, or of what is read as one. Raises UnsupportedInputError."""
        self.left -= pieces * max(size_bytes, LEAST_READ_BYTES)
        if self.left < 0:
            raise UnsupportedInputError(
                f"{self.what}: more folders and tables, or larger ones, than this program reads"
            )


@dataclass(slots=True)
class Walk:
    """Goes through a tree from `root` down, directories in their own order; every bound is checked here.

    `node` reads an inode by its reference, `children` the names in a directory with the references they stand for.
    """

    what: str
    node: Callable[[int], Node]
    children: Callable[[int], Iterable[tuple[bytes, int]]]
    _count: int = 0
    _names_bytes: int = 0
    _attributes_bytes: int = 0
    _seen: set[int] = field(default_factory=set)

    def files(self, root: int) -> Iterator[TreeFile]:
        """Raises MalformedInputError for directories in a circle and impossible names, UnsupportedInputError beyond the bounds."""
        yield from self._below(root, "", 0)

    def _below(self, reference: int, path: str, depth: int) -> Iterator[TreeFile]:
        node = self.node(reference)
        self._attributes_bytes += len(node.target) + sum(len(value) for _, value in node.xattrs)
        if self._attributes_bytes > _MAX_ATTRIBUTES_BYTES:
            raise UnsupportedInputError(f"{self.what}: extended attributes of more than {_MAX_ATTRIBUTES_BYTES} bytes")
        yield TreeFile(path or ".", node)
        if not stat.S_ISDIR(node.mode):
            return
        if reference in self._seen:
            raise self._bad(path, "the directory is reached twice: the tree has a cycle")
        if depth > _MAX_DEPTH:
            raise UnsupportedInputError(f"{self.what}: more than {_MAX_DEPTH} directories in each other")
        self._seen.add(reference)
        for raw, child in self.children(reference):
            if raw in {b".", b".."}:
                continue
            yield from self._below(child, self._joined(path, raw), depth + 1)

    def _joined(self, path: str, raw: bytes) -> str:
        if not 0 < len(raw) <= _MAX_NAME_BYTES or b"/" in raw or b"\0" in raw:
            raise self._bad(path, f"{raw[:_MAX_NAME_BYTES]!r} is not a name")
        name = raw.decode("utf-8", "surrogateescape")
        joined = f"{path}/{name}" if path else name
        self._count += 1
        self._names_bytes += len(joined)
        if self._count > MAX_ENTRIES or self._names_bytes > MAX_NAMES_BYTES:
            raise UnsupportedInputError(f"{self.what}: more than {MAX_ENTRIES} entries, or too long names")
        return joined

    def _bad(self, path: str, problem: str) -> MalformedInputError:
        return MalformedInputError(
            self.what, field=printable(path or "root directory"), offset=0, problem=printable(problem)
        )


def nothing() -> Iterator[bytes]:
    """The content of what is no file."""
    return iter(())


def zeros(size_bytes: int) -> Iterator[bytes]:
    """A hole, in pieces."""
    piece = bytes(min(size_bytes, _ZERO_BYTES))
    while size_bytes > 0:
        yield piece[:size_bytes]
        size_bytes -= len(piece)


def linux_device(number: int) -> tuple[int, int]:
    """Major and minor number: Linux include/linux/kdev_t.h, new_decode_dev()."""
    return (number & 0xFFF00) >> 8, (number & 0xFF) | ((number >> 12) & 0xFFF00)
