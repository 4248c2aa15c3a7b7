"""The archive of a release's inputs: all that its rebuild needs but this program, so that a rebuild needs nobody else.

It is an OCI image layout with one manifest for each release. docs/inputs.md
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Digest, digest_file
from teekit_verify.core.download import DownloadError, DownloadStore
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.rebuild import bundle, checkout, git, lock, oci
from teekit_verify.rebuild.inputs_places import ARTIFACT_TYPE, BUNDLE_TYPE, LOCK_TYPE, TARGET, Place, remote_file
from teekit_verify.rebuild.lock_files import evidence_files
from teekit_verify.rebuild.oci import TITLE, Descriptor, Manifest, OciError
from teekit_verify.rebuild.release import cached_repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.oci_layout import Layout
    from teekit_verify.rebuild.subject import Subject

DEBIAN_TYPE = "application/vnd.debian.binary-package"
NPM_TYPE = "application/gzip"
WHEEL_TYPE = "application/vnd.teekit-verify.wheel"
EVIDENCE_TYPE = "application/vnd.teekit-verify.signed-index"
ENVIRONMENT_LOCK, IMAGE_LOCK, REQUIREMENTS = "nix/build-env.lock.json", "mkosi/packages.lock.json", "requirements.lock"
_MOST_LOCK_BYTES = 8 << 20
_WHEEL_DIGEST = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` put there; sizes in bytes."""

    manifest: Descriptor
    files: int
    size_bytes: int


def locks_of(subject: Subject) -> tuple[PackageLock, PackageLock]:
    """The environment's and the image's, of the subject's commit."""
    project = subject.bringing.project
    return lock.load(project.environment_lock), lock.load(project.image_lock)


def fetch_all(subject: Subject) -> list[LockedPackage]:
    """Bring every package of the release into the download store, the environment's and the image's; and the signed index, if
    somebody has it: a rebuild goes without.
    """
    environment, image = locks_of(subject)
    lacking = [file for locked in (environment, image) for file in subject.bringing.bring_evidence(locked)]
    if lacking:
        names = ", ".join(file.title for file in lacking)
        subject.bringing.progress.note(f"nobody has these files of the locks' signed index any more: {names}")
    packages = image.for_target(subject.target.key)
    subject.bringing.fetch_environment(environment)
    subject.bringing.fetch(image, packages)
    return list({package.sha256: package for package in (*environment.packages, *packages)}.values())


def create(subject: Subject, release: str, layout: Layout, wheels: Path | None) -> Created:
    """Add a release to the archive. The same release is the same bytes, whoever makes it."""
    packages = fetch_all(subject)
    project, store = subject.bringing.project, subject.bringing.store
    commit = subject.origin.commit or ""
    repository = cached_repository(subject.origin.repository, subject.bringing)
    source = bundle.make(repository.folder, commit, subject.origin.tag)
    locks = {ENVIRONMENT_LOCK: project.environment_lock.read_bytes(), IMAGE_LOCK: project.image_lock.read_bytes()}
    with layout.being_changed():
        for data in (oci.EMPTY, source, *locks.values()):
            layout.put(data)
        index = [file for file in evidence_files(*locks_of(subject)) if store.path(file.digest).is_file()]
        for digest in (*(file.digest for file in index), *(package.digest for package in packages)):
            layout.put_file(store.path(digest), digest)
        own = list(_wheels(project.root / REQUIREMENTS, wheels))
        for path, digest in own:
            layout.put_file(path, digest)
        manifest = Manifest(
            schemaVersion=2,
            mediaType=oci.MANIFEST_TYPE,  # type: ignore[arg-type]
            artifactType=ARTIFACT_TYPE,
            config=oci.descriptor(oci.EMPTY_TYPE, oci.EMPTY),
            layers=(
                *(oci.descriptor(LOCK_TYPE, data, title) for title, data in locks.items()),
                oci.descriptor(BUNDLE_TYPE, source, "source.bundle"),
                *(_file_layer(store.path(file.digest), file.digest, EVIDENCE_TYPE, file.title) for file in index),
                *sorted(map(_layer, packages), key=lambda layer: (layer.title, layer.digest)),
                *(_file_layer(path, digest) for path, digest in own),
            ),
            annotations={oci.REVISION: commit, TARGET: subject.target.key},
        )
        data = oci.dump(manifest)
        layout.name_manifest(data, release, ARTIFACT_TYPE, {oci.REVISION: commit})
    return Created(
        oci.descriptor(oci.MANIFEST_TYPE, data), len(manifest.layers), sum(layer.size for layer in manifest.layers)
    )


