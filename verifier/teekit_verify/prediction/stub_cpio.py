"""The cpio archives systemd-stub generates to hand single sections to the initrd as files below /.extra.

systemd src/boot/cpio.c, pack_cpio_literal(): format "newc" (Linux Documentation/driver-api/early-userspace/
buffer-format.rst), inodes from 1, no times, no owners. Unchanged from 252 to 262.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DIRECTORY = ".extra"
_IS_DIRECTORY, _IS_FILE = 0o40000, 0o100000
_DIRECTORY_MODE = _IS_DIRECTORY | 0o555
_FILE_MODE = _IS_FILE | 0o444


def extra_file(name: str, size_bytes: int) -> tuple[bytes, bytes]:
    """The archive with the directory `.extra` and one file in it: what comes before its content, and what after.

    The content itself, `size_bytes` long, need not be in memory. The whole is a multiple of 4 bytes long.
    """
    before = _entry(1, _DIRECTORY_MODE, _DIRECTORY) + _entry(2, _FILE_MODE, f"{_DIRECTORY}/{name}", size_bytes)
    return before, bytes(-size_bytes % 4) + _trailer()


def extra_folder(path: str, mode: int, file_mode: int, files: Sequence[tuple[str, bytes]]) -> bytes:
    """The archive of these files in the folder `.extra/PATH`, in this order: pack_cpio(). Modes are permissions alone."""
    folders = _entry(1, _DIRECTORY_MODE, _DIRECTORY) + _entry(2, _IS_DIRECTORY | mode, f"{_DIRECTORY}/{path}")
    entries = (
        _entry(inode, _IS_FILE | file_mode, f"{_DIRECTORY}/{path}/{name}", len(content))
        + content
        + bytes(-len(content) % 4)
        for inode, (name, content) in enumerate(files, start=3)
    )
    return b"".join((folders, *entries, _trailer()))


def _entry(inode: int, mode: int, name: str, size_bytes: int = 0) -> bytes:
    # Field order: inode, mode, uid, gid, nlink, mtime, file size, four device numbers, name size with NUL, check.
    numbers = (inode, mode, 0, 0, 1, 0, size_bytes, 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name.encode("ascii") + b"\0"
    return head + bytes(-len(head) % 4)


def _trailer() -> bytes:
    """A constant in the source, and the only place with an upper-case hexadecimal digit."""
    return _entry(0, 0, "TRAILER!!!").replace(b"0000000b", b"0000000B")
