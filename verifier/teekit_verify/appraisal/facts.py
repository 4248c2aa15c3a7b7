"""One compared fact: its subject, what came of it, and the reason as a value. Words for all of it are made in `wording.checks`.

Nothing here is a sentence, and nothing may be decided by one: decisions look at types, enums and digests. The classes are
also the typed form of report.json (schema v2), which is why each has a `kind`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.digest import Algorithm  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.core.outcome import Outcome  # noqa: TC001
from teekit_verify.documents import fields  # noqa: TC001
from teekit_verify.prediction.causes import Cause, CauseKind

_STRICT = ConfigDict(extra="forbid", strict=True)


class ArtifactPart(Enum):
    """What of an artifact is compared: its bytes, what somebody claims of them, or what of a disk lies beside its boot file."""

    FILE = "file"
    CLAIM = "claim"
    REST_OF_DISK = "rest of disk"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class RegisterCheck:
    """A register in one bank; `bank` is None where the register as a whole is meant. `platform` is empty in event logs."""

    __pydantic_config__: ClassVar = _STRICT
    platform: str
    register: fields.RegisterName
    bank: Algorithm | None = None
    source: RegisterSource = RegisterSource.REFERENCE
    kind: Literal["register"] = field(default="register", kw_only=True)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class GivenCheck:
    """`number` is that of a manifest and its kettle, from 0; None where none is meant."""

    __pydantic_config__: ClassVar = _STRICT
    part: GivenPart
    number: int | None = None
    kind: Literal["given"] = field(default="given", kw_only=True)


@dataclass(frozen=True, slots=True)
class FactCheck:
    """A fact about evidence."""

    __pydantic_config__: ClassVar = _STRICT
    fact: Fact
    kind: Literal["fact"] = field(default="fact", kw_only=True)


@dataclass(frozen=True, slots=True)
class StatedCheck:
    """Something that a published file says beside registers, under the file's own name for it."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    kind: Literal["stated"] = field(default="stated", kw_only=True)


Subject = Annotated[
    ArtifactCheck | RegisterCheck | EventTextCheck | QuestionCheck | GivenCheck | FactCheck | StatedCheck,
    Field(discriminator="kind"),
]


class Why(Enum):
    """Reasons that need no more than their name."""

    # of files
    NOT_LISTED = "not_listed"
    NOT_PUBLISHED = "not_published"
    NOT_MADE = "not_made"
    OTHER_BYTES = "other_bytes"
    DISK_DIGEST_UNKNOWN = "disk_digest_unknown"
    MAY_BE_THIS_DISK = "may_be_this_disk"
    NO_DISK_PUBLISHED = "no_disk_published"
    ANOTHER_FILE = "another_file"
    ONLY_CLAIMED = "only_claimed"
    # of registers
    NOTHING_ASKED = "nothing_asked"
    PLATFORM_NOT_PUBLISHED = "platform_not_published"
    NOT_MENTIONED = "not_mentioned"
    NOT_MEASURED = "not_measured"
    NO_SUCH_BANK = "no_such_bank"
    ANOTHER_FIRMWARE = "another_firmware"
    NO_EVENT_LOG = "no_event_log"
    SAME_EVENTS = "same_events"
    NEVER_EXTENDED = "never_extended"
    NO_REGISTER = "no_register"
    # of guests
    NOT_QUOTED = "not_quoted"
    PARAVISORS = "paravisors"
    NO_PCRS_PUBLISHED = "no_pcrs_published"
    NO_PLATFORM_FITS = "no_platform_fits"
    VTPM_NOT_VOUCHED_FOR = "vtpm_not_vouched_for"
    FIRMWARE_NOT_VOUCHED_FOR = "firmware_not_vouched_for"
    FIRMWARE_NOT_THE_NAMED = "firmware_not_the_named"
    BOOTED_NOT_COMPARED = "booted_not_compared"
    NOT_IN_LOG = "not_in_log"
    LOG_LACKS_REGISTER = "log_lacks_register"
    LOG_REPLAYS_OTHERWISE = "log_replays_otherwise"
    OTHER_START = "other_start"
    # of quotes
    NO_REVOCATION_LIST = "no_revocation_list"
    NO_CERTIFICATE = "no_certificate"
    NO_COLLATERAL = "no_collateral"
    REPORT_DATA_NOT_ASKED = "report_data_not_asked"
    NONCE_NOT_ASKED = "nonce_not_asked"
    DEBUG = "debug"
    SEPT_VE = "sept_ve"
    SERVICE_TD = "service_td"
    SERVICE_TD_NAMED = "service_td_named"
    # of what a guest was given to run
    APPS_NOT_ASKED = "apps_not_asked"
    APPS_NOT_MEASURED = "apps_not_measured"
    NO_RUNTIME_LOG = "no_runtime_log"
    APPS_NOT_QUOTED = "apps_not_quoted"
    REGISTER_OTHERWISE = "register_otherwise"
    NOT_CLOSED = "not_closed"
    AFTER_CLOSED = "after_closed"
    OUT_OF_ORDER = "out_of_order"
    UNKNOWN_EVENT = "unknown_event"
    OTHER_MANIFEST = "other_manifest"
    MANIFEST_ELSEWHERE = "manifest_elsewhere"
    OTHER_APP = "other_app"
    APP_ELSEWHERE = "app_elsewhere"
    NOT_GIVEN = "not_given"
    GIVEN_TOO = "given_too"
    OTHER_HOSTNAMES = "other_hostnames"
    HOSTNAMES_NOT_ASKED = "hostnames_not_asked"
    # of a live machine's answer
    OLD_ANSWER = "old_answer"
    OTHER_TLS_KEY = "other_tls_key"
    PLAIN_HTTP = "plain_http"
    LIST_DIFFERS = "list_differs"


