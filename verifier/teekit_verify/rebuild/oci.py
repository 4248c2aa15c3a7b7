"""The JSON of an OCI image layout (github.com/opencontainers/image-spec, v1.1), from anybody: bounded, and only what we need.

Fields that we do not know are left alone: archives are copied about by other programs.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec, fields

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY = b"{}"
TITLE = "org.opencontainers.image.title"
REVISION = "org.opencontainers.image.revision"
REF_NAME = "org.opencontainers.image.ref.name"
Kind = TypeVar("Kind", bound="_Model")
MAX_BYTES = codec.MAX_DOCUMENT_BYTES
_HINT = "Fetch the archive again, or ask whoever made it."

_Text = Annotated[str, Field(max_length=4096)]


class OciError(TeekitError):
    """A document of an archive cannot be read, or is not what it should be."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Descriptor(_Model):
    """A blob: what it is, its digest and its length in bytes."""

    mediaType: Annotated[str, Field(max_length=255)]  # noqa: N815 - the specification's names, here and below
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: fields.Size
    artifactType: Annotated[str, Field(max_length=255)] | None = None  # noqa: N815
    annotations: Annotated[dict[_Text, _Text], Field(max_length=64)] | None = None

    @property
    def sha256(self) -> Digest:
        return Digest.from_hex(Algorithm.SHA256, self.digest.removeprefix("sha256:"))

    def annotation(self, name: str) -> str:
        """Empty where there is none."""
        return (self.annotations or {}).get(name, "")

    @property
    def title(self) -> str:
        return self.annotation(TITLE) or self.digest


class Manifest(_Model):
    """An image manifest; `layers` are the files, in their order."""

    schemaVersion: Literal[2]  # noqa: N815
    mediaType: Literal["application/vnd.oci.image.manifest.v1+json"]  # noqa: N815
    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], Field(max_length=fields.MAX_ITEMS)]
    artifactType: Annotated[str, Field(max_length=255)] | None = None  # noqa: N815
    annotations: Annotated[dict[_Text, _Text], Field(max_length=64)] | None = None

    def annotation(self, name: str) -> str:
        return (self.annotations or {}).get(name, "")

    def of_type(self, media_type: str) -> list[Descriptor]:
        return [layer for layer in self.layers if layer.mediaType == media_type]


class Index(_Model):
    """`index.json`, or an index that another one names."""

    schemaVersion: Literal[2]  # noqa: N815
    manifests: Annotated[tuple[Descriptor, ...], Field(max_length=1000)]


def descriptor(media_type: str, data: bytes, title: str = "") -> Descriptor:
    """Of bytes at hand."""
    digest = Digest.of(Algorithm.SHA256, data)
    return Descriptor(
        mediaType=media_type, digest=str(digest), size=len(data), annotations={TITLE: title} if title else None
    )


def dump(value: _Model) -> bytes:
    """The same value is always the same bytes."""
    return dump_plain(value.model_dump(mode="json", exclude_none=True))


def dump_plain(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Raises OciError."""
    return _parse(Manifest, data, where)


def parse_index(data: bytes, where: str) -> Index:
    """Raises OciError."""
    return _parse(Index, data, where)


def _parse(kind: type[Kind], data: bytes, where: str) -> Kind:
    try:
        codec.bounded_json(data, where)
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise OciError(f"{where}: {codec.json_path(first['loc'])}: {codec.problem(first)}", hint=_HINT) from error
    except TeekitError as error:
        raise OciError(error.message, hint=_HINT) from error
