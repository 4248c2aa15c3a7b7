"""What the other commands print with `--json`, as values that their schemas are made of.

A field with a default is left out where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from teekit_verify.appraisal.facts import Check  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.appraisal.statements.repository import CheckedRepository
from teekit_verify.boot.proof import Absent  # noqa: TC001
from teekit_verify.core.digest import Algorithm  # noqa: TC001
from teekit_verify.core.outcome import Outcome  # noqa: TC001
from teekit_verify.documents.fields import RegisterName  # noqa: TC001
from teekit_verify.documents.model import ReferenceRegister  # noqa: TC001
from teekit_verify.evidence.ccel import CcelTable  # noqa: TC001
from teekit_verify.inspection.host_inputs import HostInput  # noqa: TC001
from teekit_verify.prediction.mrtd import PageOrder  # noqa: TC001
from teekit_verify.rebuild.host import Purpose  # noqa: TC001
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.reference.signing.dsse import Standing  # noqa: TC001
from teekit_verify.report import (
    attest_report,
    boot_report,
    published_report,
    reference_report,
    release_report,
    repository_report,
    signature_report,
    statement_report,
)
from teekit_verify.report.inspect.evidence import EVIDENCE_SCHEMA
from teekit_verify.report.inspect.firmware import FIRMWARE_SCHEMA

LOCAL_SCHEMA = "teekit-verify/local/v1"
DOCTOR_SCHEMA = "teekit-verify/doctor/v1"
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Sha384 = Annotated[str, Field(pattern="^[0-9a-f]{96}$")]
_Hex = Annotated[str, Field(pattern="^([0-9a-f]{2})*$")]
_Count = Annotated[int, Field(ge=0)]
_ExitStatus = Literal[0, 1, 2]


@dataclass(frozen=True, slots=True)
class _BankCheck:
    """`name` is the bank's."""

    name: Algorithm
    bank: Algorithm
    outcome: Outcome
    expected: str
    found: str
    absent: Absent | None
    phases: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class _BootedEvent:
    register: RegisterName
    position: Annotated[int, Field(ge=1)]
    description: str
    cause: str
    checks: tuple[_BankCheck, ...]


@dataclass(frozen=True, slots=True)
class _BootedRegister:
    register: RegisterName
    checks: tuple[_BankCheck, ...]


@dataclass(frozen=True, slots=True)
class _Boot:
    """What `boot --json` prints."""

    events: tuple[_BootedEvent, ...]
    registers: tuple[_BootedRegister, ...]
    divergences: tuple[str, ...]
    accelerator: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _LeftOut:
    bank: str
    reason: str
    offset: int | None


@dataclass(frozen=True, slots=True)
class _LogEvent:
    register: RegisterName
    type: str
    description: str
    text: str
    digests: dict[Algorithm, _Hex]
    data: _Hex


