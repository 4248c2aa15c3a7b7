"""The one disk or UKI in a compressed file or an archive (tar, zip): unpacked, without its zeros, into a file that has no name.

A layer at a time: what is unpacked may be packed again. An archive that holds several is refused: nobody could say which one is booted.
"""

from __future__ import annotations

import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.artifacts import pax
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.bundle import members_of
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.artifacts.magic import is_bootable, packed_with
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import END_BYTES, input_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.artifacts.bundle import BundleMember
    from teekit_verify.core.files import OpenedInput

FREE_BYTES = 1 << 30
MOST_INFLATION, MOST_STORED_INFLATION = 1000, 100
"""As in targz.py, content seldom shrinks to a tenth, and zeros, which are not stored, to a thousandth."""
MOST_BYTES = 64 << 30
_PIECE_BYTES = 1 << 20
_ZEROS = bytes(_PIECE_BYTES)
_FILES = {"", "file", "sparse file"}
_SPARSE = "GNU.sparse."
_MOST_NAMED = 5


@contextmanager
def unpacked(file: OpenedInput) -> Iterator[OpenedInput]:
    """What the file is a compressed form of; or of a tar or zip file the one member that may be booted, packed or not.

    Not to be used after the `with` block. Raises TeekitError.
    """
    blob, budget = Blob.of(file.stream.fileno()), _Budget.of(file)
    if packed_with(file.head) is not None:
        stream = Unpacked(blob, Budget(budget.left), file.name)
        name, pieces = file.path.stem, iter(lambda: stream.read(_PIECE_BYTES) or b"", b"")
    else:
        member = _only(file, blob)
        name, pieces = PurePosixPath(member.name).name, _content(file, member)
    with tempfile.TemporaryFile() as target:
        budget.write(pieces, target.fileno(), file.name)
        yield input_in(file.path / (printable(name) or "content"), target)


@dataclass(slots=True)
class _Budget:
    """Bytes that may still be unpacked, and stored."""

    left: int
    stored_left: int

    @classmethod
    def of(cls, file: OpenedInput) -> _Budget:
        most, stored = (FREE_BYTES + times * file.size_bytes for times in (MOST_INFLATION, MOST_STORED_INFLATION))
        return cls(min(MOST_BYTES, most), min(MOST_BYTES, stored))

    def write(self, pieces: Iterable[bytes], descriptor: int, what: str) -> None:
        """Zeros are left out. Raises UnsupportedInputError for too many bytes, TeekitError for what the system says."""
        at = 0
        with open(descriptor, "wb", closefd=False) as target:
            try:
                for piece in pieces:
                    at += len(piece)
                    is_zero = piece == _ZEROS[: len(piece)]
                    self.stored_left -= 0 if is_zero else len(piece)
                    if at > self.left or self.stored_left < 0:
                        raise UnsupportedInputError(
                            f"{what}: unpacks to more bytes than this program reads", hint="Unpack it yourself."
                        )
                    target.seek(len(piece), 1) if is_zero else target.write(piece)
                target.truncate(at)
            except OSError as error:
                raise TeekitError(
                    f"{what}: cannot be unpacked: {error.strerror}", hint="Make room where TMPDIR points to."
                ) from error


def _only(file: OpenedInput, blob: Blob) -> BundleMember:
    found = []
    for member in members_of(blob, with_sums=True):
        if member.kind not in _FILES:
            _require_one_reading(file, member)
        elif (head := _head(file, member)) and is_bootable(head):
            found.append(member)
    if len(found) == 1:
        return found[0]
    names = ", ".join(printable(member.name) for member in found[:_MOST_NAMED])
    raise UnsupportedInputError(
        f"{file.path}: an archive with {len(found)} members that could be booted"
        + (f" ({names})" if names else "")
        + ", expected one",
        hint="Unpack the disk or the UKI, and give that.",
    )


def _require_one_reading(file: OpenedInput, member: BundleMember) -> None:
    """Programs differ in whether a link or a folder has content, and a global header changes the members after it."""
    comment = member.kind == "global header" and _is_comment(member.stored)
    if member.stored.size_bytes and not comment:
        raise UnsupportedInputError(
            f"{file.path}: {printable(member.name)} ({printable(member.kind)}) has content, which programs read in different ways",
            hint="Unpack the disk or the UKI, and give that.",
        )


def _is_comment(records: Blob) -> bool:
    """As git-archive(1) writes it: the commit, and nothing else."""
    if records.size_bytes > pax.MAX_BYTES:
        return False
    return pax.pax_records(records.read(0, pax.MAX_BYTES), 0).keys() <= {"comment"}


def _head(file: OpenedInput, member: BundleMember) -> bytes:
    head = b""
    for piece in _content(file, member):
        head += piece
        if len(head) >= 2 * END_BYTES:
            break
    return head[: 2 * END_BYTES]


def _content(file: OpenedInput, member: BundleMember) -> Iterator[bytes]:
    """With the holes of a sparse file, whose map tarfile reads in all its forms."""
    if member.kind == "sparse file" or any(key.startswith(_SPARSE) for key, _ in member.records):
        yield from _sparse_content(file, member)
    elif member.target and not member.kind:  # of zip: "packed by method 9"
        raise UnsupportedInputError(f"{file.path}: {printable(member.name)} is {member.target}, which is not supported")
    else:
        yield from member.content()


def _sparse_content(file: OpenedInput, member: BundleMember) -> Iterator[bytes]:
    file.stream.seek(0)
    try:
        with tarfile.TarFile(fileobj=file.stream) as archive:
            rows = [row for row in archive if row.offset_data == member.stored.start or row.name == _name(member)]
            content = archive.extractfile(rows[0]) if len(rows) == 1 else None
            while content is not None and (piece := content.read(_PIECE_BYTES)):
                yield piece
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise MalformedInputError(
            str(file.path), field=printable(member.name), offset=0, problem=printable(str(error))
        ) from error
    if content is None:
        raise UnsupportedInputError(f"{file.path}: {printable(member.name)} is sparse in a way that is not supported")


def _name(member: BundleMember) -> str:
    return dict(member.records).get(f"{_SPARSE}name", member.name)
