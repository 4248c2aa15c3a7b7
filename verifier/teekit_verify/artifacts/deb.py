"""Debian packages (.deb): their control fields and their changelog, read without running anything of them.

Sources: deb(5); POSIX.1-2017 pax(1) "ustar Interchange Format" and GNU tar "Basic Tar Format" (long names);
Debian Policy 12.7 (changelog files).
"""

from __future__ import annotations

import io
import re
import zlib
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.bundle import AR_MAGIC, members_of
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.files import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_BLOCK_BYTES = 512
_LONG_NAME = b"L"
_MAX_NAME_BYTES = 4096
_MAX_CONTROL_BYTES = 1 << 20
_MAX_CHANGELOG_BYTES = 16 << 20
_MAX_CONTROL_ARCHIVE_BYTES = 64 << 20
_MAX_DATA_BYTES = 4 << 30
_MAX_MEMBERS = 16
_PIECE_BYTES = 1 << 18
_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", re.MULTILINE)


def control_fields(deb: Path) -> dict[str, str]:
    """The fields of the control file; of those with several lines, the first line. Raises TeekitError."""
    with opened(deb) as stream:
        found = _file(Blob.of(stream.fileno()), "control", lambda name: name == "control", _MAX_CONTROL_ARCHIVE_BYTES)
    if found is None:
        raise MalformedInputError("deb", field="control.tar", offset=0, problem="it has no file `control`")
    if len(found) > _MAX_CONTROL_BYTES:
        raise MalformedInputError("deb", field="control", offset=0, problem=f"{len(found)} bytes are too many")
    return dict(_FIELD.findall(found.decode("utf-8", "replace")))


def changelog(deb: Path, package: str) -> str | None:
    """The Debian changelog that the package carries; None if another package of its source has it. Raises TeekitError."""
    folder = f"usr/share/doc/{package}/"
    names = {f"{folder}changelog{middle}.gz" for middle in (".Debian", "")}
    with opened(deb) as stream:
        blob = Blob.of(stream.fileno())
        found = _file(blob, "data", lambda name: name in names, _MAX_DATA_BYTES)
    return None if found is None else _gunzipped(found).decode("utf-8", "replace")


def _file(blob: Blob, archive: str, wanted: Callable[[str], bool], most_bytes: int) -> bytes | None:
    """The first such file of `control.tar` or `data.tar`."""
    with _unpacked(blob, archive, most_bytes) as stream:
        for name, size_bytes in _regular_files(stream):
            if wanted(name):
                return _exactly(stream, min(size_bytes, _MAX_CHANGELOG_BYTES + 1), name)
            _skip(stream, size_bytes + -size_bytes % _BLOCK_BYTES, name)
    return None


def _unpacked(blob: Blob, archive: str, most_bytes: int) -> io.BufferedReader:
    if blob.read(0, len(AR_MAGIC)) != AR_MAGIC:
        raise MalformedInputError("deb", field="magic", offset=0, problem="it does not begin as an ar archive")
    for number, member in enumerate(members_of(blob)):
        name = member.name.rstrip("/")
        if number == _MAX_MEMBERS:
            break
        if name.startswith(f"{archive}.tar"):
            if name == f"{archive}.tar":
                return member.stored.stream()
            return io.BufferedReader(Unpacked(member.stored, Budget(most_bytes), f"deb: {name}"), _PIECE_BYTES)
    raise MalformedInputError("deb", field=f"{archive}.tar", offset=0, problem="there is no such member")


def _regular_files(stream: io.BufferedReader) -> Iterator[tuple[str, int]]:
    """Name (without `./`) and size of each; the caller reads or skips the content before it asks for the next."""
    long_name = b""
    while any(header := _exactly(stream, _BLOCK_BYTES, "header")):
        size_bytes, kind = _size(header[124:136]), header[156:157]
        if kind == _LONG_NAME:
            if size_bytes > _MAX_NAME_BYTES:
                raise _bad("long name", f"{size_bytes} bytes are too many")
            long_name = _exactly(stream, size_bytes + -size_bytes % _BLOCK_BYTES, "long name").split(b"\0", 1)[0]
            continue
        name, long_name = long_name or _ustar_name(header), b""
        if kind in {b"0", b"\0"}:
            yield name.decode("utf-8", "replace").removeprefix("./"), size_bytes
        else:
            _skip(stream, size_bytes + -size_bytes % _BLOCK_BYTES, "member")


def _ustar_name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _size(field: bytes) -> int:
    digits = field.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise _bad("size", f"{field!r} is not an octal number")
    return int(digits, 8)


def _exactly(stream: io.BufferedReader, size_bytes: int, what: str) -> bytes:
    data = stream.read(size_bytes)
    if len(data) != size_bytes:
        raise _bad(what, f"it ends after {len(data)} of {size_bytes} bytes")
    return data


def _skip(stream: io.BufferedReader, size_bytes: int, what: str) -> None:
    while size_bytes:
        size_bytes -= len(_exactly(stream, min(size_bytes, _PIECE_BYTES), what))


def _gunzipped(data: bytes) -> bytes:
    state = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        text = state.decompress(data, _MAX_CHANGELOG_BYTES + 1)
    except zlib.error as error:
        raise _bad("changelog", str(error)) from error
    if len(text) > _MAX_CHANGELOG_BYTES or not state.eof:
        raise _bad("changelog", f"it is cut off, or unpacks to more than {_MAX_CHANGELOG_BYTES} bytes")
    return text


def _bad(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError("deb: tar", field=field, offset=0, problem=problem)
