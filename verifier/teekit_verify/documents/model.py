"""What was published, and what a reference value was made from: the documents of `measurements.json` and `reference/*.json`.

The values are plain frozen dataclasses. pydantic reads their annotations to validate JSON into them and to write them
(`reference.documents`); code that builds them in memory needs no pydantic. docs/reference-format.md describes every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.documents.app_manifest import MOST_MANIFESTS, Manifest, parse_manifest, require_hostname
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import Register
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, SerializerFunctionWrapHandler
    from pydantic_core import CoreSchema

MEASUREMENTS_SCHEMA: Literal["teekit-verify/measurements/v1"] = "teekit-verify/measurements/v1"
REFERENCE_SCHEMA: Literal["teekit-verify/reference/v1"] = "teekit-verify/reference/v1"
INPUTS_SCHEMA: Literal["teekit-verify/inputs/v1"] = "teekit-verify/inputs/v1"

_STRICT = ConfigDict(extra="forbid", strict=True)
_MANY = Field(max_length=fields.MAX_ITEMS)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a build made."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    size_bytes: fields.Size
    sha256: fields.Sha256


Artifacts = Annotated[tuple[Artifact, ...], _MANY, fields.unique(lambda artifact: artifact.name, "artifact")]


class SourceKind(Enum):
    """What a source file is, as git tells its kinds apart."""

    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the image's definition. `path` is relative to the repository; a symlink's digest is that of its target text."""

    __pydantic_config__: ClassVar = _STRICT
    path: fields.Path
    kind: SourceKind
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class Package:
    """A package file the image was built from."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    version: fields.Name
    architecture: fields.Name
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class Environment:
    """The pinned build environment: its lock, the digest of the NAR it gives and the store path that follows from that."""

    __pydantic_config__: ClassVar = _STRICT
    lock_sha256: fields.Sha256
    nar_hash: fields.NarHash
    store_path: fields.StorePath


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a build consumed. Two builds with equal inputs must give equal artifacts.

    `packages` are those of the lock that this image uses; `lock_sha256` is one digest for them.
    """

    __pydantic_config__: ClassVar = _STRICT
    image: fields.Name
    profiles: Annotated[tuple[fields.Name, ...], Field(max_length=64)]
    environment: Environment
    lock_sha256: fields.Sha256
    packages: Annotated[
        tuple[Package, ...],
        _MANY,
        fields.unique(lambda package: f"{package.name} {package.version} ({package.architecture})", "package"),
    ]
    source_files: Annotated[tuple[SourceFile, ...], _MANY, fields.unique(lambda source: source.path, "source file")]


@dataclass(frozen=True, slots=True)
class Build:
    """One finished build: what went in and what came out. Lives in memory only."""

    inputs: Inputs
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True)
class ServedFile:
    """Where a file came from in one run: an address, or `cache`. It is checked, so this says nothing of what it is."""

    __pydantic_config__: ClassVar = _STRICT
    sha256: fields.Sha256
    source: fields.Text


@dataclass(frozen=True, slots=True)
class InputsDocument:
    """`inputs.json`: the inputs of one build, and which source served each file of them that was fetched for it.

    `served` is no part of what inputs are compared and named by.
    """

    __pydantic_config__: ClassVar = _STRICT
    schema: Literal["teekit-verify/inputs/v1"]
    inputs: Inputs
    served: Annotated[tuple[ServedFile, ...], Field(max_length=fields.MAX_ITEMS)] = ()


CheckedInputsDocument = Annotated[InputsDocument, fields.left_out_if_empty("served")]


@dataclass(frozen=True, slots=True)
class PredictedEvent:
    """An `Event` as it stands in a document, under its register: one digest for each bank, in words what and where from."""

    __pydantic_config__: ClassVar = _STRICT
    type: fields.EventTypeName
    digests: fields.BankDigests
    description: fields.Text
    cause: fields.Text

    def digest(self, bank: Algorithm) -> Digest | None:
        """The digest in this bank, None if the event has none."""
        return next((digest for digest in self.digests if digest.algorithm is bank), None)


