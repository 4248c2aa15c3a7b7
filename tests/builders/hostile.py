"""Bytes that a stranger would send: Debian packages with any member, and folders with canaries that must outlive them."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCRIPT = 0o755


def member(
    name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644
) -> tuple[tarfile.TarInfo, bytes]:
    """One of a tar, of any kind and name."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.size = kind, link, mode, len(content)
    return made, content


def symlink(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.SYMTYPE, link=to, mode=0o777)


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.DIRTYPE, mode=mode)


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for made, content in members:
            archive.addfile(made, io.BytesIO(content) if content else None)
    return packed.getvalue()


def deb_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A .deb (deb(5)) that dpkg-deb would not build."""
    control = tar_of(
        [member("control", b"Package: x\nVersion: 1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n")]
    )
    parts = {"debian-binary": b"2.0\n", "control.tar": control, "data.tar": tar_of(members)}
    packed = b"!<arch>\n"
    for name, content in parts.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        packed += content + b"\n" * (len(content) % 2)
    return packed


@dataclass
class Canaries:
    """Files on the host in `folder`, as they were when they were made: content, mode, owner, and what lies beside them."""

    folder: Path
    before: dict[str, object] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Canaries:
        for name in (
            "passwd",
            "group",
            "hosts",
            "resolv.conf",
            "machine-id",
            "deep/doc/x",
            "deep/man/x",
            "deep/locale/x",
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"the canary {name}")
            (folder / name).chmod(0o600)
        (folder / "deep").chmod(0o700)
        made = cls(folder)
        made.before = made._now()
        return made

    def sing(self) -> bool:
        """Whether nothing was touched."""
        return self._now() == self.before

    def _now(self) -> dict[str, object]:
        return {
            str(path.relative_to(self.folder)): (
                os.lstat(path).st_mode,
                os.lstat(path).st_uid,
                os.lstat(path).st_nlink if path.is_file() else 0,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            )
            for path in (self.folder, *self.folder.rglob("*"))
        }
