"""FAT volumes and disks with one, made by mtools and dosfstools."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from builders.tools import require

MIB = 1 << 20
ESP_START = MIB
DISK_GUID = "00000000-0000-0000-0000-000000000007"
_ENVIRONMENT = {**os.environ, "MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1", "SOURCE_DATE_EPOCH": "315532800"}


def run(*argv: str) -> bytes:
    program, *arguments = argv
    done = subprocess.run([require(program), *arguments], capture_output=True, check=True, env=_ENVIRONMENT)
    return done.stdout


def make_volume(path: Path, size_bytes: int, *options: str) -> Path:
    """An empty volume by mkfs.vfat, over the whole file."""
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    run("mkfs.vfat", *options, str(path))
    return path


def put(volume: Path, target: str, content: bytes, *, start: int = 0) -> None:
    """Copy a file into the volume that begins at `start`, and make its folders."""
    source = volume.with_name("content.bin")
    source.write_bytes(content)
    *folders, _ = target.split("/")
    for depth in range(len(folders)):
        subprocess.run(
            [require("mmd"), "-i", f"{volume}@@{start}", "-D", "s", f"::{'/'.join(folders[: depth + 1])}"],
            capture_output=True,
            check=False,
            env=_ENVIRONMENT,
        )
    run("mcopy", "-o", "-i", f"{volume}@@{start}", str(source), f"::{target}")


def delete(volume: Path, target: str, *, start: int = 0) -> None:
    run("mdel", "-i", f"{volume}@@{start}", f"::{target}")


def get(volume: Path, target: str, *, start: int = 0) -> bytes:
    """What mtools reads there."""
    return run("mtype", "-i", f"{volume}@@{start}", f"::{target}")


def make_disk(path: Path, files: dict[str, bytes], *, size_bytes: int = 64 * MIB, script: str = "") -> Path:
    """A raw disk with one ESP from 1 MiB to almost the end, formatted by mkfs.vfat as it likes, and these files in it."""
    sectors = (size_bytes - 2 * MIB) // 512
    table = script or (
        f"label: gpt\nlabel-id: {DISK_GUID}\nfirst-lba: 2048\n"
        f"start=2048, size={sectors}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, "
        "uuid=00000000-0000-0000-0001-000000000007, name=esp\n"
    )
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    subprocess.run([require("sfdisk"), "-q", str(path)], input=table.encode(), check=True, capture_output=True)
    run("mkfs.vfat", "--offset", str(ESP_START // 512), str(path), str(sectors // 2))
    for target, content in files.items():
        put(path, target, content, start=ESP_START)
    return path
