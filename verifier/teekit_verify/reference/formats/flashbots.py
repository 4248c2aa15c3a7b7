"""Lists of measurements as Flashbots publishes them (measurements.builder.flashbots.net) and its attested-tls reads them.

flashbots/attested-tls (22334977), crates/attestation/src/measurements.rs, MeasurementPolicy::from_json_bytes: whoever matches
one record is accepted. Registers are named, or numbered: PCRs on Azure, elsewhere MRTD as 0 and RTMR[i] as i + 1. What would
accept more than registers say is refused: records without measurements, or without attestation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import fields
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.prediction.platforms.gcp import GCP_NO_VTPM
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, Source, acceptable, one_of
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import Register, RegisterKind, from_cc_mr_index, pcr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.documents.model import ReferenceRegister

_PLATFORMS = {"azure-tdx": AZURE.name, "gcp-tdx": GCP_NO_VTPM.name, "dcap-tdx": QEMU.name}
_HexText = Annotated[str, Field(max_length=128)]


@dataclass(frozen=True, slots=True)
class _Entry:
    __pydantic_config__: ClassVar = STRICT
    expected: _HexText | None = None
    expected_any: Annotated[tuple[_HexText, ...], Field(min_length=1, max_length=1000)] | None = None


@dataclass(frozen=True, slots=True)
class _Record:
    __pydantic_config__: ClassVar = STRICT
    attestation_type: fields.Name
    measurement_id: fields.Name | None = None
    measurements: Annotated[dict[fields.Name, _Entry], Field(max_length=64)] | None = None
    dcap_image_hashes: Any = None


def _recognises(source: Source) -> bool:
    records = source.json if isinstance(source.json, list) else [source.json]
    return any(isinstance(record, dict) and "attestation_type" in record for record in records)


def _read(source: Source) -> Sequence[ReferenceValues]:
    if isinstance(source.json, list):
        records = source.parse(tuple[_Record, ...])
        return [_values(source, f"[{position}]", record) for position, record in enumerate(records)]
    return [_values(source, "$", source.parse(_Record))]


def _values(source: Source, where: str, record: _Record) -> ReferenceValues:
    platform = _PLATFORMS.get(record.attestation_type)
    if platform is None:
        known = ", ".join(_PLATFORMS)
        raise source.fail(f"{where}.attestation_type", f"expected one of {known}, found {record.attestation_type!r}")
    if record.dcap_image_hashes is not None:
        raise source.fail(f"{where}.dcap_image_hashes", "digests of an image's parts are no registers: not supported")
    if not record.measurements:
        raise source.fail(f"{where}.measurements", "has none, and would accept every guest")
    registers: dict[Register, ReferenceRegister] = {}
    for key, entry in record.measurements.items():
        path = f"{where}.measurements.{key}"
        try:
            register = _register(key, record.attestation_type)
            published = _published(entry, register)
        except TeekitError as error:
            raise source.fail(path, error.message) from error
        if register in registers:
            raise source.fail(path, f"is {register} a second time")
        registers[register] = published
    name = record.measurement_id or f"record {where}"
    return ReferenceValues(name, {platform: registers}, unmentioned=UNMENTIONED)


def _register(key: str, attestation_type: str) -> Register:
    """`4`, `pcr4`, `PCR4` on Azure; elsewhere `0` to `4`, or `mrtd`, `rtmr0`."""
    wanted = RegisterKind.PCR if attestation_type == "azure-tdx" else RegisterKind.RTMR
    if key.isascii() and key.isdigit():
        number = int(key[:4])
        return pcr(number) if wanted is RegisterKind.PCR else from_cc_mr_index(number)
    register = Register(key.upper())
    if (register.kind is RegisterKind.PCR) is not (wanted is RegisterKind.PCR):
        raise TeekitError(f"{attestation_type} has no {register}")
    return register


def _published(entry: _Entry, register: Register) -> ReferenceRegister:
    if (entry.expected is None) is (entry.expected_any is None):
        raise TeekitError("expected either 'expected' or 'expected_any'")
    texts = entry.expected_any if entry.expected is None else (entry.expected,)
    algorithm = register.algorithms[0]
    values = [
        acceptable(f"value {number}", _digest(algorithm, text)) for number, text in enumerate(texts or (), start=1)
    ]
    return one_of(values)


def _digest(algorithm: Algorithm, text: str) -> Digest:
    try:
        return fields.parse_digest(algorithm, text)
    except ValueError as error:
        raise TeekitError(str(error)) from error


FORMAT = Format("Flashbots measurements JSON (a list with attestation types)", _recognises, _read)
