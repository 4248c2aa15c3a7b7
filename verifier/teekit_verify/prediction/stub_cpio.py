"""The cpio archives systemd-stub generates to hand single sections to the initrd as files below /.extra.

systemd src/boot/cpio.c, pack_cpio_literal(): format "newc" (Linux Documentation/driver-api/early-userspace/
buffer-format.rst), inodes from 1, no times, no owners. Unchanged from 252 to 259.
"""

from __future__ import annotations

_DIRECTORY = ".extra"
_DIRECTORY_MODE = 0o40555
_FILE_MODE = 0o100444


def extra_file(name: str, size_bytes: int) -> tuple[bytes, bytes]:
    """The archive with the directory `.extra` and one file in it: what comes before its content, and what after.

    The content itself, `size_bytes` long, need not be in memory. The whole is a multiple of 4 bytes long.
    """
    before = _entry(1, _DIRECTORY_MODE, _DIRECTORY) + _entry(2, _FILE_MODE, f"{_DIRECTORY}/{name}", size_bytes)
    return before, bytes(-size_bytes % 4) + _trailer()


def _entry(inode: int, mode: int, name: str, size_bytes: int = 0) -> bytes:
    # Field order: inode, mode, uid, gid, nlink, mtime, file size, four device numbers, name size with NUL, check.
    numbers = (inode, mode, 0, 0, 1, 0, size_bytes, 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name.encode("ascii") + b"\0"
    return head + bytes(-len(head) % 4)


def _trailer() -> bytes:
    """A constant in the source, and the only place with an upper-case hexadecimal digit."""
    return _entry(0, 0, "TRAILER!!!").replace(b"0000000b", b"0000000B")
