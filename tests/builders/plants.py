"""Planted differences without end: the seed decides what is planted, with which values, in which file and in which container.

What is expected comes from the planter: it knows the file and what it did to it. `python -m builders.plants 300` measures.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from builders import fat, trees
from builders.cpio import DIRECTORY, FILE, SYMLINK, Entry, build_cpio
from builders.tools import require
from builders.uki import build_uki, default_sections
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import Explanation, leaves

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "jetty", "knoll", "larch")
Draw = random.Random


@dataclass(frozen=True)
class Planted:
    """`name` is the file's path; `causes` are the names of which exactly one is expected (none: an empty tuple)."""

    kind: str
    name: str
    causes: tuple[str, ...]


def _word(draw: Draw) -> str:
    return draw.choice(WORDS) + str(draw.randrange(10, 99))


def _two(draw: Draw, make: Callable[[Draw], str]) -> tuple[str, str]:
    one = make(draw)
    while (other := make(draw)) == one:
        pass
    return one, other


def _moment(draw: Draw) -> datetime:
    return datetime.fromtimestamp(draw.randrange(1_600_000_000, 1_790_000_000), UTC)


def _hex(size: int) -> Callable[[Draw], str]:
    return lambda draw: draw.randbytes(size).hex()


def _line(
    head: str, make: Callable[[Draw], str], *causes: str
) -> Callable[[Draw], tuple[bytes, bytes, tuple[str, ...]]]:
    """A text in which one line changes."""

    def content(draw: Draw) -> tuple[bytes, bytes, tuple[str, ...]]:
        before = "".join(f"{_word(draw)} {_word(draw)}\n" for _ in range(draw.randrange(30)))
        one, other = _two(draw, make)
        after = "".join(f"{_word(draw)}\n" for _ in range(draw.randrange(30)))
        return (f"{before}{head}{one}\n{after}".encode(), f"{before}{head}{other}\n{after}".encode(), causes)

    return content


def _added(line: Callable[[Draw], str], *causes: str) -> Callable[[Draw], tuple[bytes, bytes, tuple[str, ...]]]:
    """A text that has one line more in B."""

    def content(draw: Draw) -> tuple[bytes, bytes, tuple[str, ...]]:
        lines = [f"{_word(draw)} {_word(draw)}" for _ in range(draw.randrange(2, 30))]
        at = draw.randrange(len(lines))
        more = [*lines[:at], line(draw), *lines[at:]]
        return "\n".join(lines).encode() + b"\n", "\n".join(more).encode() + b"\n", causes

    return content


def _binary(make: Callable[[Draw], bytes], *causes: str) -> Callable[[Draw], tuple[bytes, bytes, tuple[str, ...]]]:
    """Bytes that mean nothing, with a field in them."""

    def content(draw: Draw) -> tuple[bytes, bytes, tuple[str, ...]]:
        before, after = draw.randbytes(8 * draw.randrange(4, 400)), draw.randbytes(draw.randrange(32, 4000))
        one, other = make(draw), make(draw)
        return before + one + after, before + other + after, causes

    return content


def _shuffled(draw: Draw) -> tuple[bytes, bytes, tuple[str, ...]]:
    names = [f"usr/lib/{word}.so" for word in draw.sample(WORDS, 8)]
    other = names[:]
    while other == names:
        draw.shuffle(other)
    return "\n".join(names).encode() + b"\n", "\n".join(other).encode() + b"\n", ("file order",)


def _locale(draw: Draw) -> tuple[bytes, bytes, tuple[str, ...]]:
    names = [word.capitalize() if draw.random() < 0.5 else word for word in draw.sample(WORDS, 9)]
    names[0], names[1] = names[0].capitalize(), names[1].lower()
    by_bytes, by_letters = sorted(names), sorted(names, key=str.lower)
    if by_bytes == by_letters:
        return _locale(draw)
    return "\n".join(by_bytes).encode() + b"\n", "\n".join(by_letters).encode() + b"\n", ("locale or sort order",)