@dataclass(frozen=True, slots=True)
class RegisterValue:
    """What one register holds after boot: one value for each bank, and the events that lead there.

    `values` is None when the register cannot be known from the artifact alone; `missing` then says why, and `events` are
    those that are known, in order. Otherwise `missing` is empty, and the events replay to the values (or there are none:
    a value published without its log).

    `alternatives` (of measurements only): the register holds one of these, and what decides is not known. Then `values` is
    None and `events` is empty.
    """

    __pydantic_config__: ClassVar = _STRICT
    values: fields.BankDigests | None
    missing: fields.Text
    events: Annotated[tuple[PredictedEvent, ...], Field(max_length=1000)]
    alternatives: Alternatives = ()

    def value(self, bank: Algorithm) -> Digest | None:
        """The value in this bank, None if it is not known."""
        return next((digest for digest in self.values or () if digest.algorithm is bank), None)

    @property
    def banks(self) -> tuple[Algorithm, ...]:
        """The banks this says something about: those of the values, else those of the events."""
        digests = self.values or (self.events[0].digests if self.events else ())
        return tuple(digest.algorithm for digest in digests)

    def as_events(self, register: Register) -> tuple[Event, ...]:
        """The events as measured ones, which can be replayed and aligned; their data is not in a document."""
        return tuple(
            Event(register, event.type, event.digests, event.description, event.cause) for event in self.events
        )


def _consistent(register: RegisterValue) -> RegisterValue:
    """A document whose log does not lead to its value would explain a difference wrongly: it is refused."""
    if (register.values is None) != bool(register.missing):
        raise ValueError("either 'values' is given or 'missing' says why it is not")
    for position, event in enumerate(register.events):
        if tuple(digest.algorithm for digest in event.digests) != register.banks:
            raise ValueError(f"event {position} has other banks than the register")
    for value in register.values or ():
        if register.events and _replayed(register, value.algorithm) != value:
            raise ValueError(f"the events do not replay to the {value.algorithm.value} value")
    if register.alternatives and (register.values is not None or register.events):
        raise ValueError("a register with 'alternatives' has neither 'values' nor 'events' of its own")
    if any(item.register.alternatives for item in register.alternatives):
        raise ValueError("an alternative has alternatives itself")
    return register


def _replayed(register: RegisterValue, bank: Algorithm) -> Digest:
    some_register = Register("PCR0")  # the value does not depend on which
    return replay(register.as_events(some_register), bank).get(some_register, Digest.zero(bank))


CheckedRegisterValue = Annotated[RegisterValue, AfterValidator(_consistent), fields.left_out_if_empty("alternatives")]


@dataclass(frozen=True, slots=True)
class AcceptableValue:
    """One value a register may hold. `label` tells it from the others: "firmware of 2026-03, PCI device 4", say.

    `groups` names the sets of values that it belongs to, "firmware of 2026-03". The values of a platform's registers hold
    together only if one group has them all; a value without groups is in every one.
    """

    __pydantic_config__: ClassVar = _STRICT
    label: fields.Name
    register: CheckedRegisterValue
    groups: Annotated[
        tuple[fields.Name, ...], Field(max_length=fields.MAX_GROUPS), fields.unique(lambda name: name, "group")
    ] = ()


Alternatives = Annotated[
    tuple[Annotated[AcceptableValue, fields.left_out_if_empty("groups")], ...],
    Field(max_length=1000),
    fields.unique(lambda value: value.label, "label"),
]


def _few_groups(values_of: Callable[[Any], Alternatives]) -> AfterValidator:
    """For registers by name, of a reference or of measurements."""

    def check(registers: dict[Register, Any]) -> dict[Register, Any]:
        names = {name for item in registers.values() for value in values_of(item) for name in value.groups}
        if len(names) > fields.MAX_GROUPS:
            raise ValueError(f"has {len(names)} groups of values, more than {fields.MAX_GROUPS}")
        return registers

    return AfterValidator(check)


_Registers = Annotated[
    dict[fields.RegisterName, CheckedRegisterValue],
    Field(max_length=64),
    _few_groups(lambda value: value.alternatives),
    fields.SORTED,
]


class DiskFormat(Enum):
    RAW = "raw"
    VHD = "vhd"
    TAR_GZ = "tar.gz"


