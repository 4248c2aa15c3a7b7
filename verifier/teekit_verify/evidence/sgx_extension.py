"""What a PCK certificate says about its platform, in an extension of Intel's.

Intel SGX PCK Certificate and Certificate Revocation List Profile Specification 1.5, section 1.3.5: a DER sequence of
sequences {object identifier, value}, identifiers below 1.2.840.113741.1.13.1.
"""

from __future__ import annotations

from cryptography import x509

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.der import INTEGER, OBJECT_IDENTIFIER, OCTETS, SEQUENCE, elements

SGX_EXTENSION = x509.ObjectIdentifier("1.2.840.113741.1.13.1")
_WHAT = "SGX extension of the PCK certificate"
_PREFIX = bytes.fromhex("2a864886f84d010d01")
"""SGX_EXTENSION in DER; what is below it has one or two numbers more, all less than 128."""
_COMPONENTS = 16


@frozen
class Platform:
    """`fmspc` (6 bytes) names the kind of platform, `pce_id` 2 bytes; `components` are 16 security version numbers."""

    fmspc: bytes
    pce_id: bytes
    pce_svn: int
    components: tuple[int, ...]


def read_platform(certificate: x509.Certificate) -> Platform:
    """Raises MalformedInputError if the extension is not there, or not what it should be."""
    try:
        value = certificate.extensions.get_extension_for_oid(SGX_EXTENSION).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise MalformedInputError(_WHAT, field="extension", offset=0, problem="there is none") from error
    assert isinstance(value, x509.UnrecognizedExtension)  # noqa: S101 - for the type checker
    fields = _fields(_only_sequence(value.value))
    tcb = _fields(_expect(fields, (2,), SEQUENCE))
    return Platform(
        fmspc=_octets(fields, 4, 6),
        pce_id=_octets(fields, 3, 2),
        pce_svn=_number(tcb, 17),
        components=tuple(_number(tcb, index) for index in range(1, _COMPONENTS + 1)),
    )


def _only_sequence(data: bytes) -> bytes:
    items = list(elements(data, _WHAT))
    if len(items) != 1 or items[0][0] != SEQUENCE:
        raise MalformedInputError(_WHAT, field="extension", offset=0, problem="expected one sequence")
    return items[0][1]


def _fields(data: bytes) -> dict[tuple[int, ...], tuple[int, bytes]]:
    """The values with their tags, by the numbers of their identifiers below SGX_EXTENSION."""
    fields: dict[tuple[int, ...], tuple[int, bytes]] = {}
    for tag, content in elements(data, _WHAT):
        pair = list(elements(content, _WHAT)) if tag == SEQUENCE else []
        if len(pair) != 2 or pair[0][0] != OBJECT_IDENTIFIER or not pair[0][1].startswith(_PREFIX):  # noqa: PLR2004
            raise MalformedInputError(
                _WHAT, field="entry", offset=0, problem="expected an identifier of Intel's and a value"
            )
        numbers = tuple(pair[0][1][len(_PREFIX) :])
        if numbers in fields:
            raise MalformedInputError(_WHAT, field="entry", offset=0, problem=f"{numbers} occurs twice")
        fields[numbers] = pair[1]
    return fields


def _expect(fields: dict[tuple[int, ...], tuple[int, bytes]], numbers: tuple[int, ...], tag: int) -> bytes:
    found = fields.get(numbers)
    if found is None or found[0] != tag:
        name = ".".join(map(str, numbers))
        raise MalformedInputError(_WHAT, field=name, offset=0, problem="is not there, or has another type")
    return found[1]


def _octets(fields: dict[tuple[int, ...], tuple[int, bytes]], number: int, size_bytes: int) -> bytes:
    octets = _expect(fields, (number,), OCTETS)
    if len(octets) != size_bytes:
        problem = f"expected {size_bytes} bytes, found {len(octets)}"
        raise MalformedInputError(_WHAT, field=str(number), offset=0, problem=problem)
    return octets


def _number(fields: dict[tuple[int, ...], tuple[int, bytes]], index: int) -> int:
    return int.from_bytes(_expect(fields, (2, index), INTEGER), "big", signed=True)