CONTENTS: dict[str, Callable[[Draw], tuple[bytes, bytes, tuple[str, ...]]]] = {
    "date": _line("built on ", lambda draw: f"{_moment(draw):%Y-%m-%d %H:%M:%S}", "time stamp"),
    "ISO 8601": _line("created: ", lambda draw: f"{_moment(draw):%Y-%m-%dT%H:%M:%SZ}", "time stamp"),
    "ctime": _line("# generated ", lambda draw: f"{_moment(draw):%a %b %d %H:%M:%S UTC %Y}", "time stamp"),
    "epoch": _line("stamp=", lambda draw: str(int(_moment(draw).timestamp())), "time stamp"),
    "user": _line("packed by ", lambda draw: f"{_word(draw)}@builder", "user name"),
    "host": _line("packed by ", lambda draw: f"ci@{_word(draw)}.example", "host name"),
    "host:": _line("host: ", lambda draw: f"{_word(draw)}-{_word(draw)}", "host name"),
    "build path": _line("source=", lambda draw: f"/build/{_word(draw)}/src/main.c", "build path"),
    "home": _line("cache=", lambda draw: f"/home/{_word(draw)}/.cache/x", "home directory"),
    "UUID": _line("id: ", lambda draw: str(UUID(bytes=draw.randbytes(16), version=4)), "random id"),
    "mktemp": _line("dir ", lambda draw: "/tmp/tmp." + "".join(draw.choices("abcXYZ0123456789Qq", k=10)), "random id"),  # noqa: S108
    "sha256": _line("sha256:", _hex(32), "digest"),
    "commit": _line("commit ", _hex(20), "source revision"),
    "jobs": _line("make -j", lambda draw: str(draw.randrange(2, 64)), "number of CPUs"),
    "pid": _line("daemon started, pid ", lambda draw: str(draw.randrange(300, 30_000)), "process ID"),
    "environment": _line("CFLAGS=-O2 ", lambda draw: f"-march={_word(draw)}", "environment value"),
    "plain": _line("threshold ", lambda draw: f"{_word(draw)} {_word(draw)}"),
    "added user@host": _added(lambda draw: f"signed-off-by {_word(draw)}@{_word(draw)}", "user name", "host name"),
    "added time": _added(lambda draw: f"at {_moment(draw):%Y-%m-%d %H:%M:%S} UTC", "time stamp"),
    "added words": _added(lambda draw: f"enable {_word(draw)}"),
    "shuffled files": _shuffled,
    "locale": _locale,
    # Two builds of one image are no two years apart.
    "binary time": _binary(
        lambda draw: struct.pack("<I", draw.randrange(1_760_000_000, 1_790_000_000)) + bytes(4), "time stamp"
    ),
    "binary words": _binary(lambda draw: b"\xf1" + draw.randbytes(7)),
    "binary path": _binary(lambda draw: f"\0/build/{draw.randrange(10**6):06}/x.c\0".encode(), "build path"),
}
FILES: dict[str, tuple[str, str]] = {
    "etc/machine-id": ("", "machine ID"),
    "etc/ssh/ssh_host_rsa_key": ("", "SSH host key"),
    "var/log/build.log": ("", "log file"),
    "var/lib/systemd/random-seed": ("", "random seed"),
    "etc/ld.so.cache": ("", "ld cache"),
    "var/cache/fontconfig/x.cache-7": ("", "generated cache"),
}
METADATA = ("mode", "umask", "mtime", "presence", "target", "kind", "empty")


def base(folder: Path, draw: Draw) -> None:
    """The same in both."""
    for name in ("etc", "usr/lib/app", "opt/data", "var/log", "var/lib/systemd", "etc/ssh", "var/cache/fontconfig"):
        (folder / name).mkdir(parents=True)
    for number in range(12):
        (folder / "usr/lib/app" / f"{WORDS[number]}.dat").write_bytes(draw.randbytes(draw.randrange(1, 9000)))
        (folder / "opt/data" / f"{WORDS[number]}.txt").write_text("".join(f"{_word(draw)}\n" for _ in range(40)))
    (folder / "usr/lib/app/link").symlink_to("amber.dat")


