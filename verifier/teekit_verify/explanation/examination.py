"""What the comparers share while they look into a pair of artifacts: formats, spool files, notices, and the leaves."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, Self

from teekit_verify.artifacts.blob import Blob
from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation import raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from teekit_verify.explanation.causes.find import Condition
    from teekit_verify.explanation.pair import Pair
    from teekit_verify.explanation.tree import Difference

BEGINNING_BYTES = (1 << 16) + 512
"""As far in as the last magic number is, that of btrfs."""
SPOOL_BYTES = 2 << 30
"""In one spool file; a kernel is 100 MB, a UKI on a disk may be 1 GB."""
# What begins so is run: ELF files, PE images, scripts (execve(2)).
_CODE = (b"\x7fELF", b"MZ", b"#!")
_MAX_DEPTH = 8
_MAX_NOTICES = 50


@frozen
class Format:
    """A kind of content and how two of it are compared; `recognises` gets the first BEGINNING_BYTES, and both must be of the kind.

    `compare` returns None where it finds nothing that the format tells apart, and raises TeekitError for damaged content.
    """

    recognises: Callable[[bytes], bool]
    compare: Callable[[Examination, Pair], Difference | None]


@dataclass(slots=True)
class Examination:
    """One run. `folder` takes spool files, which have no name there. Use it in a `with` block: it closes them."""

    folder: Path
    formats: tuple[Format, ...]
    conditions: tuple[Condition, ...] = ()
    notices: list[str] = field(default_factory=list)
    leaves: list[Pair] = field(default_factory=list)
    """Pairs of files that no format went further into: what another tool may look at."""
    _files: ExitStack = field(default_factory=ExitStack)
    _paths: dict[int, Path] = field(default_factory=dict)
    _spools: dict[int, IO[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def open(self, path: Path) -> Blob:
        """Raises TeekitError if the file cannot be read, or is none: nothing could be said of a pipe or a device."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe is not waited for
            self._files.callback(os.close, descriptor)
            blob = Blob.of(descriptor)
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) or (
                not blob.size_bytes and os.pread(descriptor, 1, 0)
            ):  # as files in /proc have it
                if stat.S_ISDIR(mode):
                    raise TeekitError(
                        f"{path} is a folder, and what it is compared with is a file",
                        hint="Name two files, or two folders.",
                    )
                raise TeekitError(
                    f"{path}: cannot be read: it is not a file with a size of its own", hint="Copy it to a file first."
                )
        except OSError as error:
            raise TeekitError(f"{path}: cannot be read: {error.strerror}", hint="Name a readable file.") from error
        self._paths[blob.descriptor] = path
        return blob

    def path_of(self, blob: Blob) -> Path | None:
        """The file that the blob is the whole of, if it was opened here."""
        path = self._paths.get(blob.descriptor)
        return path if blob == Blob.of(blob.descriptor) else None

    def spool(self, number: int = 0, limit_bytes: int = SPOOL_BYTES) -> Spool:
        """A spool that adds to temporary file `number`: threads take one each, all others may share the first."""
        if number not in self._spools:
            file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - the stack closes it
            self._spools[number] = self._files.enter_context(file)
        return Spool(self._spools[number], limit_bytes)

    def note(self, text: str) -> None:
        text = printable(text)
        if text not in self.notices and len(self.notices) < _MAX_NOTICES:
            self.notices.append(text)

    def compare(self, pair: Pair) -> Difference:
        """Two contents that are known to differ, by the first format that fits, else byte by byte."""
        beginnings = pair.a.read(0, BEGINNING_BYTES), pair.b.read(0, BEGINNING_BYTES)
        reason = ""
        for known in self.formats if len(pair.path) <= _MAX_DEPTH else ():
            if all(map(known.recognises, beginnings)):
                try:
                    found = known.compare(self, pair)
                except TeekitError as error:
                    self.note(f"{error.message}: {' > '.join(pair.path)} is not examined further")
                    reason = reason or f"{self._unread_side(known, pair)} cannot be read: {error.message}"
                    continue
                if found is not None:
                    return found
        found = self.compare_bytes(pair)
        is_text = raw.is_text(pair.a) and raw.is_text(pair.b)  # lines say enough, whatever they were taken for
        return raw.not_compared(pair, reason, found) if reason and not is_text else found

    def _unread_side(self, known: Format, pair: Pair) -> str:
        """Whichever cannot be compared with itself either."""
        notices, leaves = len(self.notices), len(self.leaves)
        sides = []
        for name, blob in (("A", pair.a), ("B", pair.b)):
            try:
                known.compare(self, replace(pair, a=blob, b=blob))
            except TeekitError:
                sides.append(name)
        del self.notices[notices:], self.leaves[leaves:]
        return " and ".join(sides) or "one of them"

    def compare_bytes(self, pair: Pair) -> Difference:
        """The same without looking for a format: byte by byte, or line by line."""
        found = raw.compare_bytes(pair, self.conditions)
        if any(blob.read(0, len(magic)) == magic for blob in (pair.a, pair.b) for magic in _CODE):
            found = replace(found, is_code=True)
        if not raw.is_told_whole(pair, found):
            self.leaves.append(pair)
        return found


@dataclass(slots=True)
class Spool:
    """Puts contents at the end of a nameless temporary file, one after another, up to a number of bytes."""

    file: IO[bytes]
    left_bytes: int

    def keep(self, pieces: Iterable[bytes]) -> Blob:
        """Write the pieces. Raises UnsupportedInputError if they are more than the spool takes, TeekitError on a full disk."""
        start = self.file.tell()
        try:
            for piece in pieces:
                self.left_bytes -= len(piece)
                if self.left_bytes < 0:
                    raise UnsupportedInputError("it unpacks to more than this program reads")
                self.file.write(piece)
            self.file.flush()
        except OSError as error:
            raise TeekitError(f"a temporary file cannot be written: {error.strerror}") from error
        return Blob(self.file.fileno(), start, self.file.tell() - start)

    def keep_sparse(self, size_bytes: int, pieces: Iterable[tuple[int, bytes]]) -> Blob:
        """The same of pieces at their offsets, in order, with zeros between them: those take no room. Raises as `keep`."""
        start = self.file.tell()
        try:
            for offset, piece in pieces:
                self.left_bytes -= len(piece)
                if self.left_bytes < 0 or offset + len(piece) > size_bytes:
                    raise UnsupportedInputError("it unpacks to more than this program reads")
                self.file.seek(start + offset)
                self.file.write(piece)
            self.file.flush()
            self.file.truncate(start + size_bytes)
            self.file.seek(start + size_bytes)
        except OSError as error:
            raise TeekitError(f"a temporary file cannot be written: {error.strerror}") from error
        return Blob(self.file.fileno(), start, size_bytes)
