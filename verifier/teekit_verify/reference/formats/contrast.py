"""Manifests of Contrast, and the reference values that come with it: each item of `tdx` is one way to be acceptable.

edgelesssys/contrast (07866dc0), internal/manifest/referencevalues.go, TDXReferenceValues: pods in virtual machines that QEMU
starts with a kernel. `Policies` of a manifest are the values that MRCONFIGID may have, which is shown, not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import fields
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import MAX_RECORDS, STRICT, UNMENTIONED, Format, HexSha384, Source, match
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, RTMR_COUNT, rtmr

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "contrast"
_SHOWN = 120
_Hex = Annotated[str, Field(pattern="^([0-9A-Fa-f]{2}){0,64}$")]


@frozen
class _Tdx:
    """`MrSeam` is empty where the operator of the machine has to fill it in."""

    __pydantic_config__: ClassVar = STRICT
    MrTd: HexSha384
    Rtmrs: Annotated[tuple[HexSha384, ...], Field(min_length=RTMR_COUNT, max_length=RTMR_COUNT)]
    MrSeam: _Hex = ""
    Xfam: _Hex = ""
    Platform: fields.Text = ""
    MinTCBEvaluationDataNumber: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    AllowedPIIDs: Annotated[tuple[_Hex, ...], Field(max_length=MAX_RECORDS)] | None = None
    MemoryIntegrity: bool | None = None
    SMTDisabled: bool | None = None
    StaticPlatform: bool | None = None
    CPUs: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None


@frozen
class _Values:
    __pydantic_config__: ClassVar = STRICT
    tdx: Annotated[tuple[_Tdx, ...], Field(max_length=MAX_RECORDS)] | None = None
    snp: Any = None


@frozen
class _Manifest:
    __pydantic_config__: ClassVar = STRICT
    ReferenceValues: _Values
    Policies: Annotated[dict[fields.Name, Any], Field(max_length=MAX_RECORDS)] | None = None
    WorkloadOwnerKeyDigests: Any = None
    WorkloadOwnerPubKeys: Any = None
    SeedshareOwnerPubKeys: Any = None
    SeedshareOwnerKeys: Any = None


_Embedded = dict[fields.Name, _Values]


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and ("ReferenceValues" in source.json or _is_embedded(source.json))


def _is_embedded(found: dict[object, object]) -> bool:
    """Runtime handlers (`contrast-cc-metal-qemu-tdx-1a2b3c4d`) with their reference values."""
    return bool(found) and all(
        isinstance(name, str) and name.startswith("contrast-cc-") and isinstance(values, dict)
        for name, values in found.items()
    )


def _read(source: Source) -> Sequence[ReferenceValues]:
    assert isinstance(source.json, dict)  # noqa: S101 - recognised
    found: list[ReferenceValues] = []
    if "ReferenceValues" in source.json:
        manifest = source.parse(_Manifest)
        policies = tuple(("MRCONFIGID of a workload", name) for name in manifest.Policies or ())
        found += _items("tdx", manifest.ReferenceValues, policies)
    else:
        for handler, values in source.parse(_Embedded).items():
            found += _items(handler, values, ())
    if not found:
        raise source.fail("tdx", "has no reference values of TDX")
    return found


def _items(where: str, values: _Values, policies: tuple[tuple[str, str], ...]) -> list[ReferenceValues]:
    return [_one(f"{where}[{number}]", item, policies) for number, item in enumerate(values.tdx or ())]


def _one(where: str, item: _Tdx, policies: tuple[tuple[str, str], ...]) -> ReferenceValues:
    registers = {MRTD: match(NAME, item.MrTd)}
    registers |= {rtmr(index): match(NAME, value) for index, value in enumerate(item.Rtmrs)}
    name = f"{item.Platform} ({where})" if item.Platform else f"reference values {where}"
    return ReferenceValues(
        name[:_SHOWN], {QEMU.name: registers}, unmentioned=UNMENTIONED, not_compared=(*_others(item), *policies)
    )


def _others(item: _Tdx) -> tuple[tuple[str, str], ...]:
    """What is about the machine, not the guest's image."""
    stated: dict[str, object] = {
        "MRSEAM": item.MrSeam.lower(),
        "XFAM": item.Xfam.lower(),
        "least TCB evaluation": item.MinTCBEvaluationDataNumber,
        "allowed PIIDs": len(item.AllowedPIIDs or ()),
        "memory integrity": item.MemoryIntegrity,
        "SMT disabled": item.SMTDisabled,
        "static platform": item.StaticPlatform,
    }
    return tuple((name, str(value)) for name, value in stated.items() if value)


FORMAT = Format("Contrast manifest (TDX reference values)", _recognises, _read)
