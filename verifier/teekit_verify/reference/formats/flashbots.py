"""Lists of measurements as Flashbots publishes them (measurements.builder.flashbots.net) and its attested-tls reads them.

flashbots/attested-tls (22334977), crates/attestation/src/measurements.rs, MeasurementPolicy::from_json_bytes: whoever matches
one record is accepted. Registers are named, or numbered: PCRs on Azure, elsewhere MRTD as 0 and RTMR[i] as i + 1; or there
are digests of the image's parts (`dcap_image_hashes`, see portable.py), or a record is one of attest's outputs. A record of
the type `none` accepts who has no evidence: there is nothing to compare, and no guest matches it. One without measurements
would accept every guest, and is refused.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import codec, fields
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.prediction.platforms.gcp import GCP_NO_VTPM
from teekit_verify.prediction.platforms.qemu import QEMU
from teekit_verify.reference.formats import portable
from teekit_verify.reference.formats.base import (
    MAX_RECORDS,
    STRICT,
    UNMENTIONED,
    Format,
    Source,
    acceptable,
    hex_digest,
    one_of,
)
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import Register, RegisterKind, from_cc_mr_index, pcr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.documents.model import Measurements, ReferenceRegister

    Registers = dict[Register, ReferenceRegister]

_PLATFORMS = {"azure-tdx": AZURE.name, "gcp-tdx": GCP_NO_VTPM.name, "dcap-tdx": QEMU.name}
_NO_EVIDENCE = "none"
_HexText = Annotated[str, Field(max_length=128)]


@frozen
class _Entry:
    __pydantic_config__: ClassVar = STRICT
    expected: _HexText | None = None
    expected_any: Annotated[tuple[_HexText, ...], Field(min_length=1, max_length=1000)] | None = None


@frozen
class _Record:
    __pydantic_config__: ClassVar = STRICT
    attestation_type: fields.Name
    measurement_id: Annotated[str, Field(max_length=255)] | None = None
    measurements: Annotated[dict[fields.Name, _Entry], Field(max_length=64)] | None = None
    dcap_image_hashes: portable.ImageFields | None = None


_AnyRecord = _Record | portable.Output


def _recognises(source: Source) -> bool:
    if isinstance(source.json, dict):
        return "attestation_type" in source.json
    records = source.json if isinstance(source.json, list) else []
    return any(_is_output(record) or (isinstance(record, dict) and "attestation_type" in record) for record in records)


def _read(source: Source) -> Sequence[ReferenceValues]:
    if isinstance(source.json, list):
        places = [f"[{position}]" for position in range(len(source.json))]
        records = _records(source)
    else:
        places, records = ["$"], [source.parse(_Record)]
    found: list[ReferenceValues] = []
    others: list[tuple[str, str]] = []
    for where, record in zip(places, records, strict=True):
        if not isinstance(record, _Record):
            found += portable.values_of(record, f"record {where}")
        elif record.attestation_type == _NO_EVIDENCE:
            others.append((f"record {where}", "accepts guests that present no evidence"))
        else:
            found.append(_values(source, where, record))
    if not found:
        raise source.fail("$", "only has records of the type 'none': there is no register to compare")
    return [replace(values, not_compared=tuple(others)) for values in found]


def _records(source: Source) -> Sequence[_AnyRecord]:
    """Of a list. One of attest's outputs in it is read as such."""
    assert isinstance(source.json, list)  # noqa: S101 - for mypy
    if len(source.json) > MAX_RECORDS:
        raise source.fail("$", f"has {len(source.json)} records, more than {MAX_RECORDS}")
    if not any(map(_is_output, source.json)):
        return source.parse(tuple[_Record, ...])
    return [_record(source, position, record) for position, record in enumerate(source.json)]


def _record(source: Source, position: int, record: object) -> _AnyRecord:
    data, where = json.dumps(record).encode(), f"{source.where}: [{position}]"
    if isinstance(record, dict) and _is_output(record):
        return codec.validate(portable.FIELDS[record["kind"]], data, where)
    return codec.validate(_Record, data, where)


def _is_output(record: object) -> bool:
    return isinstance(record, dict) and "attestation_type" not in record and record.get("kind") in portable.KINDS


def _values(source: Source, where: str, record: _Record) -> ReferenceValues:
    platform = _PLATFORMS.get(record.attestation_type)
    if platform is None:
        known = ", ".join(_PLATFORMS)
        raise source.fail(f"{where}.attestation_type", f"expected one of {known}, found {record.attestation_type!r}")
    name = record.measurement_id or f"record {where}"
    if record.dcap_image_hashes is not None:
        computed = _from_parts(source, where, record, record.dcap_image_hashes)
        return ReferenceValues(name, {platform: computed}, unmentioned=UNMENTIONED)
    if not record.measurements:
        raise source.fail(f"{where}.measurements", "has none, and would accept every guest")
    registers: Registers = {}
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
    return ReferenceValues(name, {platform: registers}, unmentioned=UNMENTIONED)


def _from_parts(source: Source, where: str, record: _Record, parts: portable.ImageFields) -> Registers:
    """RTMR1 and RTMR2 of a guest that boots so. Records of Azure have no such digests, as attested-tls has it."""
    if record.measurements is not None:
        raise source.fail(f"{where}.dcap_image_hashes", "expected either these or 'measurements'")
    boots = {"gcp-tdx": parts.on_gcp, "dcap-tdx": parts.on_qemu}
    if record.attestation_type not in boots:
        raise source.fail(f"{where}.dcap_image_hashes", f"says nothing of {record.attestation_type}")
    return boots[record.attestation_type]()


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
        return hex_digest(algorithm, text)
    except ValueError as error:
        raise TeekitError(str(error)) from error


def write(measurements: Measurements) -> bytes:
    """A list with a record for each kind of machine that the image alone identifies: Azure by its PCRs, Google Cloud by
    digests of the image's parts. Raises TeekitError where neither is known.
    """
    records: list[dict[str, object]] = []
    name = measurements.artifact.name
    if azure := portable.azure_pcrs(measurements):
        values = {str(index): {"expected_any": [digest.hex]} for index, digest in azure.items()}
        records.append({"measurement_id": name, "attestation_type": "azure-tdx", "measurements": values})
    if GCP_NO_VTPM.name in measurements.platforms or not records:
        parts = portable.image_fields(measurements)
        records.append({"measurement_id": name, "attestation_type": "gcp-tdx", "dcap_image_hashes": parts})
    return json.dumps(records, indent=2).encode() + b"\n"


FORMAT = Format("Flashbots measurements JSON (a list with attestation types)", _recognises, _read)