def _layer(package: LockedPackage) -> Descriptor:
    return Descriptor(
        mediaType=NPM_TYPE if package.archive == "npm" else DEBIAN_TYPE,
        digest=f"sha256:{package.sha256}",
        size=package.size_bytes,
        annotations={TITLE: PurePosixPath(package.file_name).name},
    )


def _file_layer(path: Path, digest: Digest, type_: str = WHEEL_TYPE, title: str = "") -> Descriptor:
    return Descriptor(
        mediaType=type_, digest=str(digest), size=path.stat().st_size, annotations={TITLE: title or path.name}
    )


def _wheels(requirements: Path, folder: Path | None) -> Iterator[tuple[Path, Digest]]:
    """The wheels of the folder that the release's requirements.lock names."""
    if folder is None:
        return
    named = set(_WHEEL_DIGEST.findall(requirements.read_text())) if requirements.is_file() else set()
    for path in sorted(folder.glob("*.whl")):
        if (digest := digest_file(path)).hex in named:
            yield path, digest


class Wrong(Enum):
    """What is wrong with a file of an archive."""

    MISSING = "missing"
    OTHER_BYTES = "other bytes"
    UNREACHABLE = "unreachable"
    NOT_NAMED = "not in the manifest"
    NOT_OF_THE_COMMIT = "not of the commit"


@dataclass(frozen=True, slots=True)
class Problem:
    release: str
    title: str
    digest: str
    wrong: Wrong


@dataclass(frozen=True, slots=True)
class Checked:
    """`files` of how many manifests were looked at, and every problem."""

    manifests: int
    files: int
    size_bytes: int
    problems: tuple[Problem, ...]


def check(place: Place, release: str | None, commit: str | None, scratch: Path) -> Checked:
    """Every file against its manifest, and each manifest against the locks of its commit. `commit` is the release's, if known.

    Raises TeekitError for an archive that cannot be read, or has nothing of that name.
    """
    problems: list[Problem] = []
    manifests = files = size_bytes = 0
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        store = DownloadStore(Path(folder) / "store")
        for name, manifest in _manifests(place, store, release):
            manifests += 1
            found, wrong = _check_one(place, name, manifest, store, commit)
            problems += wrong
            files, size_bytes = files + found, size_bytes + sum(layer.size for layer in manifest.layers)
    if not manifests:
        raise OciError(
            f"{place.given} has no inputs" + (f" of the release '{printable(release)}'" if release else ""),
            hint="Name another archive, or make it with `teekit-verify inputs create`.",
        )
    return Checked(manifests, files, size_bytes, tuple(problems))


def _manifests(place: Place, store: DownloadStore, release: str | None) -> Iterator[tuple[str, Manifest]]:
    if place.is_registry:
        for manifest in place.manifests(store, release):
            yield release or place.tag, manifest
        return
    for entry in place.entries(store):
        name = entry.annotation(oci.REF_NAME)
        if release in {None, name}:
            yield name, place.manifest(entry, store)


