"""Package manifests and other JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.manifest import MAX_BYTES, Manifest, ManifestPackage, parse_manifest
from teekit_verify.core.plain_json import load_plain
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Cause, Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_MAX_SHOWN = 200
Packages = dict[tuple[str, str, str], ManifestPackage]


def is_manifest(beginning: bytes) -> bool:
    return beginning.lstrip().startswith(b"{") and b'"manifest_version"' in beginning


def compare_manifests(_examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged."""
    one, other = (parse_manifest(blob.read(0, MAX_BYTES + 1), what=pair.name) for blob in (pair.a, pair.b))
    children = [*_packages(pair, one, other), *_config(one, other)]
    if not children:
        return None
    return Difference(pair.name, Kind.CONTENT, "package manifest", children=tuple(children[:_MAX_SHOWN]))


def _packages(pair: Pair, one: Manifest, other: Manifest) -> Iterator[Difference]:
    first, second = _by_name(one), _by_name(other)
    for key in sorted({*first, *second}):
        left, right = first.get(key), second.get(key)
        if left != right:
            name = f"package {key[1]} ({key[2]})"
            causes = causes_of([Sighting((*pair.path, name), where=Field.PACKAGE)])
            versions = left.version if left else "", right.version if right else ""
            if left and right:
                yield Difference(name, Kind.CONTENT, "another version", versions[0], versions[1], causes)
            else:
                yield Difference(
                    name, Kind.PRESENCE, f"only in {'A' if left else 'B'}", versions[0], versions[1], causes
                )
    if first == second and one.packages != other.packages:
        yield Difference(
            "order of the packages", Kind.ORDER, "the same packages in another order", causes=_order(pair, one, other)
        )


def _order(pair: Pair, one: Manifest, other: Manifest) -> tuple[Cause, ...]:
    names = [tuple(package.name for package in side.packages) for side in (one, other)]
    return causes_of([Sighting(pair.path, where=Field.ORDER, ordered_a=names[0], ordered_b=names[1])])


def _by_name(manifest: Manifest) -> Packages:
    return {(package.type, package.name, package.architecture): package for package in manifest.packages}


def _config(one: Manifest, other: Manifest) -> Iterator[Difference]:
    first, second = dict(one.config), dict(other.config)
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield Difference(f"config {name}", Kind.CONTENT, "differs", first.get(name, ""), second.get(name, ""))


def is_json(beginning: bytes) -> bool:
    return beginning.lstrip()[:1] in {b"{", b"["}


def compare_jsons(examination: Examination, pair: Pair) -> Difference | None:
    """Line by line, once both are laid out in the same way; None if they are no JSON or too long."""
    try:
        sides = [_laid_out(blob) for blob in (pair.a, pair.b)]
    except ValueError:
        return None
    if sides[0] == sides[1]:
        what = "the same JSON, with its members in another order or laid out in another way"
        causes = causes_of([Sighting(pair.path, where=Field.MEMBER_ORDER)])
        return Difference(pair.name, Kind.ORDER, what, causes=causes)
    return raw.compare_lines(pair, sides[0], sides[1], examination.conditions)


def _laid_out(blob: Blob) -> list[str]:
    if blob.size_bytes > MAX_BYTES:
        raise ValueError("too long")
    return json.dumps(load_plain(blob.read(0, MAX_BYTES)), indent=1, sort_keys=True, ensure_ascii=False).split("\n")
