"""Which machine of Google Compute Engine a certificate is about: what Google wrote into the certificates of its vTPMs' keys.

Extension 1.3.6.1.4.1.11129.2.1.21, read in google/go-tpm-tools (server/verify.go, 67670e5c): a DER sequence of zone, project's number, project,
machine's number, machine's name, and security properties [0]: [0] a version, [1] whether it is production; more may follow, which nobody describes.
"""

from __future__ import annotations

from cryptography import x509

from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.der import BOOLEAN, INTEGER, SEQUENCE, UTF8, elements

INSTANCE_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.1.21")
_WHAT = "Google's description of the machine"
_FIELDS = (UTF8, INTEGER, UTF8, INTEGER, UTF8)
_PROPERTIES, _VERSION, _PRODUCTION = 0xA0, 0xA0, 0xA1
_MOST_NAME, _MOST_NUMBER_BYTES = 255, 9


@frozen
class GoogleInstance:
    """`security_version` is that of the vTPM's maker; `production` is False also where nothing is said."""

    zone: str
    project_number: int
    project: str
    number: int
    name: str
    security_version: int
    production: bool

    @property
    def path(self) -> str:
        """As the Compute Engine API names it, by its number, which no other machine gets."""
        return f"projects/{printable(self.project)}/zones/{printable(self.zone)}/instances/{self.number} ({printable(self.name)})"


def read_instance(certificate: x509.Certificate) -> GoogleInstance | None:
    """None without the extension. Raises MalformedInputError."""
    try:
        value = certificate.extensions.get_extension_for_oid(INSTANCE_EXTENSION).value
    except x509.ExtensionNotFound:
        return None
    assert isinstance(value, x509.UnrecognizedExtension)  # noqa: S101 - for the type checker
    return parse_instance(value.value)


def parse_instance(data: bytes) -> GoogleInstance:
    """Of the extension's value. Raises MalformedInputError."""
    fields = list(elements(_one(data, SEQUENCE, "extension"), _WHAT))
    if tuple(tag for tag, _ in fields[:5]) != _FIELDS or len(fields) > len(_FIELDS) + 1:
        raise _error("fields", "expected zone, project and machine, and security properties")
    zone, project_number, project, number, name = (content for _, content in fields[:5])
    version, production = _properties(fields[5]) if fields[5:] else (0, False)
    return GoogleInstance(
        _text(zone), _number(project_number), _text(project), _number(number), _text(name), version, production
    )


def _properties(field: tuple[int, bytes]) -> tuple[int, bool]:
    tag, content = field
    if tag != _PROPERTIES:
        raise _error("security properties", "are something else")
    found: dict[int, bytes] = {}
    for number, value in elements(_one(content, SEQUENCE, "security properties"), _WHAT):
        if number in found:
            raise _error("security properties", "say something twice")
        found[number] = value
    version = _number(_one(found[_VERSION], INTEGER, "security version")) if _VERSION in found else 0
    return version, _PRODUCTION in found and _one(found[_PRODUCTION], BOOLEAN, "production") == b"\xff"


def _one(data: bytes, tag: int, field: str) -> bytes:
    items = list(elements(data, _WHAT))
    if len(items) != 1 or items[0][0] != tag:
        raise _error(field, "is not the one value that it should be")
    return items[0][1]


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _error("text", "is not UTF-8") from error
    if not 0 < len(text) <= _MOST_NAME:
        raise _error("text", f"expected 1 to {_MOST_NAME} characters, found {len(text)}")
    return text


def _number(content: bytes) -> int:
    if not 0 < len(content) <= _MOST_NUMBER_BYTES or content[0] & 0x80:
        raise _error("number", "is negative, or longer than 64 bits")
    return int.from_bytes(content, "big")


def _error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=0, problem=problem)
