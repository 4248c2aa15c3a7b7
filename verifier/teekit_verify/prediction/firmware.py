"""What is in a firmware file, and the MRTD of a TD started with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.tdvf import TdvfSection, firmware_in
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.files import open_input
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.mrtd import PageOrder, google_builds, mrtd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.artifacts.tdvf import TdxFirmware
    from teekit_verify.core.files import OpenedInput
    from teekit_verify.prediction.gcp_facts import FirmwareFact, GcpFacts

BOTH_ORDERS = tuple(PageOrder)


@frozen
class SectionInspection:
    """A section of the TDVF metadata, and the SHA-384 of its bytes in the file (None if it has none there)."""

    section: TdvfSection
    sha384: Digest | None


@frozen
class FirmwareInspection:
    """What a firmware file is. `sha384` is the name that Google publishes it under."""

    name: str
    size_bytes: int
    sha256: Digest
    sha384: Digest
    sections: tuple[SectionInspection, ...]


@frozen
class FirmwareMeasurement:
    """`mrtd` has one value for each page order that was asked for: the VMM decides which of them it is. `google` is the order
    of Google Cloud, None where its algorithm refuses the firmware or gives something else.
    """

    firmware: FirmwareInspection
    mrtd: dict[PageOrder, Digest]
    google: PageOrder | None


def inspect_firmware(path: Path) -> FirmwareInspection:
    """Raises TeekitError for what is not TDX firmware."""
    with open_input(path) as file:
        return inspect_opened(file)


def inspect_opened(file: OpenedInput) -> FirmwareInspection:
    """The same of an opened file."""
    with firmware_in(file) as firmware:
        return _inspect(file.name, firmware)


def measure_firmware(path: Path, orders: Sequence[PageOrder] = BOTH_ORDERS) -> FirmwareMeasurement:
    """MRTD of a TD started with this firmware. Raises TeekitError for what is not TDX firmware."""
    with open_input(path) as file:
        return measure_opened(file, orders)


def measure_opened(file: OpenedInput, orders: Sequence[PageOrder] = BOTH_ORDERS) -> FirmwareMeasurement:
    """The same of an opened file."""
    with firmware_in(file) as firmware:
        values = {order: mrtd(firmware, order) for order in orders}
        google = PageOrder.SINGLE if google_builds(firmware) else None
        return FirmwareMeasurement(_inspect(file.name, firmware), values, google)


def known_as(facts: GcpFacts, firmware: FirmwareInspection) -> FirmwareFact | None:
    """The release of Google's that this file is."""
    return facts.by_file(firmware.sha384)


def _inspect(name: str, firmware: TdxFirmware) -> FirmwareInspection:
    return FirmwareInspection(
        name,
        len(firmware.data),
        Digest.of(Algorithm.SHA256, firmware.data),
        Digest.of(Algorithm.SHA384, firmware.data),
        tuple(
            SectionInspection(
                section,
                Digest.of(Algorithm.SHA384, firmware.content(section)) if section.raw_size else None,
            )
            for section in firmware.sections
        ),
    )
