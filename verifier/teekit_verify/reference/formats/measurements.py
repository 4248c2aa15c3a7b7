"""A measurements.json of this project, published as it is: everything that was predicted of one artifact has to match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.documents import load
from teekit_verify.documents.create import published_platforms
from teekit_verify.documents.model import MEASUREMENTS_SCHEMA, Artifact
from teekit_verify.reference.formats.base import Format, Source
from teekit_verify.reference.published import ReferenceValues

if TYPE_CHECKING:
    from collections.abc import Sequence


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and source.json.get("schema") == MEASUREMENTS_SCHEMA


def _read(source: Source) -> Sequence[ReferenceValues]:
    document = load.parse_measurements(source.data, source.where)
    artifacts = [document.artifact]
    if document.disk is not None and document.disk.sha256 is not None:
        artifacts.append(Artifact(document.disk.name, document.disk.size_bytes, document.disk.sha256))
    return (
        ReferenceValues(
            name=document.artifact.name,
            platforms=published_platforms([document]),
            artifacts=tuple(artifacts),
            apps=document.apps,
        ),
    )


FORMAT = Format(f"measurements ({MEASUREMENTS_SCHEMA})", _recognises, _read)
