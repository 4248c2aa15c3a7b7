"""Small trees of files with a planted difference, and images of them by the file systems' own tools."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from builders.tools import require

TIME = 1_763_874_000
UUID = "4f8c2a1e-1111-4222-8333-abcdefabcdef"


def tree(folder: Path) -> Path:
    """A folder with files small and large, a hole, links, and times that are fixed with `settle`."""
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/conf").write_bytes(b"hello\n")
    (folder / "etc/link").symlink_to("conf")
    (folder / "big").write_bytes(b"".join(b"line %d\n" % number for number in range(60_000)))
    with (folder / "hole").open("wb") as stream:
        stream.seek(1 << 20)
        stream.write(b"end")
    os.link(folder / "big", folder / "etc/same")
    (folder / "many").mkdir()
    for number in range(300):
        (folder / "many" / f"file-{number}").write_bytes(b"%d\n" % number)
    return folder


def settle(folder: Path) -> None:
    """Give everything in it one time."""
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (TIME, TIME), follow_symlinks=False)


def squashfs(source: Path, target: Path, *options: str) -> bytes:
    argv = [
        require("mksquashfs"),
        str(source),
        str(target),
        "-noappend",
        "-no-progress",
        "-quiet",
        "-mkfs-time",
        str(TIME),
    ]
    subprocess.run([*argv, "-all-root", "-xattrs", *options], check=True, capture_output=True)
    return target.read_bytes()


def erofs(source: Path, target: Path, *options: str) -> bytes:
    target.unlink(missing_ok=True)
    argv = [require("mkfs.erofs"), "-U", UUID, f"-T{TIME}", "--all-root", *options, str(target), str(source)]
    subprocess.run(argv, check=True, capture_output=True)
    return target.read_bytes()


def extfs(source: Path, target: Path, *options: str) -> bytes:
    target.unlink(missing_ok=True)
    argv = [require("mke2fs"), "-q", *(options or ("-t", "ext4")), "-U", UUID, "-E", f"hash_seed={UUID},root_owner=0:0"]
    environment = {**os.environ, "E2FSPROGS_FAKE_TIME": str(TIME)}
    subprocess.run([*argv, "-d", str(source), str(target), "16M"], check=True, capture_output=True, env=environment)
    return target.read_bytes()


Maker = Callable[..., bytes]