@dataclass(frozen=True, slots=True)
class Because:
    __pydantic_config__: ClassVar = _STRICT
    why: Why
    kind: Literal["because"] = field(default="because", kw_only=True)


@dataclass(frozen=True, slots=True)
class OtherSize:
    """Sizes in bytes."""

    __pydantic_config__: ClassVar = _STRICT
    published: int
    found: int
    kind: Literal["other_size"] = field(default="other_size", kw_only=True)


class Side(Enum):
    """Who does not know, or has, something."""

    REFERENCE = "reference"
    MEASUREMENTS = "measurements"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ValueNotKnown:
    """The register's value is not known to `side`; `missing` is why, in the words of the document. `partly`: some of its
    events are.
    """

    __pydantic_config__: ClassVar = _STRICT
    side: Side
    missing: str
    partly: bool = False
    kind: Literal["value_not_known"] = field(default="value_not_known", kw_only=True)


@dataclass(frozen=True, slots=True)
class Ignored:
    """The reference, or its format, says so: `text` is its reason."""

    __pydantic_config__: ClassVar = _STRICT
    text: str
    by_format: bool = False
    kind: Literal["ignored"] = field(default="ignored", kw_only=True)


@dataclass(frozen=True, slots=True)
class NoValueInGroup:
    __pydantic_config__: ClassVar = _STRICT
    group: str
    kind: Literal["no_value_in_group"] = field(default="no_value_in_group", kw_only=True)


@dataclass(frozen=True, slots=True)
class EventName:
    """An event as it is called: its description, and its type as a number (TCG PFP, table "Events")."""

    __pydantic_config__: ClassVar = _STRICT
    description: str
    type: fields.EventTypeName


