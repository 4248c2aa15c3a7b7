"""A release's bill of materials in CycloneDX 1.6 (ECMA-424): what was published, and every package and file that it was made of.

It follows from the reference file, whose SHA-256 names it: no time, no tool version, a serial number made of that digest. So anybody makes the same
bytes, and a signature of the reference file is one of what went in. Repository and withdrawal are of release.json, which nobody signs. A package of
the build environment has the scope `excluded`: it is in no image.
"""

from __future__ import annotations

import json
import string
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Artifact, Reference, SourceFile

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
_AUTHORITY = "tag:teekit-verify,2026"
_RELEASE, _ENVIRONMENT = "release", "environment"
_UNQUOTED = frozenset(f"{string.ascii_letters}{string.digits}.-_~:".encode())
"""Of package URLs (purl-spec, "Character encoding")."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A package that went in. `npm` is whether it is npm's, and not Debian's."""

    name: str
    version: str
    architecture: str
    sha256: str
    npm: bool

    @property
    def purl(self) -> str:
        """github.com/package-url/purl-spec: of Debian with its architecture, as there may be two of one name and version."""
        if self.npm:
            scope, separator, name = self.name.rpartition("/")
            return f"pkg:npm/{_quoted(scope)}{separator}{_quoted(name)}@{_quoted(self.version)}"
        return f"pkg:deb/debian/{_quoted(self.name)}@{_quoted(self.version)}?arch={self.architecture}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a release is from. `sha256` is that of the reference file; `withdrawn` says why it must not be used, else None."""

    name: str
    sha256: Digest
    repository: str | None
    withdrawn: str | None


def bill_of_materials(
    origin: Origin, reference: Reference, image: Sequence[Ingredient], environment: Sequence[Ingredient]
) -> bytes:
    """`environment` is empty where its packages are not known; then the bill has its digest alone."""
    packages = [_package(item, _RELEASE) for item in _sorted(image)]
    tools = [_package(item, _ENVIRONMENT) | {"scope": "excluded"} for item in _sorted(environment)]
    sources = [_source(item) for item in sorted(reference.inputs.source_files, key=lambda item: item.path)]
    document = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{_AUTHORITY}:sbom/{origin.sha256.hex}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "teekit-verify"}]},
            "component": _release(origin, reference),
        },
        "components": [*packages, _environment(reference), *tools, *sources],
        "dependencies": [
            {"ref": _RELEASE, "dependsOn": _refs([*packages, *sources])},
            {"ref": _ENVIRONMENT, "dependsOn": _refs(tools)},
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def _release(origin: Origin, reference: Reference) -> dict[str, object]:
    inputs = reference.inputs
    properties = {
        "reference-sha256": origin.sha256.hex,
        "commit": reference.commit or "",
        "image": inputs.image,
        "profiles": " ".join(sorted(inputs.profiles)),
        "lock-sha256": inputs.lock_sha256.hex,
        "withdrawn": origin.withdrawn or "",
    }
    component: dict[str, object] = {
        "type": "operating-system",
        "bom-ref": _RELEASE,
        "name": inputs.image,
        "version": origin.name,
        "properties": _properties(properties),
        "components": [_artifact(item) for item in sorted(reference.artifacts, key=lambda item: item.name)],
    }
    if origin.repository is not None:
        component["externalReferences"] = [{"type": "vcs", "url": origin.repository}]
    return component


def _artifact(item: Artifact) -> dict[str, object]:
    return {"type": "file", "bom-ref": f"artifact:{item.name}", "name": item.name, "hashes": _hashes(item.sha256.hex)}


def _environment(reference: Reference) -> dict[str, object]:
    """A platform that is used, and not shipped. The NAR's digest is in SRI form, so it is a property."""
    environment = reference.inputs.environment
    properties = {
        "lock-sha256": environment.lock_sha256.hex,
        "nar-hash": environment.nar_hash,
        "store-path": environment.store_path,
    }
    return {
        "type": "platform",
        "bom-ref": _ENVIRONMENT,
        "name": "build environment",
        "version": environment.lock_sha256.hex,
        "scope": "excluded",
        "properties": _properties(properties),
    }


def _package(item: Ingredient, part: str) -> dict[str, object]:
    return {
        "type": "library",
        "bom-ref": f"{part}:{item.purl}#{item.sha256}",
        "name": item.name,
        "version": item.version,
        "hashes": _hashes(item.sha256),
        "purl": item.purl,
    }


def _source(item: SourceFile) -> dict[str, object]:
    return {
        "type": "file",
        "bom-ref": f"source:{item.path}",
        "name": item.path,
        "hashes": _hashes(item.sha256.hex),
        "properties": _properties({"kind": item.kind.value}),
    }


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": f"teekit-verify:{name}", "value": value} for name, value in values.items() if value]


def _refs(components: Iterable[dict[str, object]]) -> list[object]:
    return [component["bom-ref"] for component in components]


def _sorted(items: Collection[Ingredient]) -> list[Ingredient]:
    return sorted(items, key=lambda item: (item.npm, item.name, item.version, item.architecture, item.sha256))


def _quoted(text: str) -> str:
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in text.encode())
