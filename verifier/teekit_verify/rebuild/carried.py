"""What the packages that changed carried before, or carry now: each file by path and by content."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.artifacts import deb
from teekit_verify.artifacts.deb import FileKind
from teekit_verify.artifacts.pe import parse_pe
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from teekit_verify.artifacts.deb import PackagedFile
    from teekit_verify.core.download import DownloadStore
    from teekit_verify.documents.model import Package

_MERGED = re.compile(r"(bin|sbin|lib|lib32|lib64|libx32)(?=/|$)")
_STUB = re.compile(r".*\.efi\.stub")
_EMPTY = hashlib.sha256(b"").digest()


@dataclass(slots=True)
class Carried:
    """Package names by path, with what they have there; and by the digest of a file, or of a section of an EFI stub.

    `stubs` are the packages of EFI stubs. `missing` are the packages that are not in the store: nothing is known of them.
    """

    by_path: defaultdict[str, list[tuple[str, PackagedFile]]] = field(default_factory=lambda: defaultdict(list))
    by_digest: defaultdict[bytes, set[str]] = field(default_factory=lambda: defaultdict(set))
    stubs: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)

    def add(self, name: str, files: Iterable[PackagedFile]) -> None:
        digests: dict[str, PackagedFile] = {}
        for file in files:
            if file.kind is FileKind.HARD_LINK:  # to a file that came before it
                first = digests.get(file.target.removeprefix("./"), file)
                place, here = merged(file.name), first
            else:
                place, here = merged(file.name), file
            digests[file.name] = here
            self.by_path[place].append((name, here))
            if here.digest and here.digest != _EMPTY:
                self.by_digest[here.digest].add(name)
            if file.content is not None:
                self._add_stub(name, file.content)

    def _add_stub(self, name: str, content: bytes) -> None:
        """Its sections are copied into UKIs one by one. One that cannot be read explains nothing."""
        try:
            view = memoryview(content)
            for section in parse_pe(view, what="EFI stub").sections:
                span = section.content
                if span.size_bytes:
                    self.by_digest[hashlib.sha256(view[span.start : span.stop]).digest()].add(name)
        except TeekitError:
            return
        self.stubs.add(name)


def read(packages: Iterable[Package], store: DownloadStore) -> Carried:
    """Raises TeekitError for damaged packages."""
    carried = Carried()
    for package in packages:
        path = _stored(package, store)
        if path is None:
            carried.missing.append(f"{package.name} {package.version}")
        else:
            carried.add(package.name, deb.files(path, kept=lambda name: _STUB.fullmatch(name) is not None))
    return carried


def _stored(package: Package, store: DownloadStore) -> Path | None:
    path = store.path(Digest.from_hex(Algorithm.SHA256, package.sha256.hex))
    return path if path.is_file() else None


def merged(path: str) -> str:
    """Debian's packages may still name /lib and the like, which are links to the folders below /usr (usr-merge)."""
    return _MERGED.sub(r"usr/\1", path, count=1) if _MERGED.match(path) else path
