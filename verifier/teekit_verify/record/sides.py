"""What `lock diff --reports` compares: reports of rebuilds, with their images, or references, which have values alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.load import load_reference
from teekit_verify.rebuild.effect import Side, Values
from teekit_verify.record.directory import load_reproduced

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.documents.model import Measurements, Reference


def load(place: Path) -> Side:
    """A report's folder, whose artifacts are hashed again, or a reference file. Raises TeekitError."""
    if not place.exists():
        raise TeekitError(f"there is no {place}", hint="Name the folder of a report, or a reference file.")
    return _of_report(place) if place.is_dir() else _of_reference(load_reference(place), str(place))


def _of_report(folder: Path) -> Side:
    build, measurements = load_reproduced(folder)
    uki = next(item for item in build.artifacts if item.sha256 == measurements.artifact.sha256)
    return Side(
        str(folder), build.inputs, _of_measurements(measurements), build.artifacts, folder / "artifacts" / uki.name
    )


def _of_measurements(measurements: Measurements) -> Values:
    return {
        platform: {
            register: tuple(one.register for one in value.alternatives) or (value,)
            for register, value in registers.items()
        }
        for platform, registers in measurements.platforms.items()
    }


def _of_reference(reference: Reference, given: str) -> Side:
    registers = {
        platform: {
            name: tuple(one.register for one in register.acceptable)
            for name, register in registers.items()
            if register.acceptable
        }
        for platform, registers in reference.platforms.items()
    }
    return Side(given, reference.inputs, registers, reference.artifacts, None)
