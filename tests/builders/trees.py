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


def iso(source: Path, target: Path, *options: str) -> bytes:
    argv = [require("xorriso"), "-as", "mkisofs", "-quiet", "-R", *options, "-o", str(target), str(source)]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(TIME)})
    return target.read_bytes()


def btrfs(source: Path, target: Path, *options: str) -> bytes:
    """In 16 MiB: data and metadata in the same chunks."""
    with target.open("wb") as stream:
        stream.truncate(64 << 20)
    argv = [require("mkfs.btrfs"), "-q", "-M", "-U", UUID, "--rootdir", str(source), "--shrink", *options, str(target)]
    subprocess.run(argv, check=True, capture_output=True)
    return target.read_bytes()


def xfs(source: Path, target: Path, *options: str) -> bytes:
    """By a prototype file (mkfs.xfs(8)); the three variables let mkfs.xfs make one as small as those of its own tests."""
    prototype = target.with_name("prototype")
    lines = ["/dev/null", "0 0", "d--755 0 0", *_prototype(source), "$"]
    prototype.write_text("\n".join(lines) + "\n")
    with target.open("wb") as stream:
        stream.truncate(32 << 20)
    argv = [require("mkfs.xfs"), "-q", "-m", f"uuid={UUID}", *options, "-p", str(prototype), str(target)]
    environment = {**os.environ, "TEST_DIR": "x", "TEST_DEV": "x", "QA_CHECK_FS": "x"}
    subprocess.run(argv, check=True, capture_output=True, env=environment)
    return target.read_bytes()


def _prototype(folder: Path) -> list[str]:
    lines = []
    for path in sorted(folder.iterdir()):
        mode = f"{path.lstat().st_mode & 0o777:03o} 0 0"
        if path.is_symlink():
            lines.append(f"{path.name} l--{mode} {path.readlink()}")
        elif path.is_dir():
            lines += [f"{path.name} d--{mode}", *_prototype(path), "$"]
        else:
            lines.append(f"{path.name} ---{mode} {path}")
    return lines


Maker = Callable[..., bytes]
