"""What `inspect`, `measure` of a firmware and `reference show` print with `--json` of a file, as values that their schemas are made of.

A field with a default is left out where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from teekit_verify.documents.fields import RegisterName  # noqa: TC001
from teekit_verify.documents.model import ReferenceRegister  # noqa: TC001
from teekit_verify.inspection.host_inputs import HostInput  # noqa: TC001
from teekit_verify.prediction.mrtd import PageOrder  # noqa: TC001
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report import (
    published_report,
)
from teekit_verify.report.inspect.firmware import FIRMWARE_SCHEMA
from teekit_verify.report.schema_values import Count, Sha256, Sha384  # noqa: TC001


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    size_bytes: Count
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class _UnmeasuredInput:
    kind: HostInput
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class _UkiInside:
    """As by itself, where it lies on a disk."""

    name: str
    size_bytes: Count
    sha256: Sha256
    authenticode_sha256: Sha256
    authenticode_sha384: Sha384
    stub_version: str
    kernel_release: str | None
    cmdline: str | None
    os_release: str | None
    sections: tuple[_Section, ...]
    unmeasured_inputs: tuple[_UnmeasuredInput, ...]


@dataclass(frozen=True, slots=True)
class _Uki(_UkiInside):
    schema: Literal["teekit-verify/inspection/v1"]


@dataclass(frozen=True, slots=True)
class _Partition:
    name: str
    type_guid: str
    unique_guid: str
    first_lba: Count
    last_lba: Count
    attributes: Count


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size_bytes: Count | None


@dataclass(frozen=True, slots=True)
class _Vhd:
    unique_id: str
    creator: str
    timestamp: int
    geometry: str
    specified_geometry: str


@dataclass(frozen=True, slots=True)
class _Disk:
    schema: Literal["teekit-verify/inspection/v1"]
    name: str
    kind: str
    size_bytes: Count
    disk_guid: str
    first_usable_lba: Count
    last_usable_lba: Count
    partitions: tuple[_Partition, ...]
    file_system: str
    files: tuple[_File, ...]
    vhd: _Vhd | None
    uki: _UkiInside | None
    uki_problem: str


@dataclass(frozen=True, slots=True)
class _TdvfSection:
    data_offset: Count
    raw_size: Count
    memory_address: Count
    memory_size: Count
    type: Count
    attributes: Count


@dataclass(frozen=True, slots=True)
class _MeasuredSection:
    section: _TdvfSection
    sha384: Sha384 | None


@dataclass(frozen=True, slots=True)
class _FirmwareInside:
    name: str
    size_bytes: Count
    sha256: Sha256
    sha384: Sha384
    sections: tuple[_MeasuredSection, ...]


@dataclass(frozen=True, slots=True)
class _Firmware(_FirmwareInside):
    schema: Literal["teekit-verify/inspection/v1"]


@dataclass(frozen=True, slots=True)
class _Document:
    schema: Literal["teekit-verify/inspection/v1"]
    name: str
    size_bytes: Count
    sha256: Sha256
    document_schema: str
    kind: str


@dataclass(frozen=True, slots=True)
class _PublishedFacts:
    schema: Literal["teekit-verify/inspection/v1"]
    name: str
    size_bytes: Count
    sha256: Sha256
    format: str
    signed: bool
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mrtd:
    order: PageOrder
    used_by: str
    value: Sha384
    recorded_as: str | None


@dataclass(frozen=True, slots=True)
class _MeasuredFirmware:
    """What `measure --json` prints for firmware."""

    schema: Literal["teekit-verify/firmware/v1"]
    firmware: _FirmwareInside
    known_as: str | None
    mrtd: tuple[_Mrtd, ...]


@dataclass(frozen=True, slots=True)
class _PublishedImage:
    name: str
    platforms: dict[str, dict[RegisterName, ReferenceRegister]]
    not_compared: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Published:
    """What `reference show --json` prints for other formats than this project's."""

    schema: Literal["teekit-verify/published/v1"]
    format: str
    sha256: Sha256
    images: tuple[_PublishedImage, ...]


WHOLE: dict[str, tuple[object, str]] = {
    "firmware-v1": (_MeasuredFirmware, FIRMWARE_SCHEMA),
    "inspection-v1": (_Uki | _Disk | _Firmware | _Document | _PublishedFacts, INSPECTION_SCHEMA),
    "published-v1": (_Published, published_report.PUBLISHED_SCHEMA),
}
"""By the name of the committed file: documents without an exit status at their top, or with it elsewhere."""