def _check_one(
    place: Place, name: str, manifest: Manifest, store: DownloadStore, commit: str | None
) -> tuple[int, list[Problem]]:
    """The number of files that are as they should be, and the problems."""
    layers = {layer.digest: layer for layer in (manifest.config, *manifest.layers)}
    wrong = {digest: found for digest, layer in layers.items() if (found := _wrong(layer, place, store)) is not None}
    problems = [Problem(name, layers[digest].title, digest, found) for digest, found in wrong.items()]
    revision = manifest.annotation(oci.REVISION)
    if commit is not None and revision != commit:
        problems.append(Problem(name, f"commit {printable(revision)}", "", Wrong.NOT_OF_THE_COMMIT))
    whole = [layer for layer in manifest.layers if layer.digest not in wrong]
    problems += _against_the_commit(name, manifest, whole, store, revision)
    return len(layers) - len(wrong), problems


def _wrong(layer: Descriptor, place: Place, store: DownloadStore) -> Wrong | None:
    """Copied into the store, which checks it; kept there if it is looked into later."""
    kept = layer.mediaType in {LOCK_TYPE, BUNDLE_TYPE}
    try:
        store.fetch([remote_file(layer, place)])
    except DownloadError as error:
        return {"gone": Wrong.MISSING, "other bytes": Wrong.OTHER_BYTES}.get(
            error.missing[0].refusals[0].reason.value, Wrong.UNREACHABLE
        )
    if not kept:
        store.path(layer.sha256).unlink()
    return None


def _against_the_commit(
    name: str, manifest: Manifest, whole: Sequence[Descriptor], store: DownloadStore, revision: str
) -> Iterator[Problem]:
    """The locks are those of the commit, the commit is in the bundle, and every package of the locks is in the manifest."""
    locks = {layer.title: layer for layer in whole if layer.mediaType == LOCK_TYPE}
    bundles = [layer for layer in whole if layer.mediaType == BUNDLE_TYPE]
    committed = _committed_locks(store.path(bundles[0].sha256), revision) if bundles else {}
    if bundles and not committed:
        yield Problem(name, bundles[0].title, bundles[0].digest, Wrong.NOT_OF_THE_COMMIT)
    digests = {layer.digest for layer in manifest.layers}
    for title in (ENVIRONMENT_LOCK, IMAGE_LOCK):
        layer = locks.get(title)
        if layer is None:
            if not any(one.title == title for one in manifest.layers):
                yield Problem(name, title, "", Wrong.NOT_NAMED)
            continue
        data = store.path(layer.sha256).read_bytes()
        if committed and committed.get(title) != data:
            yield Problem(name, title, layer.digest, Wrong.NOT_OF_THE_COMMIT)
        for wanted, digest in _needed(store.path(layer.sha256), title, manifest.annotation(TARGET)):
            if digest not in digests:
                yield Problem(name, wanted, digest, Wrong.NOT_NAMED)
    if not any(layer.mediaType == BUNDLE_TYPE for layer in manifest.layers):
        yield Problem(name, "source.bundle", "", Wrong.NOT_NAMED)


def _needed(path: Path, title: str, target: str) -> Iterator[tuple[str, str]]:
    """Name and digest of what a lock asks for: packages, and the signed index."""
    locked = lock.load(path)
    for package in locked.packages if title == ENVIRONMENT_LOCK else locked.for_target(target):
        yield f"{package.name} {package.version}", f"sha256:{package.sha256}"
    for file in evidence_files(locked):
        yield file.title, str(file.digest)


def _committed_locks(path: Path, commit: str) -> dict[str, bytes]:
    """The locks as the commit in the bundle has them; empty if it is not there."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        repository = git.Repository(Path(folder) / "bundle.git", str(path))
        try:
            _, pack = bundle.pack_of(path)
            repository.take_pack(pack, git.require_commit(commit), {})
            if not repository.has(commit):
                return {}
            entries = checkout.list_files(repository.folder, commit, ENVIRONMENT_LOCK, IMAGE_LOCK)
            small = [entry for entry in entries if entry.size_bytes <= _MOST_LOCK_BYTES]
            contents = checkout.objects(repository.folder, [entry.object_id for entry in small])
        except TeekitError:
            return {}
    return {entry.path: content for entry, content in zip(small, contents, strict=True)}
