"""Why a check has its outcome, as values. Words for them are made in `wording`; each class has a `kind`, its name in report.json.

A reason that needs no more than its name is one of `Why`; others carry what they are about.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.digest import Algorithm  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields  # noqa: TC001
from teekit_verify.evidence.meaning import Meaning  # noqa: TC001
from teekit_verify.prediction.causes import Cause, CauseKind

_STRICT = ConfigDict(extra="forbid", strict=True)


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
    TPM_NOT_VOUCHED_FOR = "tpm_not_vouched_for"
    NO_TDX_QUOTE = "no_tdx_quote"
    TPM_RUNS_OTHERWISE = "tpm_runs_otherwise"
    FIRMWARE_NOT_VOUCHED_FOR = "firmware_not_vouched_for"
    FIRMWARE_NOT_THE_NAMED = "firmware_not_the_named"
    BOOTED_NOT_COMPARED = "booted_not_compared"
    DRIVERS_NOT_COMPARED = "drivers_not_compared"
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


@frozen
class Because:
    __pydantic_config__: ClassVar = _STRICT
    why: Why
    kind: Literal["because"] = field(default="because", kw_only=True)


@frozen
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


@frozen
class ValueNotKnown:
    """The register's value is not known to `side`; `missing` is why, in the words of the document. `partly`: some of its
    events are.
    """

    __pydantic_config__: ClassVar = _STRICT
    side: Side
    missing: str
    partly: bool = False
    kind: Literal["value_not_known"] = field(default="value_not_known", kw_only=True)


@frozen
class Ignored:
    """The reference, or its format, says so: `text` is its reason."""

    __pydantic_config__: ClassVar = _STRICT
    text: str
    by_format: bool = False
    kind: Literal["ignored"] = field(default="ignored", kw_only=True)


@frozen
class NoValueInGroup:
    __pydantic_config__: ClassVar = _STRICT
    group: str
    kind: Literal["no_value_in_group"] = field(default="no_value_in_group", kw_only=True)


@frozen
class EventName:
    """An event as it is called: its description, and its type as a number (TCG PFP, table "Events")."""

    __pydantic_config__: ClassVar = _STRICT
    description: str
    type: fields.EventTypeName


_UNKNOWN = Cause(CauseKind.UNKNOWN)


@frozen
class EventDifference:
    """An event in which one register's log leaves the reference.

    `position` counts the events found from 1. `expected` and `found` are digests in hexadecimal, empty on the side
    whose log has ended; `wanted` and `seen` are the events. `cause` is where the bytes come from ("UKI section .cmdline"),
    `origin` the same as a value, `means` what the guest's own log says about it (`evidence.meaning`). `left_out` is how many more events
    differ after this one, where it is the last that is listed.
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
    means: Meaning | None = None
    left_out: int = 0


@frozen
class FirstDifference:
    __pydantic_config__: ClassVar = _STRICT
    difference: EventDifference
    kind: Literal["first_difference"] = field(default="first_difference", kw_only=True)


@frozen
class SameEventAs:
    """The first difference is the one that was said of another bank."""

    __pydantic_config__: ClassVar = _STRICT
    bank: Algorithm
    kind: Literal["same_event_as"] = field(default="same_event_as", kw_only=True)


@frozen
class StrayEvent:
    """An event of `side` that the other side, which knows all of them, does not have."""

    __pydantic_config__: ClassVar = _STRICT
    side: Side
    description: str
    cause: str
    kind: Literal["stray_event"] = field(default="stray_event", kw_only=True)


@frozen
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


@frozen
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


@frozen
class LogsPart:
    """At event `position`, counted from 1."""

    __pydantic_config__: ClassVar = _STRICT
    how: DivergenceKindName
    position: int
    kind: Literal["logs_part"] = field(default="logs_part", kw_only=True)


@frozen
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


@frozen
class AsRequested:
    """`found` is, or is not, what was asked for: the outcome says which."""

    __pydantic_config__: ClassVar = _STRICT
    requested: Requested
    kind: Literal["as_requested"] = field(default="as_requested", kw_only=True)


@frozen
class Refused:
    """A fact that raised: `code` and `message` are the error's."""

    __pydantic_config__: ClassVar = _STRICT
    code: str
    message: str
    kind: Literal["refused"] = field(default="refused", kw_only=True)


@frozen
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
