"""Untrusted files to documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import codec, model

if TYPE_CHECKING:
    from pathlib import Path


def load_reference(path: Path) -> model.Reference:
    """Raises TeekitError with the JSON path of the offending field."""
    return load_reference_file(path)[0]


def load_reference_file(path: Path) -> tuple[model.Reference, Digest]:
    """The reference and the SHA-256 of the very bytes it was read from."""
    data = codec.read_bounded(path)
    return parse_reference(data, str(path)), Digest.of(Algorithm.SHA256, data)


def parse_reference(data: bytes, where: str) -> model.Reference:
    """`where` names the file in errors. Raises TeekitError with the JSON path of each offending field."""
    return codec.parse(model.Reference, model.REFERENCE_SCHEMA, data, where)


def load_measurements(path: Path) -> model.Measurements:
    """Raises TeekitError with the JSON path of the offending field."""
    return parse_measurements(codec.read_bounded(path), str(path))


def parse_measurements(data: bytes, where: str) -> model.Measurements:
    """As `parse_reference`."""
    return codec.parse(model.Measurements, model.MEASUREMENTS_SCHEMA, data, where)


def load_inputs(path: Path) -> model.Inputs:
    """Raises TeekitError with the JSON path of the offending field."""
    data = codec.read_bounded(path)
    return codec.parse(model.InputsDocument, model.INPUTS_SCHEMA, data, str(path)).inputs
