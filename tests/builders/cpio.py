"""cpio archives written header by header (Linux Documentation/driver-api/early-userspace/buffer-format.rst)."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

FILE, DIRECTORY, SYMLINK, DEVICE = 0o100000, 0o040000, 0o120000, 0o020000


@dataclass(frozen=True)
class Entry:
    name: str
    content: bytes = b""
    mode: int = FILE | 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    links: int = 1
    inode: int | None = None
    device: tuple[int, int] = (0, 0)
    check: int = 0


def build_cpio(entries: Iterable[Entry], *, magic: bytes = b"070701", trailer: bool = True, padding: int = 0) -> bytes:
    """Inodes are numbered from 1; `padding` zeros follow the trailer."""
    archive = io.BytesIO()
    for number, entry in enumerate(entries, start=1):
        write_entry(archive, entry, number, magic)
    if trailer:
        write_entry(archive, Entry("TRAILER!!!", mode=0), 0, magic)
    archive.write(bytes(padding))
    return archive.getvalue()


def write_entry(archive: io.BytesIO, entry: Entry, number: int, magic: bytes = b"070701") -> None:
    name = entry.name.encode("utf-8", "surrogateescape") + b"\0"
    inode = number if entry.inode is None else entry.inode
    fields = [inode, entry.mode, entry.uid, entry.gid, entry.links, entry.mtime, len(entry.content)]
    fields += [0, 0, *entry.device, len(name), entry.check]
    archive.writelines(
        part + bytes(-len(part) % 4)
        for part in (magic + b"".join(b"%08x" % field for field in fields) + name, entry.content)
    )
