"""OCI image layouts, and what `docker save` writes: their files are named by digests, and so by what they hold. Names by what they are for
let A's layer be compared with B's.

Sources: OCI image-spec 1.1, "Image Layout", "Image Index", "Image Manifest"; Moby's image/spec 1.2 (manifest.json).
"""

from __future__ import annotations

import json
import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_INDEX, _SAVED = "index.json", "manifest.json"
MAX_BYTES = 4 << 20
_MAX_DEPTH, _MAX_NAMES = 4, 1000
_DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]{64,128})")


def roles(names: Collection[str], read: Callable[[str], bytes]) -> dict[str, str]:
    """By what it is for ("layer 2"), the name of each file that an index leads to; empty if there is none.

    `names` are the files that there are; `read` gives the content of one, at most MAX_BYTES of it. What is malformed leads nowhere.
    """
    found: dict[str, str] = {}
    for role, name in islice(chain(_of_layout(names, read), _of_saved(names, read)), _MAX_NAMES):
        if name in names and name not in found.values():
            found.setdefault(role, name)
    return found


def partners(
    one: dict[str, str], other: dict[str, str], names: tuple[Collection[str], Collection[str]]
) -> dict[str, tuple[str, str]]:
    """The roles that files have under other names in A and B, with both names: what has one name in both is compared by that."""
    return {
        role: (a, other[role])
        for role, a in one.items()
        if role in other
        and role not in names[0]
        and role not in names[1]
        and a not in names[1]
        and other[role] not in names[0]
    }


def _document(names: Collection[str], read: Callable[[str], bytes], name: str) -> Any:
    if name not in names:
        return None
    try:
        return json.loads(read(name))
    except (ValueError, RecursionError):
        return None


def _rows(document: Any, key: str) -> list[dict[str, Any]]:
    rows = document.get(key) if isinstance(document, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _of_layout(names: Collection[str], read: Callable[[str], bytes]) -> Iterator[tuple[str, str]]:
    if "oci-layout" in names:
        yield from _below(set(names), read, _document(names, read, _INDEX), "", 0)


def _below(
    unread: set[str], read: Callable[[str], bytes], document: object, prefix: str, depth: int
) -> Iterator[tuple[str, str]]:
    """Of an index its manifests, of a manifest its configuration and layers. Each file is read once, whoever names it how often."""
    manifests = _rows(document, "manifests")
    for number, row in enumerate(manifests, start=1):
        name = _blob(row)
        role = f"{prefix}manifest" if len(manifests) == 1 else f"{prefix}manifest {number}"
        yield role, name
        if depth < _MAX_DEPTH and name in unread:
            unread.remove(name)
            inner = prefix if len(manifests) == 1 else f"{role}, "
            yield from _below(unread, read, _document((name,), read, name), inner, depth + 1)
    if isinstance(document, dict) and isinstance(config := document.get("config"), dict):
        yield f"{prefix}configuration", _blob(config)
        for number, row in enumerate(_rows(document, "layers"), start=1):
            yield f"{prefix}layer {number}", _blob(row)


def _blob(row: dict[str, Any]) -> str:
    match = _DIGEST.fullmatch(digest) if isinstance(digest := row.get("digest"), str) else None
    return f"blobs/{match[1]}/{match[2]}" if match else ""


def _of_saved(names: Collection[str], read: Callable[[str], bytes]) -> Iterator[tuple[str, str]]:
    document = _document(names, read, _SAVED)
    images = [row for row in document if isinstance(row, dict)] if isinstance(document, list) else []
    for number, image in enumerate(images, start=1):
        prefix = "" if len(images) == 1 else f"image {number}, "
        if isinstance(config := image.get("Config"), str):
            yield f"{prefix}configuration", config
        layers = image.get("Layers")
        for place, layer in enumerate(layers if isinstance(layers, list) else [], start=1):
            if isinstance(layer, str):
                yield f"{prefix}layer {place}", layer