def plant(one: Path, other: Path, seed: int, *, with_metadata: bool = True) -> Planted:
    """Fill two folders that differ in one thing."""
    for side in (one, other):
        base(side, Draw(seed))
    draw = Draw(seed + 10**6)
    choices = [*CONTENTS, *FILES, *(METADATA if with_metadata else ())]
    kind = choices[seed % len(choices)]
    path = draw.choice(("opt/data/", "usr/lib/app/")) + draw.choice(WORDS[6:]) + draw.choice((".txt", ".dat"))
    if path.startswith("opt") != path.endswith(".txt"):
        path = path.rsplit(".", 1)[0] + (".txt" if path.startswith("opt") else ".dat")
    planted = _content(one, other, kind, path, draw) if kind not in METADATA else _metadata(other, kind, path)
    for side in (one, other):
        trees.settle(side)
    if kind == "mtime":
        os.utime(other / path, (trees.TIME + 3600, trees.TIME + 3600))
    return planted


def _content(one: Path, other: Path, kind: str, path: str, draw: Draw) -> Planted:
    if kind in FILES:
        for side in (one, other):
            (side / kind).write_bytes(draw.randbytes(70).hex().encode() if "id" in kind else draw.randbytes(70))
        return Planted(kind, kind, (FILES[kind][1],))
    a, b, causes = CONTENTS[kind](draw)
    (one / path).write_bytes(a)
    (other / path).write_bytes(b)
    return Planted(kind, path, causes)


def _metadata(other: Path, kind: str, path: str) -> Planted:
    target = other / path
    match kind:
        case "mode":
            target.chmod(0o4755)
            return Planted(kind, path, ())
        case "umask":
            target.chmod(0o664)
            return Planted(kind, path, ("umask",))
        case "mtime":
            return Planted(kind, path, ("time stamp",))
        case "presence":
            (other / f"{path}.more").write_bytes(b"only here\n")
            return Planted(kind, f"{path}.more", ())
        case "target":
            (other / "usr/lib/app/link").unlink()
            (other / "usr/lib/app/link").symlink_to("birch.dat")
            return Planted(kind, "usr/lib/app/link", ())
        case "kind":
            target.unlink()
            target.symlink_to("amber.dat")
            return Planted(kind, path, ())
        case _:
            target.write_bytes(b"")
            return Planted(kind, path, ())


def cpio(folder: Path) -> bytes:
    rows = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content, mode = b"", DIRECTORY
        if path.is_symlink():
            content, mode = str(path.readlink()).encode(), SYMLINK
        elif path.is_file():
            content, mode = path.read_bytes(), FILE
        name = str(path.relative_to(folder))
        rows.append(Entry(name, content, mode=mode | status.st_mode & 0o7777, mtime=int(status.st_mtime)))
    return build_cpio(rows)


def odc(folder: Path) -> bytes:
    names = "\n".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
    argv = [require("cpio"), "-o", "-H", "odc", "--reproducible", "--quiet"]
    return subprocess.run(argv, check=True, capture_output=True, cwd=folder, input=names.encode()).stdout


def tar(folder: Path, style: str = "gnu") -> bytes:
    argv = [require("tar"), "--sort=name", "--owner=0", "--group=0", f"--format={style}", "-C", str(folder)]
    return subprocess.run([*argv, "-cf", "-", "."], check=True, capture_output=True).stdout


def _zip(method: int) -> Callable[[Path], bytes]:
    def pack(folder: Path) -> bytes:
        with tempfile.TemporaryFile() as target:
            with zipfile.ZipFile(target, "w", method) as archive:
                for path in sorted(folder.rglob("*")):
                    if path.is_file() and not path.is_symlink():
                        archive.write(path, str(path.relative_to(folder)))
            target.seek(0)
            return target.read()

    return pack


def oci_layout(layer: bytes) -> dict[str, bytes]:
    """By the image specification's examples: an index, a manifest, a configuration and one layer, all but the first by their digests."""
    kind, blobs = "application/vnd.oci.image", {}

    def kept(content: bytes, media: str) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"{kind}.{media}", "digest": f"sha256:{digest}", "size": len(content)}

    def document(value: dict[str, object]) -> bytes:
        return json.dumps({"schemaVersion": 2, **value}).encode()

    config = kept(document({"architecture": "amd64", "os": "linux"}), "config.v1+json")
    manifest = document({"config": config, "layers": [kept(layer, "layer.v1.tar+gzip")]})
    index = document({"manifests": [kept(manifest, "manifest.v1+json")]})
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **blobs}


