"""What a UKI holds, place by place: its sections, and every file of its initrd, each by its digest."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.initrd import read_initrd
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.core.files import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.artifacts.cpio import CpioEntry
    from teekit_verify.artifacts.pe import PeSection
    from teekit_verify.artifacts.uki import UnifiedKernelImage

INITRD = ".initrd"
_HEADERS = "headers"


class Aspect(Enum):
    """In what respect a file changed. The value is for programs."""

    NEW = "new"
    GONE = "gone"
    KIND = "kind"
    CONTENT = "content"
    MODE = "mode"
    OWNER = "owner"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FileState:
    """A file of an initrd. `digest` is the SHA-256 of its content, of a link's target or a device's numbers; `mtime` in seconds."""

    mode: int
    owner: tuple[int, int]
    mtime: int
    digest: bytes
    target: str = ""

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.mode)


@dataclass(frozen=True, slots=True)
class ImageParts:
    """Digests of `sections` by name, a second one of a name with its number; what lies outside of them is `headers`. Those that
    hold an initrd are apart, and their `files` by path. `release` is the kernel's own, `uname` the text of that section.
    """

    sections: dict[str, bytes]
    initrds: dict[str, bytes]
    files: dict[str, FileState]
    release: str
    uname: str


def read(path: Path) -> ImageParts:
    """Raises TeekitError for what is no UKI, or has an initrd that cannot be read."""
    sections: dict[str, bytes] = {}
    initrds: dict[str, bytes] = {}
    files: dict[str, FileState] = {}
    with open_uki(path) as uki, opened(path) as stream:
        blob = Blob.of(stream.fileno())
        for name, section in _numbered(uki):
            span = section.content
            part = blob.part(span.start, span.size_bytes)
            (initrds if section.name == INITRD else sections)[name] = _digest(part)
            if section.name == INITRD:
                files |= {_key(name, place): state for place, state in _files(part)}
        sections[_HEADERS] = hashlib.sha256(b"".join(_outside(uki, blob))).digest()
        return ImageParts(sections, initrds, files, uki.kernel_release() or "", (uki.text(".uname") or "").strip())


def changed(one: FileState | None, other: FileState | None) -> tuple[Aspect, ...]:
    """Empty if nothing is different."""
    if one is None or other is None:
        return () if one is other else (Aspect.NEW if one is None else Aspect.GONE,)
    if one.kind != other.kind:
        return (Aspect.KIND,)
    found = {
        Aspect.CONTENT: one.digest != other.digest,
        Aspect.MODE: one.mode != other.mode,
        Aspect.OWNER: one.owner != other.owner,
        Aspect.TIME: one.mtime != other.mtime,
    }
    return tuple(aspect for aspect, is_so in found.items() if is_so)


def _numbered(uki: UnifiedKernelImage) -> Iterator[tuple[str, PeSection]]:
    seen: Counter[str] = Counter()
    for section in uki.sections:
        seen[section.name] += 1
        if section.virtual_size:
            yield section.name if seen[section.name] == 1 else f"{section.name} {seen[section.name]}", section


def _key(section: str, path: str) -> str:
    """A second initrd's files keep their section, as the first one's are not replaced but hidden."""
    return path if section == INITRD else f"{section}: {path}"


def _outside(uki: UnifiedKernelImage, blob: Blob) -> Iterator[bytes]:
    at = 0
    for span in sorted((section.content for _, section in _numbered(uki)), key=lambda span: span.start):
        if span.start > at:
            yield from blob.part(at, span.start - at).pieces()
        at = max(at, span.stop)
    yield from blob.part(at, blob.size_bytes).pieces()


def _digest(blob: Blob) -> bytes:
    state = hashlib.sha256()
    for piece in blob.pieces():
        state.update(piece)
    return state.digest()


def _files(initrd: Blob) -> Iterator[tuple[str, FileState]]:
    """A name that comes again, in a later archive say, is told from the first by its number."""
    seen: Counter[str] = Counter()
    rows: list[tuple[str, FileState]] = []
    shared: dict[tuple[object, ...], bytes] = {}
    waiting: list[tuple[int, tuple[object, ...]]] = []
    for member, entry, reader in read_initrd(initrd):
        state, target = hashlib.sha256(), b""
        for piece in reader.content():
            state.update(piece)
            target += piece if stat.S_ISLNK(entry.mode) and len(target) < 1 << 13 else b""
        name = _path(entry.name)
        seen[name] += 1
        digest = _digest_of(entry, state.digest())
        one = FileState(
            entry.mode, (entry.uid, entry.gid), entry.mtime, digest, target.decode("utf-8", "surrogateescape")
        )
        if stat.S_ISREG(entry.mode) and entry.links > 1:  # newc stores the content with the last of the names
            number: tuple[object, ...] = (member, entry.archive, entry.filesystem, entry.inode)
            if entry.size_bytes:
                shared[number] = digest
            else:
                waiting.append((len(rows), number))
        rows.append((name if seen[name] == 1 else f"{name} ({seen[name]})", one))
    for place, number in waiting:
        name, one = rows[place]
        rows[place] = name, replace(one, digest=shared.get(number, one.digest))
    return iter(rows)


def _digest_of(entry: CpioEntry, content: bytes) -> bytes:
    is_device = stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)
    return hashlib.sha256(repr(entry.device).encode()).digest() if is_device else content


def _path(name: str) -> str:
    return name.removeprefix("./").strip("/") or "."
