"""What was published: the documents of `measurements.json` and `reference/*.json`, and all that they are made of.

The values are plain frozen dataclasses. pydantic reads their annotations to validate JSON into them and to write them
(`documents.codec`); code that builds them in memory needs no pydantic. docs/reference-format.md describes every field.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, ClassVar, Literal

from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.documents.apps_allowed import Apps, GivenSet, schema_without_empty_apps
from teekit_verify.documents.built import (
    INPUTS_SCHEMA,
    Artifact,
    Artifacts,
    Build,
    CheckedInputsDocument,
    Environment,
    Inputs,
    InputsDocument,
    Package,
    ServedFile,
    SourceFile,
    SourceKind,
)
from teekit_verify.documents.register_values import (
    AcceptableValue,
    Alternatives,
    CheckedRegisterValue,
    PredictedEvent,
    RegisterValue,
    few_groups,
)

__all__ = [
    "INPUTS_SCHEMA",
    "MEASUREMENTS_SCHEMA",
    "REFERENCE_SCHEMA",
    "AcceptableValue",
    "Alternatives",
    "Apps",
    "Artifact",
    "Artifacts",
    "Build",
    "CheckedInputsDocument",
    "CheckedRegisterValue",
    "Disk",
    "DiskFormat",
    "Environment",
    "GivenSet",
    "Inputs",
    "InputsDocument",
    "Measurements",
    "Package",
    "Policy",
    "PredictedEvent",
    "Reference",
    "ReferenceRegister",
    "RegisterValue",
    "ServedFile",
    "SourceFile",
    "SourceKind",
]

MEASUREMENTS_SCHEMA: Literal["teekit-verify/measurements/v1"] = "teekit-verify/measurements/v1"
REFERENCE_SCHEMA: Literal["teekit-verify/reference/v1"] = "teekit-verify/reference/v1"

_STRICT = ConfigDict(extra="forbid", strict=True)

_Registers = Annotated[
    dict[fields.RegisterName, CheckedRegisterValue],
    Field(max_length=64),
    few_groups(lambda value: value.alternatives),
    fields.SORTED,
]


class DiskFormat(Enum):
    RAW = "raw"
    VHD = "vhd"
    TAR_GZ = "tar.gz"
    QCOW2 = "qcow2"
    VHDX = "vhdx"
    DYNAMIC_VHD = "dynamic vhd"
    PACKED = "packed"


@frozen
class Disk:
    """The file that an artifact was found in. `sha256` is None where nobody asked: a disk can have 30 GiB of zeros."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    format: DiskFormat
    size_bytes: fields.Size
    sha256: fields.Sha256 | None


@frozen
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

    __get_pydantic_core_schema__: ClassVar[Any] = classmethod(schema_without_empty_apps)


class Policy(Enum):
    """How a register is appraised. IGNORE has to be written out, with a reason, and is shown in every verdict."""

    MATCH = "match"
    ANY_OF = "any-of"
    IGNORE = "ignore"


@frozen
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
    few_groups(lambda register: register.acceptable),
    fields.SORTED,
]


@frozen
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

    __get_pydantic_core_schema__: ClassVar[Any] = classmethod(schema_without_empty_apps)
