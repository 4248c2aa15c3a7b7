"""What a published format is to the loader, and what the readers share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, PlainValidator
from teekit_verify.documents import codec
from teekit_verify.documents.model import AcceptableValue, Policy, ReferenceRegister, RegisterValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.published import ReferenceValues

Fields = TypeVar("Fields")

STRICT = ConfigDict(extra="forbid", strict=True)
MAX_RECORDS = 1000
"""Images, or values of one register, in one file: the longest list that is published has some dozens."""
UNMENTIONED = "the published file says nothing about it"


@frozen
class Source:
    """A file to be recognised: its bytes, and what they are as JSON (None for other files). `where` names it in errors."""

    where: str
    data: bytes
    json: object
    root: TrustedRoot | None = None

    def parse(self, kind: type[Fields]) -> Fields:
        """The JSON as a value. Raises TeekitError that names the path of each field that is unknown, missing or wrong."""
        return codec.validate(kind, self.data, self.where)

    def fail(self, field: str, problem: str) -> TeekitError:
        """The error for one field; raise what this returns."""
        return TeekitError(
            f"{self.where}: {field}: {problem}", hint="Fetch the file again, from where it was published."
        )


@frozen
class Format:
    """A published format. `recognises` looks at the outermost fields only; `read` refuses what it does not know."""

    name: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Sequence[ReferenceValues]]


def acceptable(label: str, digest: Digest, *groups: str) -> AcceptableValue:
    """A value that was published without its event log."""
    return AcceptableValue(label, RegisterValue((digest,), "", ()), groups)


def one_of(values: Sequence[AcceptableValue]) -> ReferenceRegister:
    """Any of these values is acceptable; of a single one the policy is `match`."""
    return ReferenceRegister(Policy.MATCH if len(values) == 1 else Policy.ANY_OF, "", tuple(values))


def match(label: str, value: Digest) -> ReferenceRegister:
    """Only one value is acceptable, and its events were not published."""
    return one_of([acceptable(label, value)])


def hex_digest(algorithm: Algorithm, text: object) -> Digest:
    """Hexadecimal of either case: the tools that read these formats take both. Raises ValueError, as pydantic asks."""
    size = 2 * algorithm.size_bytes
    if not isinstance(text, str) or len(text) != size or set(text) - set("0123456789abcdefABCDEF"):
        raise ValueError(f"must be {size} hexadecimal digits ({algorithm.value})")
    return Digest(algorithm, bytes.fromhex(text))


HexSha256 = Annotated[Digest, PlainValidator(lambda text: hex_digest(Algorithm.SHA256, text))]
HexSha384 = Annotated[Digest, PlainValidator(lambda text: hex_digest(Algorithm.SHA384, text))]
