"""Predicts an artifact's registers for each platform and puts them into a measurements document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify import __version__
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.measurement.boot import predict_uki
from teekit_verify.measurement.registers import Register, pcr, rtmr
from teekit_verify.reference import load, model
from teekit_verify.reference.create import register_value

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from teekit_verify.measurement.boot import Prediction

_MAGIC_BYTES = 512


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of machine, by what it measures into. `registers` are those that the image decides there."""

    name: str
    vtpm: bool
    registers: tuple[Register, ...]


PLATFORMS = (
    Platform("uefi-vtpm", vtpm=True, registers=(pcr(4), pcr(5), pcr(9), pcr(11))),
    Platform("tdx", vtpm=False, registers=(rtmr(1), rtmr(2))),
    # Firmware that has both measures images and GPT into the RTMRs only (measurement.boot): no PCR 4 and 5 here.
    Platform("tdx-vtpm", vtpm=True, registers=(pcr(9), pcr(11), rtmr(1), rtmr(2))),
)


def platforms_with(*, vtpm: bool | None) -> tuple[Platform, ...]:
    """Those with a vTPM, those without, or (None) all."""
    return tuple(platform for platform in PLATFORMS if vtpm is None or platform.vtpm is vtpm)


def measure_file(path: Path, platforms: Sequence[Platform] = PLATFORMS) -> model.Measurements:
    """The measurements of a UKI file. Raises TeekitError for what is not a UKI, or is one whose measuring is not known."""
    require_uki(path)
    with open_uki(path) as uki:
        predictions = {vtpm: predict_uki(uki, vtpm=vtpm) for vtpm in {platform.vtpm for platform in platforms}}
        return model.Measurements(
            schema=model.MEASUREMENTS_SCHEMA,
            tool_version=__version__,
            artifact=model.Artifact(path.name, len(uki.data), Digest.of(Algorithm.SHA256, uki.data)),
            stub_version=uki.stub_version.text,
            platforms={platform.name: _registers(platform, predictions[platform.vtpm]) for platform in platforms},
        )


def _registers(platform: Platform, predictions: Sequence[Prediction]) -> dict[Register, model.RegisterValue]:
    return {
        prediction.register: register_value(
            prediction.register, prediction.events, missing="; ".join(prediction.missing)
        )
        for prediction in predictions
        if prediction.register in platform.registers
    }


def measure_or_load(path: Path, platforms: Collection[str]) -> model.Measurements:
    """A UKI is measured for the named platforms, as far as we know them; a measurements.json is loaded as it is."""
    if _beginning(path).lstrip(b" \t\r\n")[:1] == b"{":
        return load.load_measurements(path)
    wanted = tuple(platform for platform in PLATFORMS if platform.name in platforms)
    return measure_file(path, wanted)


def require_uki(path: Path) -> None:
    """A clear word about files of another kind, before their structure is looked at."""
    beginning = _beginning(path)
    if not beginning:
        raise UnsupportedInputError(f"{path} is empty", hint="Name a UKI (an .efi file).")
    if beginning[:2] != b"MZ":
        raise UnsupportedInputError(
            f"{path} is not a UKI: it does not begin with 'MZ'", hint="Name a UKI (an .efi file)."
        )


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAGIC_BYTES)
    except OSError as error:
        raise TeekitError(f"{path}: cannot be read: {error.strerror}", hint="Name a readable file.") from error
