"""An initrd as Linux unpacks it (init/initramfs.c, unpack_to_rootfs()): cpio archives in a row, each plain or compressed,
with zeros between them. Microcode comes first, in a plain one.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from teekit_verify.artifacts import cpio
from teekit_verify.artifacts.compressed import Ahead, Budget, Decompressed, zstd_frame_end
from teekit_verify.artifacts.magic import COMPRESSION_MAGIC_BYTES, Compression, compression_of
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from teekit_verify.artifacts.blob import Blob

MAX_UNPACKED_BYTES = 16 << 30
"""About ten seconds of zeros."""
_BUFFER_BYTES = 1 << 18
_MAX_MEMBERS = 1000


@frozen
class Member:
    """A part of an initrd: `start` in it, and how it is compressed (None: not at all)."""

    start: int
    compression: Compression | None

    @property
    def form(self) -> str:
        """How it is compressed, for people."""
        return self.compression.value if self.compression else "plain"


def member_at(blob: Blob, at: int) -> Member | None:
    """The member that begins at `at` or after zeros from there on; None at the end.

    Raises MalformedInputError for something else, UnsupportedInputError for a compression that is not read.
    """
    for piece in blob.pieces(at):
        stripped = piece.lstrip(b"\0")
        at += len(piece) - len(stripped)
        if stripped:
            break
    beginning = blob.read(at, COMPRESSION_MAGIC_BYTES)
    if not beginning:
        return None
    compression = compression_of(beginning)
    if compression is None and beginning not in cpio.MAGIC:
        problem = f"expected a cpio archive, plain or compressed, found {beginning!r}"
        raise MalformedInputError("initrd", field="archive", offset=at, problem=problem)
    return Member(at, compression)


def holds_archive(blob: Blob) -> bool:
    """Whether the first member is a cpio archive, as far as its first bytes tell."""
    beginning = blob.read(0, COMPRESSION_MAGIC_BYTES)
    compression = compression_of(beginning)
    if compression is None:
        return beginning in cpio.MAGIC
    unpacked = Decompressed(blob, 0, compression, Budget(MAX_UNPACKED_BYTES), "initrd")
    return io.BufferedReader(unpacked, COMPRESSION_MAGIC_BYTES).read(COMPRESSION_MAGIC_BYTES) in cpio.MAGIC


def read_initrd(
    blob: Blob, *, start: int = 0, budget: Budget | None = None, ahead: Executor | None = None
) -> Iterator[tuple[Member, cpio.CpioEntry, cpio.CpioReader]]:
    """Every entry of every member from `start` on, with the reader that gives its content until the next is asked for.

    `ahead` runs the unpacking of the next piece while the one before is looked at.
    """
    budget = budget or Budget(MAX_UNPACKED_BYTES)
    for _ in range(_MAX_MEMBERS):
        member = member_at(blob, start)
        if member is None:
            return
        unpacked = None
        if member.compression is not None:
            unpacked = Decompressed(blob, member.start, member.compression, budget, "initrd")
        stream = blob.stream(member.start) if unpacked is None else _stream(unpacked, ahead)
        reader = cpio.CpioReader(stream, "initrd")
        for entry in reader:
            yield member, entry, reader
        if unpacked is not None and stream.peek(1):
            problem = "something else follows the cpio archive in it"
            raise MalformedInputError("initrd", field="archive", offset=reader.position, problem=problem)
        start = member.start + reader.position if unpacked is None else unpacked.end
    raise UnsupportedInputError(f"initrd: more than {_MAX_MEMBERS} archives in a row")


def _stream(unpacked: Decompressed, ahead: Executor | None) -> io.BufferedReader:
    return io.BufferedReader(unpacked if ahead is None else Ahead(unpacked, ahead), _BUFFER_BYTES)


def plain_digest(blob: Blob, start: int) -> bytes:
    """SHA-256 of what the members from `start` on unpack to, trailers and padding included. They must have been read before."""
    state, budget = hashlib.sha256(), Budget(MAX_UNPACKED_BYTES)
    while member := member_at(blob, start):
        if member.compression is None:
            start = _plain_end(blob, member)
            for piece in blob.part(member.start, start - member.start).pieces():
                state.update(piece)
        else:
            unpacked = Decompressed(blob, member.start, member.compression, budget, "initrd")
            while piece := unpacked.read(_BUFFER_BYTES):
                state.update(piece)
            start = unpacked.end
    return state.digest()


def equal_members_end(blob: Blob, equal_bytes: int) -> int:
    """The end of the whole members in the first `equal_bytes` bytes, as far as it is known without unpacking."""
    at = 0
    while (member := member_at(blob, at)) and (end := _quick_end(blob, member)) and end <= equal_bytes:
        at = end
    return at


def _quick_end(blob: Blob, member: Member) -> int | None:
    match member.compression:
        case Compression.ZSTD:
            return zstd_frame_end(blob, member.start)
        case None:
            return _plain_end(blob, member)
        case _:
            return None


def _plain_end(blob: Blob, member: Member) -> int:
    reader = cpio.CpioReader(blob.stream(member.start), "initrd")
    for _ in reader:
        pass
    return member.start + reader.position
