"""What a check is about: a file, a register, an event, a question, a fact of evidence. Each class has a `kind`, its name in report.json."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.digest import Algorithm  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields  # noqa: TC001

_STRICT = ConfigDict(extra="forbid", strict=True)


class ArtifactPart(Enum):
    """What of an artifact is compared: its bytes, what somebody claims of them, or what of a disk lies beside its boot file."""

    FILE = "file"
    CLAIM = "claim"
    REST_OF_DISK = "rest of disk"


@frozen
class ArtifactCheck:
    """A file, under its published name if it has one."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    part: ArtifactPart = ArtifactPart.FILE
    kind: Literal["artifact"] = field(default="artifact", kw_only=True)


class RegisterSource(Enum):
    """What a register is compared with: the reference, the firmware that a policy names, the event log beside a quote, or what
    it held after the boot, before something that is known extended it.
    """

    REFERENCE = "reference"
    POLICY = "policy"
    EVENT_LOG = "event log"
    BOOT = "boot"


@frozen
class RegisterCheck:
    """A register in one bank; `bank` is None where the register as a whole is meant. `platform` is empty in event logs."""

    __pydantic_config__: ClassVar = _STRICT
    platform: str
    register: fields.RegisterName
    bank: Algorithm | None = None
    source: RegisterSource = RegisterSource.REFERENCE
    kind: Literal["register"] = field(default="register", kw_only=True)


@frozen
class EventTextCheck:
    """What an event of a guest's log says of itself. `number` counts the events of the whole log from 1."""

    __pydantic_config__: ClassVar = _STRICT
    register: fields.RegisterName
    number: int
    kind: Literal["event_text"] = field(default="event_text", kw_only=True)


class Question(Enum):
    """What has to be settled before registers mean anything."""

    REGISTERS = "registers"  # does the reference ask for any?
    PLATFORM = "platform"  # which of the reference's is this?
    PCRS = "pcrs"  # was any quoted PCR compared?
    FIRMWARE = "firmware"  # who vouches for it?
    VTPM = "vtpm"  # who vouches for it?
    BOOTED = "booted"  # was compared what the firmware booted?


@frozen
class QuestionCheck:
    """`registers` are those that an answer would have to come from."""

    __pydantic_config__: ClassVar = _STRICT
    question: Question
    platform: str = ""
    registers: tuple[fields.RegisterName, ...] = ()
    kind: Literal["question"] = field(default="question", kw_only=True)


class Fact(Enum):
    """A fact about a quote, or about the vTPM's quote beside it. Values are for programs, and stay."""

    QUOTE_SIGNATURE = "quote_signature"
    ATTESTATION_KEY = "attestation_key"
    QE_REPORT_SIGNATURE = "qe_report_signature"
    QUOTING_ENCLAVE = "quoting_enclave"
    CHAIN_ORDER = "chain_order"
    CHAIN_NAMES = "chain_names"
    CHAIN_SIGNATURES = "chain_signatures"
    CHAIN_ROOT = "chain_root"
    CHAIN_CONSTRAINTS = "chain_constraints"
    CHAIN_VALIDITY = "chain_validity"
    PCK_REVOCATION = "pck_revocation"
    CA_REVOCATION = "ca_revocation"
    VTPM_SIGNATURE = "vtpm_signature"
    VTPM_VALUES = "vtpm_values"
    VTPM_CERTIFICATE = "vtpm_certificate"
    VTPM_GOOGLE_CERTIFICATE = "vtpm_google_certificate"
    TDX_QUOTE = "tdx_quote"
    TPM_KEY = "tpm_key"
    NO_DEBUG = "no_debug"
    TD_ATTRIBUTES = "td_attributes"
    XFAM = "xfam"
    TDX_MODULE = "tdx_module"
    NO_SEPT_VE = "no_sept_ve"
    SERVICE_TD = "service_td"
    REPORT_DATA = "report_data"
    VTPM_NONCE = "vtpm_nonce"
    TCB_STATUS = "tcb_status"
    ANSWER_NONCE = "answer_nonce"
    CHANNEL = "channel"
    MANIFEST_LIST = "manifest_list"
    HOSTNAME_LIST = "hostname_list"


class GivenPart(Enum):
    """What a guest was given to run, and measured: all of it, or the order of its events, a manifest, an app, the hostnames."""

    WHOLE = "whole"
    ORDER = "order"
    MANIFEST = "manifest"
    APP = "app"
    HOSTNAMES = "hostnames"


@frozen
class GivenCheck:
    """`number` is that of a manifest and its kettle, from 0; None where none is meant."""

    __pydantic_config__: ClassVar = _STRICT
    part: GivenPart
    number: int | None = None
    kind: Literal["given"] = field(default="given", kw_only=True)


@frozen
class FactCheck:
    """A fact about evidence."""

    __pydantic_config__: ClassVar = _STRICT
    fact: Fact
    kind: Literal["fact"] = field(default="fact", kw_only=True)


@frozen
class StatedCheck:
    """Something that a published file says beside registers, under the file's own name for it."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    kind: Literal["stated"] = field(default="stated", kw_only=True)


Subject = Annotated[
    ArtifactCheck | RegisterCheck | EventTextCheck | QuestionCheck | GivenCheck | FactCheck | StatedCheck,
    Field(discriminator="kind"),
]
