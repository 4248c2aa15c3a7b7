"""What a guest of Azure presents besides its TD quote: the paravisor's report, and a quote of its vTPM with the PCR values.

Forms: each part in a file of its own, as the guest's TPM and tpm2-tools give them; or one JSON document with all of them:
evidence of Confidential Containers (confidential-containers/trustee, deps/verifier/src/az_tdx_vtpm, 78962cd4: bytes as text,
before version 1 as lists of numbers) and of Flashbots (flashbots/attested-tls, crates/attestation/src/azure, 22334977).
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import tpm
from teekit_verify.evidence.certificates import load_certificates, long_names, reading
from teekit_verify.evidence.encoded import decode_bytes
from teekit_verify.evidence.hcl import SIGNATURE, HclReport, parse_hcl_report
from teekit_verify.evidence.machine_tpm import quoted_values
from teekit_verify.evidence.plain_json import MAX_EVIDENCE_BYTES, is_text, parse_json
from teekit_verify.evidence.plain_yaml import looks_like_yaml, parse_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from teekit_verify.core.digest import Digest
    from teekit_verify.evidence.tpm import TpmAttest, TpmSignature
    from teekit_verify.registers.registers import Register

_WHAT = "Azure evidence"
_MAX_CERTIFICATES = 16
_DER = b"\x30\x82"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_MAX_NESTING = 8
_SELECTION_BYTES, _LIST_BYTES, _DIGESTS_IN_LIST, _DIGEST_BYTES = 132, 532, 8, 66
"""TPML_PCR_SELECTION and TPML_DIGEST as tpm2-tools writes them to files: in memory layout, of a little-endian machine."""


@frozen
class VtpmEvidence:
    """Nothing of it was verified. `certificates` are of the vTPM's attestation key and its issuers, in any order."""

    report: HclReport
    attest: TpmAttest
    signature: TpmSignature
    pcrs: Mapping[Register, Digest]
    certificates: tuple[x509.Certificate, ...] = ()


@frozen
class _Parts:
    """What was found so far; `pcrs` are bytes that only the quote tells how to read."""

    report: HclReport | None = None
    attest: TpmAttest | None = None
    signature: TpmSignature | None = None
    pcrs: bytes | None = None
    certificates: tuple[x509.Certificate, ...] | None = None


_NAMES = {
    "report": "the HCL report",
    "attest": "the TPM quote",
    "signature": "the signature of the TPM quote",
    "pcrs": "the PCR values",
}


def is_azure_evidence(path: Path) -> bool:
    """Whether a file is a JSON document with an HCL report beside a TD quote. Raises TeekitError."""
    return has_azure_evidence(_read(path))


def holds_certificates(path: Path) -> bool:
    """Whether a file has certificates and nothing else. Raises TeekitError if it cannot be read."""
    return _is_certificates(_read(path))


def _is_certificates(data: bytes) -> bool:
    return data.startswith(_DER) or data.lstrip().startswith(b"-----BEGIN CERTIFICATE")


def _read(path: Path) -> bytes:
    return read_bounded(path, MAX_EVIDENCE_BYTES, "a guest's evidence")


def has_azure_evidence(data: bytes) -> bool:
    """Whether this is a document with an HCL report in it. Raises MalformedInputError for JSON or YAML that is none."""
    return _is_document(data) and b"hcl_report" in data and _with_report(parse_document(data, _WHAT), 0) is not None


def _is_document(data: bytes) -> bool:
    """JSON, or YAML as attested-tls keeps it."""
    if not is_text(data):
        return False
    return data.lstrip().startswith(b"{") or looks_like_yaml(data.decode("utf-8", "replace"))


def read_vtpm(paths: Sequence[Path]) -> VtpmEvidence:
    """The parts in these files, told by their content. Raises TeekitError if one is missing, or there twice."""
    parts = _Parts()
    for path in paths:
        parts = _add(parts, _read(path), path.name)
    return _whole(parts)


def parse_vtpm(data: bytes) -> VtpmEvidence:
    """One JSON document. Raises TeekitError."""
    return _whole(_add(_Parts(), data, "input"))


def vtpm_of_parts(
    report: bytes,
    message: bytes,
    signature: bytes,
    banks: Mapping[str, Mapping[int, bytes]],
    certificates: Sequence[bytes] = (),
) -> VtpmEvidence:
    """Parts that are known apart: HCL report, TPMS_ATTEST, TPMT_SIGNATURE, PCR values by bank, certificates in DER. Raises TeekitError."""
    attest = tpm.parse_attest(message)
    return VtpmEvidence(
        parse_hcl_report(report),
        attest,
        tpm.parse_signature(signature),
        quoted_values(attest, banks),
        tuple(certificate for data in certificates for certificate in certificates_of(data)),
    )


def _whole(parts: _Parts) -> VtpmEvidence:
    missing = [words for name, words in _NAMES.items() if getattr(parts, name) is None]
    if missing:
        raise TeekitError(
            f"the vTPM's evidence lacks {', '.join(missing)}",
            hint="Give each part with --vtpm-evidence, or all of them in one JSON document.",
        )
    report, attest, signature, pcrs = parts.report, parts.attest, parts.signature, parts.pcrs
    assert report is not None and attest is not None and signature is not None and pcrs is not None  # noqa: S101, PT018
    return VtpmEvidence(
        report, attest, signature, tpm.pcr_values(attest, _values(pcrs, attest)), parts.certificates or ()
    )


