"""Launch endorsements of Google Compute Engine: which MRTD one release of its firmware has, signed by Google.

google/gce-tcb-verifier (74582c07), proto/endorsement.proto; gcetcbendorsement/verify.go: RSASSA-PSS with SHA-256, MGF1 with SHA-256
and 32 bytes of salt, over `serialized_uefi_golden`, by the key of the certificate in it. That certificate is one that the
root GCE-cc-tcb-root_1 signed. What the file brings along as `ca_bundle` is not trusted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError, TeekitError
from teekit_verify.prediction.platforms.gcp import GCP
from teekit_verify.reference.formats.base import UNMENTIONED, Format, Source, acceptable, one_of
from teekit_verify.reference.protobuf import Message, parse_message
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.registers import MRTD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.documents.model import AcceptableValue

_SIGNED, _SIGNATURE = 1, 2
_TIMESTAMP, _CL_SPEC, _COMMIT, _CERT, _DIGEST, _CA_BUNDLE, _SEV_SNP, _TDX = range(1, 9)
_SVN, _MEASUREMENTS = 1, 2
_RAM_GIB, _EARLY_ACCEPT, _MRTD = 1, 2, 3
_SECONDS, _NANOSECONDS = 1, 2


def _recognises(source: Source) -> bool:
    """VMLaunchEndorsement: a long field 1 that begins with the time stamp, then field 2."""
    if source.json is not None:
        return False
    try:
        parsed = _outer(source)
        golden = bytes(parsed.chunk(_SIGNED)[:1])
    except MalformedInputError:
        return False
    return golden == bytes([_TIMESTAMP << 3 | 2]) and len(parsed.chunk(_SIGNATURE)) > 0


def _outer(source: Source) -> Message:
    return parse_message(memoryview(source.data), f"{source.where}: VMLaunchEndorsement", chunks=(_SIGNED, _SIGNATURE))


def _read(source: Source) -> Sequence[ReferenceValues]:
    outer = _outer(source)
    signed = outer.chunk(_SIGNED)
    golden = parse_golden(signed, source.where)
    if source.root is None:
        raise NotAuthenticError(
            f"{source.where}: is signed by Google, but no certificate was given that this can be checked against",
            hint="Give the file of Google's root certificate with --google-root.",
        )
    certificate = bytes(golden.chunk(_CERT))
    from teekit_verify.reference.google_signature import check_signature

    check_signature(bytes(signed), bytes(outer.chunk(_SIGNATURE)), certificate, source.root, source.where)
    return (endorsed(golden),)


def parse_golden(signed: memoryview, where: str) -> Message:
    """VMGoldenMeasurement. Nothing is verified here. Raises MalformedInputError."""
    return parse_message(
        signed,
        f"{where}: VMGoldenMeasurement",
        integers=(_CL_SPEC,),
        chunks=(_TIMESTAMP, _COMMIT, _CERT, _DIGEST, _CA_BUNDLE, _SEV_SNP, _TDX),
    )


def endorsed(golden: Message) -> ReferenceValues:
    """What it says of TDX; what it says of SEV-SNP is left aside. Raises TeekitError."""
    others = (
        ("firmware", f"SHA-384 {_sha384(golden, _DIGEST, 'digest').hex}"),
        ("endorsed on", _day(golden)),
        ("endorsed SVN", str(_tdx(golden).integer(_SVN))),
    )
    name, mrtds = f"firmware {golden.integer(_CL_SPEC)}", one_of(_mrtds(golden))
    return ReferenceValues(name, {GCP.name: {MRTD: mrtds}}, unmentioned=UNMENTIONED, not_compared=others)


def _tdx(golden: Message) -> Message:
    data = golden.chunk(_TDX)
    if not len(data):
        raise TeekitError(f"{golden.what}: endorses no TDX firmware (it has no field 'tdx')")
    what = f"{golden.what}.VMTdx"
    return parse_message(data, what, integers=(_SVN,), chunks=(_MEASUREMENTS,))


def _mrtds(golden: Message) -> list[AcceptableValue]:
    """MRTD for each way in which the VMM may start this firmware, told apart by what the endorsement says of it."""
    tdx = _tdx(golden)
    values = []
    for number, data in enumerate(tdx.chunks.get(_MEASUREMENTS, ()), start=1):
        what = tdx.what + ".Measurement"
        found = parse_message(data, what, integers=(_RAM_GIB, _EARLY_ACCEPT), chunks=(_MRTD,))
        memory = f", {found.integer(_RAM_GIB)} GiB" if found.integer(_RAM_GIB) else ""
        early = ", early accept" if found.integer(_EARLY_ACCEPT) else ""
        values.append(acceptable(f"measurement {number}{memory}{early}", _sha384(found, _MRTD, "mrtd")))
    if not values:
        raise TeekitError(f"{tdx.what}: has no measurements")
    return values


def _sha384(message: Message, number: int, name: str) -> Digest:
    value = bytes(message.chunk(number))
    if len(value) != Algorithm.SHA384.size_bytes:
        raise TeekitError(f"{message.what}: {name}: a SHA-384 digest has 48 bytes, found {len(value)}")
    return Digest(Algorithm.SHA384, value)


def _day(golden: Message) -> str:
    what = f"{golden.what}.Timestamp"
    stamp = parse_message(golden.chunk(_TIMESTAMP), what, integers=(_SECONDS, _NANOSECONDS))
    try:
        return datetime.fromtimestamp(stamp.integer(_SECONDS), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise TeekitError(f"{what}: is not a time") from error


FORMAT = Format("launch endorsement of Google Compute Engine", _recognises, _read)