_UNKNOWN = Cause(CauseKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class EventDifference:
    """An event in which one register's log leaves the reference.

    `position` counts the events found from 1. `expected` and `found` are digests in hexadecimal, empty on the side
    whose log has ended; `wanted` and `seen` are the events. `cause` is where the bytes come from ("UKI section .cmdline"),
    `origin` the same as a value, `meaning` what the guest's own log says about it (`evidence.explain`).
    """

    __pydantic_config__: ClassVar = _STRICT
    platform: str
    register: fields.RegisterName
    bank: Algorithm
    position: int
    expected: str
    found: str
    cause: str
    origin: Cause = _UNKNOWN
    wanted: EventName | None = None
    seen: EventName | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class FirstDifference:
    __pydantic_config__: ClassVar = _STRICT
    difference: EventDifference
    kind: Literal["first_difference"] = field(default="first_difference", kw_only=True)


@dataclass(frozen=True, slots=True)
class SameEventAs:
    """The first difference is the one that was said of another bank."""

    __pydantic_config__: ClassVar = _STRICT
    bank: Algorithm
    kind: Literal["same_event_as"] = field(default="same_event_as", kw_only=True)


@dataclass(frozen=True, slots=True)
class StrayEvent:
    """An event of `side` that the other side, which knows all of them, does not have."""

    __pydantic_config__: ClassVar = _STRICT
    side: Side
    description: str
    cause: str
    kind: Literal["stray_event"] = field(default="stray_event", kw_only=True)


@dataclass(frozen=True, slots=True)
class ForgedText:
    """An event's digest is not that of its text, and whatever makes such events hashes the text: somebody changed the log."""

    __pydantic_config__: ClassVar = _STRICT
    event: EventName
    kind: Literal["forged_text"] = field(default="forged_text", kw_only=True)


class StateKind(Enum):
    """Why a register of an honest guest holds another value than the published one."""

    PHASES = "phases"
    IMA = "ima"
    SECURE_BOOT = "secure_boot"


@dataclass(frozen=True, slots=True)
class LaterState:
    """The register holds what was published, but for a state that is known: systemd's `phases`; `entries` of the `listed` ones of
    an IMA list; or Secure Boot, with which the stub loads the kernel itself.
    """

    __pydantic_config__: ClassVar = _STRICT
    state: StateKind
    phases: tuple[str, ...] = ()
    entries: int = 0
    listed: int = 0
    kind: Literal["later_state"] = field(default="later_state", kw_only=True)


class DivergenceKindName(Enum):
    """How two event logs part."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class LogsPart:
    """At event `position`, counted from 1."""

    __pydantic_config__: ClassVar = _STRICT
    how: DivergenceKindName
    position: int
    kind: Literal["logs_part"] = field(default="logs_part", kw_only=True)


@dataclass(frozen=True, slots=True)
class SeveralFit:
    __pydantic_config__: ClassVar = _STRICT
    platforms: tuple[str, ...]
    kind: Literal["several_fit"] = field(default="several_fit", kw_only=True)


class Requested(Enum):
    """What REPORTDATA, or the nonce of a vTPM's quote, was asked to be."""

    GIVEN = "given"
    NONCE = "nonce"
    PUBLIC_KEY = "public_key"
    HCL_REPORT = "hcl_report"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class AsRequested:
    """`found` is, or is not, what was asked for: the outcome says which."""

    __pydantic_config__: ClassVar = _STRICT
    requested: Requested
    kind: Literal["as_requested"] = field(default="as_requested", kw_only=True)


@dataclass(frozen=True, slots=True)
class Refused:
    """A fact that raised: `code` and `message` are the error's."""

    __pydantic_config__: ClassVar = _STRICT
    code: str
    message: str
    kind: Literal["refused"] = field(default="refused", kw_only=True)


@dataclass(frozen=True, slots=True)
class Said:
    """The words of an older document, which had no reasons as values."""

    __pydantic_config__: ClassVar = _STRICT
    text: str
    kind: Literal["said"] = field(default="said", kw_only=True)


Reason = Annotated[
    Because
    | OtherSize
    | ValueNotKnown
    | Ignored
    | NoValueInGroup
    | FirstDifference
    | SameEventAs
    | StrayEvent
    | ForgedText
    | LaterState
    | LogsPart
    | SeveralFit
    | AsRequested
    | Refused
    | Said,
    Field(discriminator="kind"),
]


class Choice(Enum):
    """Of what the nearest one was taken, as none fits wholly."""

    GROUP = "group"
    ALTERNATIVE = "alternative"
    ACCEPTABLE = "acceptable"


@dataclass(frozen=True, slots=True)
class Nearest:
    """What follows is said against `label`, the nearest of `count`."""

    __pydantic_config__: ClassVar = _STRICT
    choice: Choice
    label: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One compared fact. `expected` and `found` are values as text (digests in hexadecimal), empty where there is none."""

    __pydantic_config__: ClassVar = _STRICT
    subject: Subject
    outcome: Outcome
    expected: str = ""
    found: str = ""
    reason: Reason | None = None
    nearest: tuple[Nearest, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError("a Check has no truth value: look at its outcome")
