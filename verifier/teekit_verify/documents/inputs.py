"""Input records of builds: their digest, and what differs between two of them, by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import codec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teekit_verify.documents.model import Inputs, Package, SourceFile

_SHORT = 12


def inputs_digest(inputs: Inputs) -> Digest:
    """SHA-256 of the inputs' JSON, with packages and source files in sorted order: one name for everything that went in."""
    return Digest.of(Algorithm.SHA256, codec.dump(in_order(inputs)))


def in_order(inputs: Inputs) -> Inputs:
    """The same inputs with packages and source files sorted: their order has no meaning. Profiles keep theirs."""
    return replace(
        inputs,
        packages=tuple(sorted(inputs.packages, key=lambda item: (item.name, item.architecture, item.version))),
        source_files=tuple(sorted(inputs.source_files, key=lambda item: item.path)),
    )


def compare_inputs(expected: Inputs, found: Inputs) -> tuple[str, ...]:
    """What differs, each named in one line (`expected -> found`), the most telling first; empty when the inputs are equal."""
    differences = (
        *_image(expected, found),
        *_source_files(expected, found),
        *_packages(expected, found),
        *_lock_and_environment(expected, found),
    )
    if not differences and inputs_digest(expected) != inputs_digest(found):
        return ("one of the input records lists an item twice",)  # nothing above may hide a difference
    return differences


def _image(expected: Inputs, found: Inputs) -> Iterator[str]:
    if expected.image != found.image:
        yield f"image {expected.image} -> {found.image}"
    if expected.profiles != found.profiles:
        yield f"profiles {_names(expected.profiles)} -> {_names(found.profiles)}"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "(none)"


def _source_files(expected: Inputs, found: Inputs) -> Iterator[str]:
    before = {source.path: source for source in expected.source_files}
    after = {source.path: source for source in found.source_files}
    for path in sorted(before.keys() | after.keys()):
        yield from _source_file(path, before.get(path), after.get(path))


def _source_file(path: str, before: SourceFile | None, after: SourceFile | None) -> Iterator[str]:
    if before is None or after is None:
        yield f"{path} {'added' if before is None else 'removed'}"
        return
    if before.kind is not after.kind:
        yield f"{path} changed from {before.kind.value} to {after.kind.value}"
    if before.sha256 != after.sha256:
        yield f"{path} changed (sha256 {_short(before.sha256)} -> {_short(after.sha256)})"


def _packages(expected: Inputs, found: Inputs) -> Iterator[str]:
    before, after = _by_name(expected), _by_name(found)
    for key in sorted(before.keys() | after.keys()):
        yield from _package(" ".join(key), before.get(key, {}), after.get(key, {}))


def _by_name(inputs: Inputs) -> dict[tuple[str, str], dict[str, Package]]:
    """(name, architecture) -> version -> package. Several versions of one package are possible, if unusual."""
    table: dict[tuple[str, str], dict[str, Package]] = {}
    for package in inputs.packages:
        table.setdefault((package.name, package.architecture), {})[package.version] = package
    return table


def _package(name: str, before: Mapping[str, Package], after: Mapping[str, Package]) -> Iterator[str]:
    gone, new = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if gone and new:
        yield f"package {name} {', '.join(gone)} -> {', '.join(new)}"
    elif gone:
        yield f"package {name} {', '.join(gone)} removed"
    elif new:
        yield f"package {name} {', '.join(new)} added"
    for version in sorted(before.keys() & after.keys()):
        was, now = before[version].sha256, after[version].sha256
        if was != now:
            yield f"package {name} {version} has other bytes (sha256 {_short(was)} -> {_short(now)})"


def _lock_and_environment(expected: Inputs, found: Inputs) -> Iterator[str]:
    if expected.lock_sha256 != found.lock_sha256:
        yield f"lock file changed (sha256 {_short(expected.lock_sha256)} -> {_short(found.lock_sha256)})"
    was, now = expected.environment, found.environment
    if was.lock_sha256 != now.lock_sha256:
        yield f"environment's lock file changed (sha256 {_short(was.lock_sha256)} -> {_short(now.lock_sha256)})"
    if was.nar_hash != now.nar_hash:
        yield f"environment narHash {was.nar_hash} -> {now.nar_hash}"
    if was.store_path != now.store_path:
        yield f"environment store path {was.store_path} -> {now.store_path}"


def _short(digest: Digest) -> str:
    return digest.hex[:_SHORT]
