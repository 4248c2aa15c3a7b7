"""What a published format is to the loader, and what the readers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pydantic import ConfigDict

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.documents.model import AcceptableValue, Policy, ReferenceRegister, RegisterValue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.reference.google_signature import TrustedRoot
    from teekit_verify.reference.published import ReferenceValues

Fields = TypeVar("Fields")

STRICT = ConfigDict(extra="forbid", strict=True)
UNMENTIONED = "the published file says nothing about it"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