def _oci(layer: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        for path, content in oci_layout(layer).items():
            Path(name, path).parent.mkdir(parents=True, exist_ok=True)
            Path(name, path).write_bytes(content)
        trees.settle(Path(name))
        return tar(Path(name))


def _program(*argv: str) -> Callable[[bytes], bytes]:
    return lambda data: (
        subprocess.run([require(argv[0]), *argv[1:]], input=data, check=True, capture_output=True).stdout
    )


def _in_scratch(make: trees.Maker, *options: str) -> Callable[[Path], bytes]:
    def image(folder: Path) -> bytes:
        with tempfile.TemporaryDirectory() as name:
            return make(folder, Path(name, "image"), *options)

    return image


def _fat(folder: Path) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        path = fat.make_volume(Path(name, "volume"), 2 * MIB, "--invariant", "-i", "12345678")
        for item in sorted(folder.iterdir()):
            fat.run("mcopy", "-s", "-p", "-m", "-i", str(path), str(item), "::")
        return path.read_bytes()


def gpt(image: bytes) -> bytes:
    """A disk with the image as its second partition."""
    with tempfile.TemporaryDirectory() as name:
        path, sectors = Path(name, "disk"), -(-len(image) // 512)
        with path.open("wb") as stream:
            stream.truncate((sectors + 8192) * 512)
        table = (
            f"label: gpt\nlabel-id: {fat.DISK_GUID}\nfirst-lba: 2048\nstart=2048, size=2048, type=L, uuid={trees.UUID}\n"
            f"start=4096, size={sectors}, type=L, uuid={fat.DISK_GUID}\n"
        )
        subprocess.run([require("sfdisk"), "-q", str(path)], input=table.encode(), check=True, capture_output=True)
        with path.open("r+b") as stream:
            stream.seek(4096 * 512)
            stream.write(image)
        return path.read_bytes()


def mbr(image: bytes) -> bytes:
    sectors = -(-len(image) // 512)
    row = struct.pack("<B3sB3sII", 0x80, bytes(3), 0x83, bytes(3), 8, sectors)
    head = bytes(440) + struct.pack("<IH", 7, 0) + row + bytes(48) + b"\x55\xaa"
    return (head.ljust(8 * 512, b"\0") + image).ljust((sectors + 16) * 512, b"\0")


def converted(*options: str) -> Callable[[bytes], bytes]:
    def convert(disk: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as name:
            Path(name, "raw").write_bytes(disk)
            argv = [require("qemu-img"), "convert", "-f", "raw", *options, f"{name}/raw", f"{name}/out"]
            subprocess.run(argv, check=True, capture_output=True)
            return Path(name, "out").read_bytes()

    return convert


def _uki(initrd: bytes) -> bytes:
    rows = [(name, initrd if name == ".initrd" else content) for name, content in default_sections()]
    return build_uki(sections=rows)


def chained(first: Callable[[Path], bytes], *then: Callable[[bytes], bytes]) -> Callable[[Path], bytes]:
    def pack(folder: Path) -> bytes:
        data = first(folder)
        for step in then:
            data = step(data)
        return data

    return pack


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


_ext4, _squashfs, _erofs = (_in_scratch(make) for make in (trees.extfs, trees.squashfs, trees.erofs))
CONTAINERS: dict[str, Callable[[Path], bytes]] = {
    "initrd": cpio,
    "initrd.zst": chained(cpio, zstd.compress),
    "initrd.gz": chained(cpio, _gzip),
    "initrd.xz": chained(cpio, lzma.compress),
    "initrd.bz2": chained(cpio, bz2.compress),
    "initrd.lz4": chained(cpio, _program("lz4", "-q", "-l", "-c")),
    "initrd.lzo": chained(cpio, _program("lzop", "-n", "-c")),
    "initrd.lzma": chained(cpio, _program("xz", "--format=lzma", "-c")),
    "uki.efi": chained(cpio, zstd.compress, _uki),
    "data.tar": tar,
    "data.tar.gz": chained(tar, _gzip),
    "data.tar.zst": chained(tar, zstd.compress),
    "data.zip": _zip(zipfile.ZIP_DEFLATED),
    "bzip2.zip": _zip(zipfile.ZIP_BZIP2),
    "lzma.zip": _zip(zipfile.ZIP_LZMA),
    "data.cpio": odc,
    "old.tar.gz": chained(lambda folder: tar(folder, "v7"), _gzip),
    "oci.tar": chained(tar, _gzip, _oci),
    "root.squashfs": _squashfs,
    "lzo.squashfs": _in_scratch(trees.squashfs, "-comp", "lzo"),
    "root.erofs": _erofs,
    "root.ext4": _ext4,
    "root.btrfs": _in_scratch(trees.btrfs),
    "root.xfs": _in_scratch(trees.xfs),
    "image.iso": _in_scratch(trees.iso, "--modification-date=2025010100000000"),
    "esp.fat": _fat,
    "disk.raw": chained(_squashfs, gpt),
    "disk.raw.xz": chained(_ext4, gpt, lambda data: lzma.compress(data, preset=0)),
    "disk.mbr": chained(_erofs, mbr),
    "disk.qcow2": chained(_squashfs, gpt, converted("-O", "qcow2")),
    "disk.vhdx": chained(_erofs, gpt, converted("-O", "vhdx")),
    "disk.vmdk": chained(_ext4, mbr, converted("-O", "vmdk")),
    "stream.vmdk": chained(_squashfs, gpt, converted("-O", "vmdk", "-o", "subformat=streamOptimized")),
    "disk.vhd": chained(_squashfs, gpt, converted("-O", "vpc", "-o", "subformat=dynamic,force_size=on")),
}
_NO_METADATA = {"data.zip", "bzip2.zip", "lzma.zip", "esp.fat", "root.xfs"}


@dataclass(frozen=True)
class Told:
    """What explain made of a plant."""

    container: str
    planted: Planted
    is_equal: bool
    is_named: bool
    causes: tuple[str, ...]

    @property
    def has_right_cause(self) -> bool:
        """One that was planted, and no other; none where none was."""
        return bool(set(self.causes) & set(self.planted.causes) if self.planted.causes else not self.causes) and not (
            set(self.causes) - set(self.planted.causes)
        )


def tell(seed: int, folder: Path, container: str | None = None) -> Told:
    container = container or list(CONTAINERS)[seed % len(CONTAINERS)]
    sides = folder / "a", folder / "b"
    for side in sides:
        shutil.rmtree(side, ignore_errors=True)
        side.mkdir()
    planted = plant(*sides, seed, with_metadata=container not in _NO_METADATA)
    for side in sides:
        (folder / f"{side.name}.packed").write_bytes(CONTAINERS[container](side))
    (folder / "scratch").mkdir(exist_ok=True)
    files = folder / "a.packed", folder / "b.packed"
    found = explain(*files, folder=folder / "scratch", names=(container, container), with_diffoscope=False)
    return _told(container, planted, found)


def _told(container: str, planted: Planted, found: Explanation) -> Told:
    name = planted.name.upper() if container == "esp.fat" else planted.name
    rows = [leaf for leaf in leaves(found.differences) if any(_is(part, name) for part in leaf.path)]
    if container == "root.xfs":  # mkfs.xfs gives files the time at which it runs, so that they may differ in it as well
        rows = [row for row in rows if row.difference.what != "modification time"]
    causes = dict.fromkeys(cause.name for row in rows for cause in row.difference.causes)
    return Told(container, planted, not found.differences, bool(rows), tuple(causes))


def _is(part: str, name: str) -> bool:
    return part.removeprefix("./").removeprefix("/").upper() == name.upper()


def main(count: int, first: int = 0) -> None:
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        for seed in range(first, first + count):
            told = tell(seed, Path(name))
            if not (told.is_named and told.has_right_cause) or told.is_equal:
                wrong.append(told)
                sys.stdout.write(f"{seed} {told}\n")
                sys.stdout.flush()
    named = count - sum(not row.is_named for row in wrong)
    right = count - sum(not row.has_right_cause for row in wrong)
    equal = sum(row.is_equal for row in wrong)
    sys.stdout.write(f"{count} planted: {named} named by file, {right} with the right cause, {equal} equal\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
