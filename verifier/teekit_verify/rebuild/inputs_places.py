"""Where inputs of releases can be had: a folder, a static web server, or a registry. Nothing of it is believed.

Packages need no more than their digest to be asked for. Only the source needs the manifest, which says the digest of its bundle.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import url
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DocumentError, DownloadError, RemoteFile
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.rebuild import oci
from teekit_verify.rebuild.oci import Descriptor, Manifest, OciError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.core.download import DownloadStore

ARTIFACT_TYPE = "application/vnd.teekit-verify.inputs.v1"
BUNDLE_TYPE = "application/vnd.git.bundle"
LOCK_TYPE = "application/vnd.teekit-verify.package-lock.v1+json"
TARGET = "teekit-verify.image"
_REGISTRY = re.compile(
    r"oci://(?P<host>[A-Za-z0-9.-]+|\[[0-9a-fA-F:]+\])(?P<port>:[0-9]{1,5})?"
    r"/(?P<name>[a-z0-9]+([._/-]+[a-z0-9]+)*)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)
_ACCEPT = f"{oci.MANIFEST_TYPE}, {oci.INDEX_TYPE};q=0.5"
_MAX_MANIFESTS = 100


@dataclass(frozen=True, slots=True)
class Place:
    """`base` is an address, of a registry with the name of the repository; `tag` is one of a registry, or empty.

    `manifest_sha256` is that of the one manifest that is wanted, if somebody has said so.
    """

    given: str
    base: str
    is_registry: bool = False
    tag: str = ""
    manifest_sha256: Digest | None = None

    @property
    def is_local(self) -> bool:
        return self.base.startswith("file:")

    def blob(self, digest: Digest) -> str:
        """The address of a file that is known by its SHA-256."""
        return f"{self.base}/blobs/{digest.algorithm.value}{':' if self.is_registry else '/'}{digest.hex}"

    def manifests(self, store: DownloadStore, release: str | None) -> Iterator[Manifest]:
        """Those of our kind; of a registry the one of its tag, or of the release. Raises TeekitError."""
        if self.manifest_sha256 is not None:
            yield self._manifest(self.manifest_sha256, store)
            return
        if self.is_registry:
            tag = self.tag or release
            if tag is None:
                raise OciError(f"{self.given}: a registry lists nothing", hint="Name a release with --release NAME.")
            address = url.join(self.base, f"manifests/{tag}")
            yield oci.parse_manifest(store.document(address, oci.MAX_BYTES, accept=_ACCEPT), url.shown(address))
            return
        for entry in self.entries(store):
            if release is None or entry.annotation(oci.REF_NAME) == release:
                yield self.manifest(entry, store)

    def entries(self, store: DownloadStore) -> list[Descriptor]:
        """What the index names of our kind."""
        address = f"{self.base}/index.json"
        index = oci.parse_index(store.document(address, oci.MAX_BYTES), url.shown(address))
        return [one for one in index.manifests if one.artifactType == ARTIFACT_TYPE][:_MAX_MANIFESTS]

    def manifest(self, entry: Descriptor, store: DownloadStore) -> Manifest:
        """The manifest of an entry, with the bytes that the index says."""
        return self._manifest(entry.sha256, store)

    def _manifest(self, wanted: Digest, store: DownloadStore) -> Manifest:
        address = f"{self.base}/manifests/{wanted}" if self.is_registry else self.blob(wanted)
        data = store.document(address, oci.MAX_BYTES, accept=_ACCEPT)
        if Digest.of(Algorithm.SHA256, data) != wanted:
            raise OciError(
                f"{url.shown(address)}: its content does not match its name", hint="Fetch the archive again."
            )
        return oci.parse_manifest(data, url.shown(address))


def parse(text: str) -> Place:
    """What --inputs names: a folder, an http, https or file address, or oci://HOST[:PORT]/NAME[:TAG]. Raises TeekitError."""
    if text.startswith("oci:"):
        return _registry(text)
    if "://" in text:
        return Place(text, url.require_address(text, "an inputs archive"))
    folder = Path(text)
    if not folder.is_dir():
        raise TeekitError(
            f"there is no folder {printable(text)}", hint="Name a folder, an address, or oci://HOST/NAME."
        )
    return Place(text, url.of_file(str(folder.resolve())))


def _registry(text: str) -> Place:
    found = _REGISTRY.fullmatch(text)
    if found is None:
        raise TeekitError(
            f"'{printable(url.redacted(text)[:80])}' is not an address of a registry",
            hint="Write it like oci://registry.example.org/images/inputs.",
        )
    scheme = "http" if _is_loopback(found["host"]) else "https"  # as other clients of registries do
    base = f"{scheme}://{found['host']}{found['port'] or ''}/v2/{found['name']}"
    return Place(text, base, is_registry=True, tag=found["tag"] or "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def bundles(places: tuple[Place, ...], store: DownloadStore, release: str | None, commit: str) -> Iterator[Path]:
    """Bundles of the source that say they have the commit, fetched one by one. What cannot be read is passed over."""
    for place in places:
        try:
            for manifest in place.manifests(store, release if place.is_registry else None):
                if manifest.annotation(oci.REVISION) == commit:
                    for layer in manifest.of_type(BUNDLE_TYPE):
                        store.fetch([remote_file(layer, place)])
                        yield store.path(layer.sha256)
        except (DocumentError, DownloadError, OciError):
            continue


def remote_file(layer: Descriptor, *places: Place) -> RemoteFile:
    urls = tuple(place.blob(layer.sha256) for place in places)
    return RemoteFile(printable(layer.title), layer.size, layer.sha256, urls)
