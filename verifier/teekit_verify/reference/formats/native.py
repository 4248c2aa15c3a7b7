"""Reference files of this project: docs/reference-format.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.documents import load
from teekit_verify.documents.model import REFERENCE_SCHEMA
from teekit_verify.reference.formats.base import Format, Source
from teekit_verify.reference.published import ReferenceValues, values_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and source.json.get("schema") == REFERENCE_SCHEMA


def _read(source: Source) -> Sequence[ReferenceValues]:
    return (values_of(load.parse_reference(source.data, source.where)),)


FORMAT = Format(f"reference ({REFERENCE_SCHEMA})", _recognises, _read)
