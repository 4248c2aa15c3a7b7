"""TCB infos and the identity of the quoting enclave as Intel signs them: JSON, read into values with bounds.

"Intel SGX and Intel TDX Provisioning Certification Service", version 4: "Get TDX TCB Info V4" (TCB info, version 3) and "Get
Quoting Enclave Identity V4" (enclave identity, version 2). Nothing is believed here: the signatures are tcb.py's.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.plain_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENTS = 16
_MAX_LEVELS = 256
_MAX_MODULES = 64
_MAX_ADVISORIES = 200
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


@frozen
class Verdict:
    """What Intel says of one TCB level: `status` is its word (`UpToDate`), `date` when the level was current."""

    status: str
    date: datetime
    advisories: tuple[str, ...]


@frozen
class PlatformLevel:
    """Security version numbers that a platform must have reached, 16 of each kind, and what that is worth."""

    sgx: tuple[int, ...]
    pce_svn: int
    tdx: tuple[int, ...]
    verdict: Verdict


@frozen
class SvnLevel:
    """Likewise of a TDX module or an enclave, which have one number."""

    isv_svn: int
    verdict: Verdict


@frozen
class Signer:
    """Who must have signed a TDX module: 48 bytes; the SEAM attributes, 8 bytes, count where the mask has ones."""

    mrsigner: bytes
    attributes: bytes
    attributes_mask: bytes


@frozen
class ModuleIdentity:
    """`name` is `TDX_` and the module's version in hexadecimal."""

    name: str
    signer: Signer
    levels: tuple[SvnLevel, ...]


@frozen
class Period:
    """From `issued` to `next_update` a document speaks. `evaluation` numbers Intel's evaluations of the TCB."""

    issued: datetime
    next_update: datetime
    evaluation: int


@frozen
class TcbInfo:
    """`fmspc` 6 bytes and `pce_id` 2 bytes name the kind of platform. Levels are in Intel's order: the first that fits counts."""

    period: Period
    fmspc: bytes
    pce_id: bytes
    module: Signer
    modules: tuple[ModuleIdentity, ...]
    levels: tuple[PlatformLevel, ...]


@frozen
class QeIdentity:
    """What Intel's TD quoting enclave is: bytes as in its report, 4, 16, and 32."""

    period: Period
    miscselect: bytes
    miscselect_mask: bytes
    attributes: bytes
    attributes_mask: bytes
    mrsigner: bytes
    product: int
    levels: tuple[SvnLevel, ...]


def parse_tcb_info(text: str) -> TcbInfo:
    """Raises MalformedInputError, also for TCB infos of SGX and of other versions."""
    fields = _Fields.of(text, "TCB info")
    fields.require("id", "TDX")
    fields.require("version", 3)
    fields.require("tcbType", 0)
    modules = fields.objects("tdxModuleIdentities", _MAX_MODULES) if fields.has("tdxModuleIdentities") else ()
    return TcbInfo(
        _period(fields),
        fields.octets("fmspc", 6),
        fields.octets("pceId", 2),
        _signer(fields.inner("tdxModule")),
        tuple(ModuleIdentity(row.word("id"), _signer(row), _svn_levels(row)) for row in modules),
        tuple(_platform_level(row) for row in fields.objects("tcbLevels", _MAX_LEVELS)),
    )


def parse_qe_identity(text: str) -> QeIdentity:
    """Raises MalformedInputError, also for identities of other enclaves."""
    fields = _Fields.of(text, "QE identity")
    fields.require("id", "TD_QE")
    fields.require("version", 2)
    return QeIdentity(
        _period(fields),
        fields.octets("miscselect", 4),
        fields.octets("miscselectMask", 4),
        fields.octets("attributes", 16),
        fields.octets("attributesMask", 16),
        fields.octets("mrsigner", 32),
        fields.number("isvprodid"),
        _svn_levels(fields),
    )


def _period(fields: _Fields) -> Period:
    return Period(fields.date("issueDate"), fields.date("nextUpdate"), fields.number("tcbEvaluationDataNumber"))


