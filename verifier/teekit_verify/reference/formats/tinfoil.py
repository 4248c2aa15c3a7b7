"""What tinfoil publishes of a release: one statement for SEV-SNP and TDX, and the list of registers that it stands for.

Predicate https://tinfoil.sh/predicate/snp-tdx-multiplatform/v1 (tinfoilsh/measure-image-action, tinfoil-deployment.json), bare or
in an in-toto statement; and tinfoilsh/verifier, attestation/attestation.go, Measurement: `type` and `registers`. A TDX guest
must have RTMR1 and RTMR2 of it, and its RTMR3 must be zero (tinfoilsh/tinfoil-conformance, vectors/measurement, 120 to 123).
Statements come signed by Sigstore, alone or in their bundle. The signature is not checked here: the file is as good as the way it came.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import fields
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, HexSha384, Source, match
from teekit_verify.reference.formats.envelope import NOT_CHECKED, inside
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.registers.registers import Register

NAME = "tinfoil"
_PREFIX = "https://tinfoil.sh/predicate/"
_BOTH = f"{_PREFIX}snp-tdx-multiplatform/v1"
_ORDERS: dict[str, tuple[Register | None, ...]] = {
    _BOTH: (None, rtmr(1), rtmr(2)),
    f"{_PREFIX}tdx-guest/v1": (MRTD, rtmr(0), rtmr(1), rtmr(2)),
    f"{_PREFIX}tdx-guest/v2": (MRTD, rtmr(0), rtmr(1), rtmr(2), rtmr(3)),
}
"""What the registers of each type are, in order; None is the measurement of SEV-SNP."""


@frozen
class _Tdx:
    __pydantic_config__: ClassVar = STRICT
    rtmr1: HexSha384
    rtmr2: HexSha384
    mrtd: HexSha384 | None = None
    rtmr0: HexSha384 | None = None
    rtmr3: HexSha384 | None = None


@frozen
class _Predicate:
    """What tinfoil's own verifiers look at, and what else the action writes: of that nothing is compared."""

    __pydantic_config__: ClassVar = STRICT
    snp_measurement: HexSha384
    tdx_measurement: _Tdx
    cmdline: fields.Text | None = None
    cmdline_snp: fields.Text | None = None
    hashes: Any = None
    config: Any = None
    vm_shape: Any = None
    igvm: Any = None


@frozen
class _Subject:
    __pydantic_config__: ClassVar = STRICT
    digest: dict[fields.Name, fields.Name]
    name: fields.Name | None = None


@frozen
class _Statement:
    """In-toto Statement v1 (or v0.1); `subject` is the release's file that the predicate is about."""

    __pydantic_config__: ClassVar = STRICT
    predicateType: Literal["https://tinfoil.sh/predicate/snp-tdx-multiplatform/v1"]
    predicate: _Predicate
    subject: Annotated[tuple[_Subject, ...], Field(max_length=64)] = ()
    type: Annotated[fields.Name | None, Field(alias="_type")] = None


@frozen
class _Measurement:
    __pydantic_config__: ClassVar = STRICT
    type: fields.Name
    registers: Annotated[tuple[HexSha384, ...], Field(max_length=8)]


def _recognises(source: Source) -> bool:
    within = inside(source)
    return _is_bare(source) or (within is not None and _is_bare(within))


def _is_bare(source: Source) -> bool:
    found = source.json if isinstance(source.json, dict) else {}
    kinds = (found.get("predicateType"), found.get("type"))
    return "snp_measurement" in found or any(isinstance(kind, str) and kind.startswith(_PREFIX) for kind in kinds)


def _read(source: Source) -> Sequence[ReferenceValues]:
    if not _is_bare(source) and (within := inside(source)) is not None:
        return tuple(replace(values, not_compared=(NOT_CHECKED, *values.not_compared)) for values in _read_bare(within))
    return _read_bare(source)


def _read_bare(source: Source) -> Sequence[ReferenceValues]:
    assert isinstance(source.json, dict)  # noqa: S101 - recognised
    if "registers" in source.json:
        return (_of_list(source, source.parse(_Measurement)),)
    if "snp_measurement" in source.json:
        return (_of_predicate(source.parse(_Predicate)),)
    return (_of_predicate(source.parse(_Statement).predicate),)


def _of_predicate(found: _Predicate) -> ReferenceValues:
    tdx = found.tdx_measurement
    stated = {MRTD: tdx.mrtd, rtmr(0): tdx.rtmr0, rtmr(1): tdx.rtmr1, rtmr(2): tdx.rtmr2, rtmr(3): tdx.rtmr3}
    return _values({register: value for register, value in stated.items() if value is not None}, found.snp_measurement)


def _of_list(source: Source, found: _Measurement) -> ReferenceValues:
    order = _ORDERS.get(found.type)
    if order is None:
        raise source.fail("type", f"expected one of {', '.join(_ORDERS)}, found {found.type!r}")
    if len(order) != len(found.registers):
        raise source.fail("registers", f"expected {len(order)} of this type, found {len(found.registers)}")
    pairs = tuple(zip(order, found.registers, strict=True))
    snp = next((value for register, value in pairs if register is None), None)
    return _values({register: value for register, value in pairs if register is not None}, snp)


def _values(stated: Mapping[Register, Digest], snp: Digest | None) -> ReferenceValues:
    registers = {rtmr(3): Digest.zero(Algorithm.SHA384), **stated}
    platform = {register: match(NAME, value) for register, value in registers.items()}
    others = () if snp is None else (("SEV-SNP measurement", snp.hex),)
    return ReferenceValues(
        "image of a tinfoil file", {QEMU.name: platform}, unmentioned=UNMENTIONED, not_compared=others
    )


FORMAT = Format("tinfoil measurements (snp-tdx-multiplatform)", _recognises, _read)
