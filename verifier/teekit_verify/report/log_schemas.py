"""What `boot`, `replay` and `inspect` of evidence print with `--json`, as values that their schemas are made of.

A field with a default is left out where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from teekit_verify.appraisal.facts import Check  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.boot.proof import Absent  # noqa: TC001
from teekit_verify.core.digest import Algorithm  # noqa: TC001
from teekit_verify.core.outcome import Outcome  # noqa: TC001
from teekit_verify.documents.fields import RegisterName  # noqa: TC001
from teekit_verify.evidence.ccel import CcelTable  # noqa: TC001
from teekit_verify.report import (
    boot_report,
)
from teekit_verify.report.inspect.evidence import EVIDENCE_SCHEMA
from teekit_verify.report.schema_values import Count, ExitStatusNumber, Hex, Sha256  # noqa: TC001


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
    digests: dict[Algorithm, Hex]
    data: Hex


@dataclass(frozen=True, slots=True)
class _Log:
    """An event log: its registers by name and bank, with `--events` its events; `forged` are numbers of events, from 1."""

    schema: Literal["teekit-verify/replay/v1"]
    kind: str
    registers: dict[RegisterName, dict[Algorithm, Hex]]
    left_out: tuple[_LeftOut, ...]
    texts: dict[str, Count]
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

    exit_status: ExitStatusNumber
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
    size_bytes: Count
    sha256: Sha256
    ccel_table: CcelTable | None = None
    quote: _QuoteRead | None = None
    hcl_report: _HclRead | None = None
    event_log: _Log | None = None
    more_event_logs: tuple[_Log, ...] = ()


WITH_HEADING: dict[str, tuple[type, str]] = {
    "boot-v1": (_Boot, boot_report.BOOT_SCHEMA),
}
"""By the name of the committed file: what follows `schema` and `exit_status`."""
WHOLE: dict[str, tuple[object, str]] = {
    "evidence-v1": (_Evidence, EVIDENCE_SCHEMA),
    "replay-v1": (_Replay, boot_report.REPLAY_SCHEMA),
}
"""Documents without an exit status at their top, or with it elsewhere."""