def _add(parts: _Parts, data: bytes, name: str) -> _Parts:
    found = _parse(data, name)
    if found.certificates is not None and parts.certificates is not None:
        found = replace(found, certificates=_at_most((*parts.certificates, *found.certificates)))
        parts = replace(parts, certificates=None)
    for field in fields(_Parts):
        if getattr(found, field.name) is not None and getattr(parts, field.name) is not None:
            raise TeekitError(f"{name}: {_NAMES.get(field.name, 'certificates')} for the second time")
    return replace(
        parts, **{field.name: value for field in fields(_Parts) if (value := getattr(found, field.name)) is not None}
    )


def _parse(data: bytes, name: str) -> _Parts:
    if data.startswith(SIGNATURE):
        return _Parts(report=parse_hcl_report(data))
    if tpm.MAGIC in (data[:4], data[2:6]):
        return _Parts(attest=tpm.parse_attest(data))
    if _is_certificates(data):
        return _Parts(certificates=certificates_of(data))
    if _is_document(data):
        return _parse_document(parse_document(data, _WHAT))
    if tpm.is_signature(data):
        return _Parts(signature=tpm.parse_signature(data))
    if is_text(data):
        raise TeekitError(f"{name}: is not evidence of a vTPM", hint="Give files as the TPM and tpm2-tools wrote them.")
    return _Parts(pcrs=data)


def certificates_of(data: bytes) -> tuple[x509.Certificate, ...]:
    """PEM, or one certificate in DER; behind each there may be zeros, as the vTPM's NV index 0x01C101D0 has them."""
    with reading("certificate", _WHAT), long_names():
        ders = (
            [_without_zeros(data)]
            if data.startswith(_DER)
            else [_without_zeros(_from_pem(it[1])) for it in _PEM.finditer(data)]
        )
        pem = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)
        found = tuple(load_certificates(pem)) if ders else ()
    if not found:
        raise MalformedInputError(_WHAT, field="certificate", offset=0, problem="cannot be read: there is none")
    return _at_most(found)


def _from_pem(body: bytes) -> bytes:
    return base64.b64decode(b"".join(body.split()), validate=True)


def _without_zeros(der: bytes) -> bytes:
    size = 4 + int.from_bytes(der[2:4], "big")
    if not der.startswith(_DER) or any(der[size:]):
        raise MalformedInputError(_WHAT, field="certificate", offset=size, problem="something follows it")
    return der[:size]


def _at_most(found: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """Each once: tools give an issuer with every certificate."""
    if len(found) > _MAX_CERTIFICATES:
        problem = f"expected at most {_MAX_CERTIFICATES}, found {len(found)}"
        raise MalformedInputError(_WHAT, field="certificates", offset=0, problem=problem)
    return tuple({item.fingerprint(SHA256()): item for item in found}.values())


def _parse_document(document: object) -> _Parts:
    """`hcl_report` and `tpm_quote`, or `hcl_report_base64` and `tpm_attestation.quote` with certificates beside it."""
    top = _object(_with_report(document, 0) or document, "JSON")
    attestation = _object(top.get("tpm_attestation", {}), "tpm_attestation")
    quote = _object(top.get("tpm_quote", attestation.get("quote")), "tpm_quote")
    pcrs = quote.get("pcrs")
    if not isinstance(pcrs, list):
        raise MalformedInputError(_WHAT, field="pcrs", offset=0, problem="expected a list")
    chain = [attestation.get("ak_certificate_pem"), *_texts(attestation.get("ak_intermediate_certificates_pem"))]
    pem = "\n".join(text for text in chain if isinstance(text, str))
    return _Parts(
        report=parse_hcl_report(decode_bytes(top.get("hcl_report", top.get("hcl_report_base64")), _WHAT, "hcl_report")),
        attest=tpm.parse_attest(decode_bytes(quote.get("message"), _WHAT, "tpm_quote.message")),
        signature=tpm.TpmSignature(decode_bytes(quote.get("signature"), _WHAT, "tpm_quote.signature")),
        pcrs=b"".join(decode_bytes(value, _WHAT, "tpm_quote.pcrs") for value in pcrs),
        certificates=certificates_of(pem.encode("utf-8", "replace")) if pem else None,
    )


def _with_report(value: object, depth: int) -> dict[str, object] | None:
    """The object with the report: others wrap it (the KBS's `primary_evidence`), perhaps as JSON in a text."""
    if depth > _MAX_NESTING:
        return None
    if isinstance(value, str):
        if not value.lstrip().startswith("{") or '"hcl_report' not in value:
            return None
        value = parse_json(value.encode("utf-8", "replace"), _WHAT)
    if isinstance(value, dict) and ("hcl_report" in value or "hcl_report_base64" in value):
        return value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := _with_report(item, depth + 1))), None)


def _object(value: object, field: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MalformedInputError(_WHAT, field=field, offset=0, problem="expected an object")
    return value


def _texts(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _values(data: bytes, attest: TpmAttest) -> list[bytes]:
    """One value after the other, in the quote's order; or what `tpm2_quote -o` writes around them."""
    size, count = attest.bank.size_bytes, len(attest.pcrs)
    lists = -(-count // _DIGESTS_IN_LIST)
    if len(data) == _SELECTION_BYTES + 4 + lists * _LIST_BYTES:
        return list(_serialized(data[_SELECTION_BYTES + 4 :], lists))
    return [data[start : start + size] for start in range(0, len(data), size)]


def _serialized(data: bytes, lists: int) -> list[bytes]:
    values = []
    for start in range(0, lists * _LIST_BYTES, _LIST_BYTES):
        (count,) = struct.unpack_from("<I", data, start)
        for number in range(min(count, _DIGESTS_IN_LIST)):
            place = start + 4 + number * _DIGEST_BYTES
            (size,) = struct.unpack_from("<H", data, place)
            values.append(data[place + 2 : place + 2 + min(size, _DIGEST_BYTES - 2)])
    return values
