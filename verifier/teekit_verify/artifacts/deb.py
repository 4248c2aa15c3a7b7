"""Debian packages (.deb): their control fields, their changelog and the files they carry, read without running anything of them.

Sources: deb(5); POSIX.1-2017 pax(1) "ustar Interchange Format" and GNU tar "Basic Tar Format" (long names);
Debian Policy 12.7 (changelog files).
"""

from __future__ import annotations

import hashlib
import io
import re
import zlib
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.bundle import members_of
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.artifacts.magic import AR_MAGIC
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.files import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_BLOCK_BYTES = 512
_LONG_NAME, _LONG_TARGET = b"L", b"K"
_MAX_NAME_BYTES = 4096
_MAX_CONTROL_BYTES = 1 << 20
_MAX_CHANGELOG_BYTES = 16 << 20
_MAX_CONTROL_ARCHIVE_BYTES = 64 << 20
_MAX_DATA_BYTES = 4 << 30
_MAX_MEMBERS = 16
_MAX_FILES = 500_000
_MAX_KEPT_BYTES = 16 << 20
_PIECE_BYTES = 1 << 18
_FIELD = re.compile(r"^([A-Za-z0-9-]+):[ \t]*(.*)$", re.MULTILINE)


class FileKind(Enum):
    """What a member of a tar archive is. The values are those of its type flag (POSIX.1-2017 pax(1))."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """`name` without `./` in front or a slash at the end; `digest` is the SHA-256 of a file's content, empty for other kinds.

    `target` is what a link points to: of a hard link the name of a file before it. `mode` has the twelve bits of permissions.
    `content` is there for those that were asked for.
    """

    name: str
    kind: FileKind
    mode: int
    owner: tuple[int, int]
    target: str
    digest: bytes
    content: bytes | None = None


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


def files(package: Path, *, kept: Callable[[str], bool]) -> Iterator[PackagedFile]:
    """What a .deb, or a .tgz of npm, carries, in its order; devices and the like are left out. Raises TeekitError.

    The contents of files whose name is `kept` come along, if they have at most 16 MiB.
    """
    with opened(package) as stream:
        blob = Blob.of(stream.fileno())
        if blob.read(0, len(AR_MAGIC)) == AR_MAGIC:
            archive = _unpacked(blob, "data", _MAX_DATA_BYTES)
        else:
            archive = io.BufferedReader(Unpacked(blob, Budget(_MAX_DATA_BYTES), "tgz"), _PIECE_BYTES)
        with archive:
            for number, (file, size_bytes) in enumerate(_members(archive)):
                if number == _MAX_FILES:
                    raise UnsupportedInputError(f"{package.name}: more than {_MAX_FILES} files are in it")
                if file.kind is FileKind.FILE:
                    digest, content = _content(archive, size_bytes, file.name, keep=kept(file.name))
                    yield replace(file, digest=digest, content=content)
                else:
                    yield file


def _content(stream: io.BufferedReader, size_bytes: int, name: str, *, keep: bool) -> tuple[bytes, bytes | None]:
    """Its digest, and the content itself where it is wanted; the padding is passed over."""
    state, pieces, left = hashlib.sha256(), list[bytes](), size_bytes
    keep = keep and size_bytes <= _MAX_KEPT_BYTES
    while left:
        piece = _exactly(stream, min(left, _PIECE_BYTES), name)
        state.update(piece)
        if keep:
            pieces.append(piece)
        left -= len(piece)
    _skip(stream, -size_bytes % _BLOCK_BYTES, name)
    return state.digest(), b"".join(pieces) if keep else None


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
    """Name and size of each; the caller reads or skips the content before it asks for the next."""
    return ((file.name, size_bytes) for file, size_bytes in _members(stream) if file.kind is FileKind.FILE)


def _members(stream: io.BufferedReader) -> Iterator[tuple[PackagedFile, int]]:
    """Each with its size, without content; the caller reads or skips a file's content before it asks for the next."""
    long: dict[bytes, bytes] = {}
    while any(header := _exactly(stream, _BLOCK_BYTES, "header")):
        size_bytes, flag = _number(header[124:136], "size"), header[156:157]
        if flag in {_LONG_NAME, _LONG_TARGET}:
            if size_bytes > _MAX_NAME_BYTES:
                raise _bad("long name", f"{size_bytes} bytes are too many")
            long[flag] = _exactly(stream, size_bytes + -size_bytes % _BLOCK_BYTES, "long name").split(b"\0", 1)[0]
            continue
        kind = _KINDS.get(flag)
        if kind is not None:
            yield _member(header, kind, long), size_bytes
        long = {}
        if kind is not FileKind.FILE:
            _skip(stream, size_bytes + -size_bytes % _BLOCK_BYTES, "member")


def _member(header: bytes, kind: FileKind, long: Mapping[bytes, bytes]) -> PackagedFile:
    return PackagedFile(
        name=_decoded(long.get(_LONG_NAME) or _ustar_name(header)).removeprefix("./").rstrip("/"),
        kind=kind,
        mode=_number(header[100:108], "mode") & 0o7777,
        owner=(_number(header[108:116], "uid"), _number(header[116:124], "gid")),
        target=_decoded(long.get(_LONG_TARGET) or _text(header[157:257])),
        digest=b"",
    )


_KINDS = {kind.value: kind for kind in FileKind} | {b"\0": FileKind.FILE}


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _text(field: bytes) -> bytes:
    return field.split(b"\0", 1)[0]


def _ustar_name(header: bytes) -> bytes:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes, name: str) -> int:
    digits = field.strip(b"\0 ")
    if not re.fullmatch(rb"[0-7]{1,12}", digits):
        raise _bad(name, f"{field!r} is not an octal number")
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
        raise _bad("changelog", f"it is truncated, or unpacks to more than {_MAX_CHANGELOG_BYTES} bytes")
    return text


def _bad(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError("deb: tar", field=field, offset=0, problem=problem)
