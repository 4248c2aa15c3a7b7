"""What a machine may be given to run, as documents have it; and that documents about images without apps do not mention them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.documents.app_manifest import MOST_MANIFESTS, Manifest, parse_manifest, require_hostname

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, SerializerFunctionWrapHandler
    from pydantic_core import CoreSchema

_STRICT = ConfigDict(extra="forbid", strict=True)


@frozen
class GivenSet:
    """What a machine may be given to run: the exact bytes of manifests, and the hostnames, None where any will do."""

    __pydantic_config__: ClassVar = _STRICT
    label: fields.Name
    manifests: Annotated[tuple[fields.Base64, ...], Field(min_length=1, max_length=MOST_MANIFESTS)]
    hostnames: Annotated[tuple[fields.Hostname, ...], Field(max_length=100)] | None = None

    @property
    def parsed(self) -> tuple[Manifest, ...]:
        return tuple(map(parse_manifest, self.manifests))


def _takeable(given: GivenSet) -> GivenSet:
    """What the guest would refuse names no app."""
    try:
        for number, content in enumerate(given.manifests):
            parse_manifest(content, f"manifest {number}")
        names = [require_hostname(name) for name in given.hostnames or ()]
    except TeekitError as error:
        raise ValueError(error.message) from error
    if names != list(given.hostnames or ()):
        raise ValueError("hostnames must be in lower case")
    return given


@frozen
class Apps:
    """That the image measures what it runs, in the `format` of docs/app-identity.md, and what it may be; `acceptable` is empty where
    nobody has said yet.
    """

    __pydantic_config__: ClassVar = _STRICT
    format: Literal["teekit measured v1"]
    acceptable: Annotated[
        tuple[Annotated[GivenSet, AfterValidator(_takeable)], ...],
        Field(max_length=100),
        fields.unique(lambda given: given.label, "label"),
    ] = ()


def _without_empty_apps(document: object, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Documents about images that do not measure apps have the bytes from before there were any that do."""
    found: dict[str, Any] = dump(document)
    if found["apps"] is None:
        del found["apps"]
    return found


def schema_without_empty_apps(_kind: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """What pydantic's `model_serializer` makes of `_without_empty_apps`, without importing it before it is needed."""
    from pydantic_core import core_schema

    schema: Any = handler(source)
    schema["serialization"] = core_schema.wrap_serializer_function_ser_schema(_without_empty_apps)
    made: CoreSchema = schema
    return made
