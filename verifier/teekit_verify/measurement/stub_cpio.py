"""The cpio archives systemd-stub generates to hand single sections to the initrd as files below /.extra.

systemd src/boot/cpio.c, pack_cpio_literal(): format "newc" (Linux Documentation/driver-api/early-userspace/
buffer-format.rst), inodes from 1, no times, no owners. Unchanged from 252 to 259.
"""

from __future__ import annotations

_DIRECTORY = ".extra"
_DIRECTORY_MODE = 0o40555
_FILE_MODE = 0o100444


def extra_file(name: str, content: bytes) -> bytes:
    """The archive with the directory `.extra` and one file in it; its size is a multiple of 4."""
    return (
        _entry(1, _DIRECTORY_MODE, 1, _DIRECTORY, b"")
        + _entry(2, _FILE_MODE, 1, f"{_DIRECTORY}/{name}", content)
        + _entry(0, 0, 1, "TRAILER!!!", b"")
    )


def _entry(inode: int, mode: int, links: int, name: str, content: bytes) -> bytes:
    # Field order: inode, mode, uid, gid, nlink, mtime, file size, four device numbers, name size with NUL, check.
    numbers = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % number for number in numbers) + name.encode("ascii") + b"\0"
    if name == "TRAILER!!!":  # a constant in the source, and the only place with an upper-case hexadecimal digit
        head = head.replace(b"0000000b", b"0000000B")
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