def _signer(fields: _Fields) -> Signer:
    return Signer(fields.octets("mrsigner", 48), fields.octets("attributes", 8), fields.octets("attributesMask", 8))


def _svn_levels(fields: _Fields) -> tuple[SvnLevel, ...]:
    rows = fields.objects("tcbLevels", _MAX_LEVELS)
    return tuple(SvnLevel(row.inner("tcb").number("isvsvn"), _verdict(row)) for row in rows)


def _platform_level(fields: _Fields) -> PlatformLevel:
    tcb = fields.inner("tcb")
    kinds = []
    for name in ("sgxtcbcomponents", "tdxtcbcomponents"):
        rows = tcb.objects(name, COMPONENTS)
        if len(rows) != COMPONENTS:
            raise tcb.bad(name, f"expected {COMPONENTS} components, found {len(rows)}")
        kinds.append(tuple(row.number("svn", 0xFF) for row in rows))
    return PlatformLevel(kinds[0], tcb.number("pcesvn"), kinds[1], _verdict(fields))


def _verdict(fields: _Fields) -> Verdict:
    advisories = fields.words("advisoryIDs", _MAX_ADVISORIES) if fields.has("advisoryIDs") else ()
    return Verdict(fields.word("tcbStatus"), fields.date("tcbDate"), advisories)


@frozen
class _Fields:
    """A JSON object; `where` leads to it, for errors."""

    what: str
    where: str
    values: Mapping[str, object]

    @classmethod
    def of(cls, text: str, what: str) -> _Fields:
        document = parse_json(text.encode("utf-8", "surrogatepass"), what)
        if not isinstance(document, dict):
            raise MalformedInputError(what, field="JSON", offset=0, problem="expected an object")
        return cls(what, "", document)

    def bad(self, name: str, problem: str) -> MalformedInputError:
        return MalformedInputError(self.what, field=f"{self.where}{name}", offset=0, problem=problem)

    def has(self, name: str) -> bool:
        return name in self.values

    def require(self, name: str, expected: str | int) -> None:
        found = self.values.get(name)
        if type(found) is not type(expected) or found != expected:
            raise self.bad(name, f"expected {expected!r}, found {str(found)[:40]!r}")

    def inner(self, name: str) -> _Fields:
        return self._at(name, self.values.get(name))

    def objects(self, name: str, most: int) -> tuple[_Fields, ...]:
        return tuple(self._at(f"{name}[{index}]", row) for index, row in enumerate(self._list(name, most)))

    def words(self, name: str, most: int) -> tuple[str, ...]:
        return tuple(self._text(f"{name}[{index}]", row, _WORD) for index, row in enumerate(self._list(name, most)))

    def word(self, name: str) -> str:
        return self._text(name, self.values.get(name), _WORD)

    def octets(self, name: str, size_bytes: int) -> bytes:
        data = bytes.fromhex(self._text(name, self.values.get(name), _HEX))
        if len(data) != size_bytes:
            raise self.bad(name, f"expected {size_bytes} bytes in hexadecimal, found {len(data)}")
        return data

    def number(self, name: str, most: int = 0xFFFF) -> int:
        value = self.values.get(name)
        if type(value) is not int or not 0 <= value <= most:
            raise self.bad(name, f"expected a number from 0 to {most}")
        return value

    def date(self, name: str) -> datetime:
        text = self._text(name, self.values.get(name), _DATE)
        try:
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError as error:
            raise self.bad(name, f"{text} is not a date") from error

    def _at(self, name: str, value: object) -> _Fields:
        if not isinstance(value, dict):
            raise self.bad(name, "expected an object")
        return _Fields(self.what, f"{self.where}{name}.", value)

    def _list(self, name: str, most: int) -> list[object]:
        value = self.values.get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self.bad(name, f"expected a list of at most {most}")
        return value

    def _text(self, name: str, value: object, pattern: re.Pattern[str]) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self.bad(name, f"expected text of the form {pattern.pattern}")
        return value
