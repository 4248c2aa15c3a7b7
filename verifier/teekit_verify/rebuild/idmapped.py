"""A folder of the host in a sandbox whose root is nobody on the host: an id-mapped mount (mount_setattr(2), Linux 5.12).

What the sandbox's root makes in the folder belongs to the folder's owner and group, and what is theirs is its own. Files of
other users are nobody's in there. The mount is seen by this process and what it becomes, and goes with them.
"""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Numbers that all architectures share (asm-generic/unistd.h), of linux/mount.h, linux/fcntl.h and linux/sched.h.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_OPEN_TREE_CLONE, _O_CLOEXEC = 1, 0o2000000
_MOVE_MOUNT_F_EMPTY_PATH = 4
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_MOUNT_ATTR_IDMAP, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 0x100000, 0x2, 0x4
_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


def is_host_root(id_map: Path = Path("/proc/self/uid_map")) -> bool:
    """Whether this process has root's own id: root of a user namespace, as in a rootless container, is somebody else outside."""
    if os.geteuid() != 0:
        return False
    inside, outside, _ = (int(word) for word in id_map.read_text().split("\n", 1)[0].split())
    return (inside, outside) == (0, 0)


def give(folder: Path, first_id: int) -> None:
    """Mount `folder` over itself, for this process alone: its owner and group become `first_id`. It takes root.

    Raises TeekitError where the kernel or the folder's file system has no such mounts.
    """
    owner = folder.stat()
    try:
        with _mapping(owner.st_uid, owner.st_gid, first_id) as namespace:
            _call("unshare", _CLONE_NEWNS)
            _call("mount", None, b"/", None, _MS_REC | _MS_PRIVATE, None)
            tree = _call("syscall", _OPEN_TREE, _AT_FDCWD, os.fsencode(folder), _OPEN_TREE_CLONE | _O_CLOEXEC)
            flags = _MOUNT_ATTR_IDMAP | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV
            attributes = struct.pack("=4Q", flags, 0, 0, namespace)
            _call("syscall", _MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, len(attributes))
            _call("syscall", _MOVE_MOUNT, tree, b"", _AT_FDCWD, os.fsencode(folder), _MOVE_MOUNT_F_EMPTY_PATH)
            os.close(tree)
    except OSError as error:
        raise TeekitError(
            f"{folder} cannot be given to a shell that is nobody on the host: {error.strerror}",
            hint="Change into a folder on ext4, XFS or Btrfs (Linux 5.15 or newer), or use another user than root.",
        ) from error


@contextmanager
def _mapping(user: int, group: int, first_id: int) -> Iterator[int]:
    """A user namespace that maps one user and one group: the descriptor by which mounts know it. A child holds it meanwhile."""
    ready, done = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _hold(ready, done)
    try:
        os.close(ready[1])
        os.close(done[0])
        status = os.read(ready[0], 1)
        if status != b"y":
            raise OSError(0, "no user namespaces here")
        Path(f"/proc/{child}/uid_map").write_text(f"{user} {first_id} 1\n")
        Path(f"/proc/{child}/gid_map").write_text(f"{group} {first_id} 1\n")
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield namespace
        finally:
            os.close(namespace)
    finally:
        os.close(ready[0])
        os.close(done[1])
        os.waitpid(child, 0)


def _hold(ready: tuple[int, int], done: tuple[int, int]) -> None:
    """The child: in a new user namespace until the parent closes its end. Never returns."""
    try:
        os.close(done[1])
        _call("unshare", _CLONE_NEWUSER)
        os.write(ready[1], b"y")
        os.read(done[0], 1)
    finally:
        os._exit(0)


def _call(name: str, *arguments: object) -> int:
    """A function of the C library that says -1 and errno."""
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, name)
    function.restype = ctypes.c_long
    result = function(*(ctypes.c_long(value) if isinstance(value, int) else value for value in arguments))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)