@dataclass(frozen=True, slots=True)
class Disk:
    """The file that an artifact was found in. `sha256` is None where nobody asked: a disk can have 30 GiB of zeros."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    format: DiskFormat
    size_bytes: fields.Size
    sha256: fields.Sha256 | None


@dataclass(frozen=True, slots=True)
class GivenSet:
    """What a machine may be given to run: the exact bytes of manifests, and the hostnames, None where any will do."""

    __pydantic_config__: ClassVar = _STRICT
    label: fields.Name
    manifests: Annotated[tuple[fields.Base64, ...], Field(min_length=1, max_length=MOST_MANIFESTS)]
    hostnames: Annotated[tuple[fields.Hostname, ...], Field(max_length=100)] | None = None

    @property
    def parsed(self) -> tuple[Manifest, ...]:
        return tuple(map(parse_manifest, self.manifests))


def _takeable(given: GivenSet) -> GivenSet:
    """What the guest would refuse names no app."""
    try:
        for number, content in enumerate(given.manifests):
            parse_manifest(content, f"manifest {number}")
        names = [require_hostname(name) for name in given.hostnames or ()]
    except TeekitError as error:
        raise ValueError(error.message) from error
    if names != list(given.hostnames or ()):
        raise ValueError("hostnames must be in lower case")
    return given


@dataclass(frozen=True, slots=True)
class Apps:
    """That the image measures what it runs, in the `format` of docs/app-identity.md, and what it may be; `acceptable` is empty where
    nobody has said yet.
    """

    __pydantic_config__: ClassVar = _STRICT
    format: Literal["teekit measured v1"]
    acceptable: Annotated[
        tuple[Annotated[GivenSet, AfterValidator(_takeable)], ...],
        Field(max_length=100),
        fields.unique(lambda given: given.label, "label"),
    ] = ()


def _without_empty_apps(document: object, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Documents about images that do not measure apps have the bytes from before there were any that do."""
    found: dict[str, Any] = dump(document)
    if found["apps"] is None:
        del found["apps"]
    return found


def _schema_without_empty_apps(_kind: type, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    """What pydantic's `model_serializer` makes of `_without_empty_apps`, without importing it before it is needed."""
    from pydantic_core import core_schema

    schema: Any = handler(source)
    schema["serialization"] = core_schema.wrap_serializer_function_ser_schema(_without_empty_apps)
    made: CoreSchema = schema
    return made


@dataclass(frozen=True, slots=True)
class Measurements:
    """`measurements.json`: what was predicted for one artifact, for each platform it was predicted for.

    The artifact is a UKI: a file of its own, or the one that `disk` boots. `apps` is None where the image does not measure what it
    runs.
    """

    __pydantic_config__: ClassVar = _STRICT
    schema: Literal["teekit-verify/measurements/v1"]
    tool_version: fields.Name
    artifact: Artifact
    stub_version: fields.Name
    platforms: Annotated[dict[fields.PlatformName, _Registers], Field(max_length=64), fields.SORTED]
    disk: Disk | None = None
    apps: Apps | None = None

    __get_pydantic_core_schema__: ClassVar[Any] = classmethod(_schema_without_empty_apps)


class Policy(Enum):
    """How a register is appraised. IGNORE has to be written out, with a reason, and is shown in every verdict."""

    MATCH = "match"
    ANY_OF = "any-of"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ReferenceRegister:
    """What was published about one register. `reason` is why it is ignored; empty for the other policies."""

    __pydantic_config__: ClassVar = _STRICT
    policy: Policy
    reason: fields.Text
    acceptable: Alternatives


def _fits_policy(register: ReferenceRegister) -> ReferenceRegister:
    count = len(register.acceptable)
    match register.policy:
        case Policy.MATCH if count != 1:
            raise ValueError(f"policy 'match' takes exactly one acceptable value, found {count}")
        case Policy.ANY_OF if count == 0:
            raise ValueError("policy 'any-of' takes at least one acceptable value, found none")
        case Policy.IGNORE if not register.reason.strip():
            raise ValueError("policy 'ignore' takes a reason")
        case Policy.MATCH | Policy.ANY_OF | Policy.IGNORE:
            pass
    if any(value.register.alternatives for value in register.acceptable):
        raise ValueError("alternatives stand in 'acceptable', with the policy 'any-of'")
    if register.policy is not Policy.IGNORE:
        for value in register.acceptable:
            if not value.register.banks:
                raise ValueError(f"the acceptable value {value.label!r} has neither values nor events")
    return register


_ReferenceRegisters = Annotated[
    dict[fields.RegisterName, Annotated[ReferenceRegister, AfterValidator(_fits_policy)]],
    Field(max_length=64),
    _few_groups(lambda register: register.acceptable),
    fields.SORTED,
]


@dataclass(frozen=True, slots=True)
class Reference:
    """`reference/*.json`: the published values of one image of one release, and the inputs they were made from."""

    __pydantic_config__: ClassVar = _STRICT
    schema: Literal["teekit-verify/reference/v1"]
    release: fields.Name
    commit: fields.Commit | None
    inputs: Inputs
    artifacts: Artifacts
    platforms: Annotated[dict[fields.PlatformName, _ReferenceRegisters], Field(max_length=64), fields.SORTED]
    apps: Apps | None = None

    __get_pydantic_core_schema__: ClassVar[Any] = classmethod(_schema_without_empty_apps)
