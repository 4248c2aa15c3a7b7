"""A folder in the form of an OCI image layout: blobs under their SHA-256, and an index that names the manifests."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from teekit_verify.core.digest import Digest, digest_file
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_bounded, write_whole
from teekit_verify.documents import codec
from teekit_verify.rebuild import oci
from teekit_verify.rebuild.oci import Descriptor, Manifest, OciError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
_HEX = re.compile(r"[0-9a-f]{64}")
_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Layout:
    """`root` is the folder; its blobs are also a Nix hashed mirror, and named as our download store names files."""

    root: Path

    @property
    def blobs(self) -> Path:
        return self.root / "blobs" / "sha256"

    @property
    def index_file(self) -> Path:
        return self.root / "index.json"

    @contextmanager
    def being_changed(self) -> Iterator[None]:
        """Make the folder a layout, for one run at a time. Raises TeekitError for a folder with other things in it."""
        mark = self.root / "oci-layout"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not mark.exists() and any(self.root.iterdir()):
                raise TeekitError(f"{self.root} has other files in it", hint="Name a new folder.")
            with mark.open("a+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if mark.stat().st_size == 0:
                    stream.write(_LAYOUT)
                self.blobs.mkdir(parents=True, exist_ok=True)
                yield
        except OSError as error:
            where = error.filename or self.root
            raise TeekitError(f"{where}: cannot be written: {error.strerror}", hint="Name a writable place.") from error

    def put(self, data: bytes) -> None:
        """A blob of these bytes."""
        path = self.blobs / oci.descriptor("", data).sha256.hex
        if not path.is_file() or path.read_bytes() != data:
            write_whole(path, data)

    def put_file(self, source: Path, digest: Digest) -> None:
        """A blob that is a copy of a file with this digest: no link, so that damage here is no damage there."""
        path = self.blobs / digest.hex
        if path.is_file() and digest_file(path) == digest:
            return
        part = path.with_name(f".{path.name}.part")
        shutil.copyfile(source, part)
        if digest_file(part) != digest:
            part.unlink()
            raise TeekitError(f"{source} changed while it was copied", hint="Run it again.")
        os.chmod(part, 0o644)  # noqa: PTH101 - for whoever serves it
        part.replace(path)

    def name_manifest(self, data: bytes, ref_name: str, artifact_type: str, annotations: dict[str, str]) -> None:
        """Put a manifest and name it in the index, in place of the one that had its name. Others stay as they are."""
        self.put(data)
        entry = oci.descriptor(oci.MANIFEST_TYPE, data).model_copy(
            update={"artifactType": artifact_type, "annotations": {**annotations, oci.REF_NAME: ref_name}}
        )
        kept = [one for one in self._plain_entries() if one.get("annotations", {}).get(oci.REF_NAME) != ref_name]
        entries = sorted([*kept, entry.model_dump(exclude_none=True)], key=_name_and_digest)
        index = {"schemaVersion": 2, "mediaType": oci.INDEX_TYPE, "manifests": entries}
        write_whole(self.index_file, oci.dump_plain(index))

    def _plain_entries(self) -> list[dict[str, Any]]:
        """As they stand in the index, with the fields that we do not know."""
        if not self.index_file.exists():
            return []
        self.index()
        plain: Any = codec.plain_json(read_bounded(self.index_file, oci.MAX_BYTES, "an index"), str(self.index_file))
        entries: list[dict[str, Any]] = plain["manifests"]
        return [{**one, "annotations": one.get("annotations") or {}} for one in entries]

    def index(self) -> oci.Index:
        """Raises TeekitError where it cannot be read."""
        return oci.parse_index(read_bounded(self.index_file, oci.MAX_BYTES, "an index"), str(self.index_file))

    def document(self, wanted: Descriptor) -> bytes:
        """The bytes of a manifest or an index, which are what the descriptor says. Raises OciError."""
        path = self.blobs / wanted.sha256.hex
        data = read_bounded(path, oci.MAX_BYTES, "a manifest")
        if Digest.of(wanted.sha256.algorithm, data) != wanted.sha256:
            raise OciError(f"{path}: its content does not match its name", hint="Create it again, or fetch it again.")
        return data

    def named(self) -> set[str]:
        """The blobs (hex) that the index leads to. Raises OciError for what might name some, and cannot be read."""
        return _named(self, self.index().manifests, _MAX_DEPTH)

    def prune(self) -> list[tuple[str, int]]:
        """Remove the blobs that nothing names, and parts of copies; what was removed: name and size in bytes."""
        named = self.named()
        removed = []
        for path in sorted(self.blobs.iterdir()):
            left_over = path.name.startswith(".") and path.name.endswith(".part")
            if path.is_dir() or path.name in named or not (left_over or _HEX.fullmatch(path.name)):
                continue
            removed.append((path.name, path.lstat().st_size))
            path.unlink()
        return removed


def _name_and_digest(entry: dict[str, Any]) -> tuple[str, str]:
    return entry.get("annotations", {}).get(oci.REF_NAME, ""), entry["digest"]


def _named(layout: Layout, entries: tuple[Descriptor, ...], depth: int) -> set[str]:
    found: set[str] = set()
    for entry in entries:
        found.add(entry.sha256.hex)
        if entry.mediaType == oci.INDEX_TYPE and depth:
            inner = oci.parse_index(layout.document(entry), entry.digest)
            found |= _named(layout, inner.manifests, depth - 1)
        elif entry.mediaType == oci.MANIFEST_TYPE:
            manifest: Manifest = oci.parse_manifest(layout.document(entry), entry.digest)
            found |= {layer.sha256.hex for layer in (manifest.config, *manifest.layers)}
        else:
            raise OciError(
                f"{layout.index_file}: {entry.digest} is of the kind {entry.mediaType}, and what it needs is not known",
                hint="Prune this folder with the program that made it.",
            )
    return found