@dataclass(frozen=True, slots=True)
class _Log:
    """An event log: its registers by name and bank, with `--events` its events; `forged` are numbers of events, from 1."""

    schema: Literal["teekit-verify/replay/v1"]
    kind: str
    registers: dict[RegisterName, dict[Algorithm, _Hex]]
    left_out: tuple[_LeftOut, ...]
    texts: dict[str, _Count]
    forged: tuple[Annotated[int, Field(ge=1)], ...]
    events: tuple[_LogEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class _Comparison:
    checks: tuple[Check, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _QuoteComparison(_Comparison):
    signature: Literal["not verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay(_Log):
    """What `replay --json` prints."""

    exit_status: _ExitStatus
    more_event_logs: tuple[_Log, ...] = ()
    quote: _QuoteComparison | None = None
    against: _Comparison | None = None


@dataclass(frozen=True, slots=True)
class _QuoteRead:
    version: int
    attestation_key: str
    signature: Literal["not verified"]
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class _HclRead:
    signature: Literal["not verified"]
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What `inspect --json` prints for a quote, an event log, the table of a CCEL, an HCL report."""

    schema: Literal["teekit-verify/evidence/v1"]
    name: str
    size_bytes: _Count
    sha256: _Sha256
    ccel_table: CcelTable | None = None
    quote: _QuoteRead | None = None
    hcl_report: _HclRead | None = None
    event_log: _Log | None = None
    more_event_logs: tuple[_Log, ...] = ()


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    size_bytes: _Count
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class _UnmeasuredInput:
    kind: HostInput
    where: str
    detail: str


@dataclass(frozen=True, slots=True)
class _UkiInside:
    """As by itself, where it lies on a disk."""

    name: str
    size_bytes: _Count
    sha256: _Sha256
    authenticode_sha256: _Sha256
    authenticode_sha384: _Sha384
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
    first_lba: _Count
    last_lba: _Count
    attributes: _Count


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size_bytes: _Count | None


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
    size_bytes: _Count
    disk_guid: str
    first_usable_lba: _Count
    last_usable_lba: _Count
    partitions: tuple[_Partition, ...]
    file_system: str
    files: tuple[_File, ...]
    vhd: _Vhd | None
    uki: _UkiInside | None
    uki_problem: str


@dataclass(frozen=True, slots=True)
class _TdvfSection:
    data_offset: _Count
    raw_size: _Count
    memory_address: _Count
    memory_size: _Count
    type: _Count
    attributes: _Count


@dataclass(frozen=True, slots=True)
class _MeasuredSection:
    section: _TdvfSection
    sha384: _Sha384 | None


@dataclass(frozen=True, slots=True)
class _FirmwareInside:
    name: str
    size_bytes: _Count
    sha256: _Sha256
    sha384: _Sha384
    sections: tuple[_MeasuredSection, ...]


@dataclass(frozen=True, slots=True)
class _Firmware(_FirmwareInside):
    schema: Literal["teekit-verify/inspection/v1"]


@dataclass(frozen=True, slots=True)
class _Document:
    schema: Literal["teekit-verify/inspection/v1"]
    name: str
    size_bytes: _Count
    sha256: _Sha256
    document_schema: str
    kind: str


@dataclass(frozen=True, slots=True)
class _PublishedFacts:
    schema: Literal["teekit-verify/inspection/v1"]
    name: str
    size_bytes: _Count
    sha256: _Sha256
    format: str
    signed: bool
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Mrtd:
    order: PageOrder
    used_by: str
    value: _Sha384
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
    sha256: _Sha256
    images: tuple[_PublishedImage, ...]


@dataclass(frozen=True, slots=True)
class _ListedFile:
    file: str
    problem: str
    format: str
    release: str
    image: str
    commit: str | None
    sha256: _Sha256 | None
    has_signature_file: bool


@dataclass(frozen=True, slots=True)
class _ReferenceList:
    directory: str
    files: tuple[_ListedFile, ...]


@dataclass(frozen=True, slots=True)
class _Signature:
    standing: Standing
    owner: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class _SignatureCheck:
    file: str
    problem: str
    signatures: tuple[_Signature, ...]


@dataclass(frozen=True, slots=True)
class _Artifact:
    name: str
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class _Statement:
    """`cells` are in the order of the artifacts."""

    file: str
    owner: str
    verdict: str
    release: str
    counted: bool
    cells: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class _Threshold:
    threshold: Annotated[int, Field(ge=1)]
    agreeing: _Count
    problem: str
    artifacts: tuple[_Artifact, ...]
    commit: str | None
    inputs_sha256: _Sha256 | None
    statements: tuple[_Statement, ...]


@dataclass(frozen=True, slots=True)
class _Local:
    """What `local --json` prints once everything answers."""

    schema: Literal["teekit-verify/local/v1"]
    kettles: tuple[str, ...]
    attestation: str
    https: str | None
    tpm: bool
    metadata: str
    quotes: str
    console: str
    accelerator: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Need:
    name: str
    needed_for: Purpose
    present: bool
    detail: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class _Doctor:
    """What `doctor --json` prints."""

    ready: bool
    command: str | None
    items: tuple[_Need, ...]


WITH_HEADING: dict[str, tuple[type, str]] = {
    "boot-v1": (_Boot, boot_report.BOOT_SCHEMA),
    "doctor-v1": (_Doctor, DOCTOR_SCHEMA),
    "reference-list-v1": (_ReferenceList, reference_report.LIST_SCHEMA),
    "release-list-v1": (release_report.Report, release_report.SCHEMA),
    "signature-check-v1": (_SignatureCheck, signature_report.SCHEMA),
    "statement-v1": (statement_report.Report, statement_report.SCHEMA),
    "statements-check-v1": (CheckedRepository, repository_report.SCHEMA),
    "threshold-v1": (_Threshold, attest_report.SCHEMA),
}
"""By the name of the committed file: what follows `schema` and `exit_status`."""
WHOLE: dict[str, tuple[object, str]] = {
    "evidence-v1": (_Evidence, EVIDENCE_SCHEMA),
    "firmware-v1": (_MeasuredFirmware, FIRMWARE_SCHEMA),
    "inspection-v1": (_Uki | _Disk | _Firmware | _Document | _PublishedFacts, INSPECTION_SCHEMA),
    "local-v1": (_Local, LOCAL_SCHEMA),
    "published-v1": (_Published, published_report.PUBLISHED_SCHEMA),
    "replay-v1": (_Replay, boot_report.REPLAY_SCHEMA),
}
"""Documents without an exit status at their top, or with it elsewhere."""
