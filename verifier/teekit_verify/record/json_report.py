"""Results as JSON: fields in the order of the dataclasses, digests in hexadecimal, bytes that depend on the values alone."""

from __future__ import annotations

import dataclasses
import json
import sys
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import Checklist, Conclusion
from teekit_verify.appraisal.facts import Check, EventDifference, EventName
from teekit_verify.core.digest import Digest
from teekit_verify.documents import codec
from teekit_verify.documents.model import Inputs, Measurements, Reference
from teekit_verify.record.schema_names import COMPARISON_SCHEMA, REBUILD_SCHEMA
from teekit_verify.registers.events import event_type_name
from teekit_verify.registers.registers import Register
from teekit_verify.wording.checks import detail_of, name_of, reason_lines
from teekit_verify.wording.meanings import meaning_words

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from typing_extensions import TypeIs

    from teekit_verify.boot.proof import BankCheck
    from teekit_verify.record.comparison import ComparisonReport
    from teekit_verify.record.document import RebuildReport

_SECONDS_DIGITS = 1


def render_rebuild(report: RebuildReport) -> bytes:
    """`report.json`."""
    heading = {"schema": REBUILD_SCHEMA, "exit_status": int(report.verdict.exit_status)}
    return render(heading | {"open_registers": open_registers(report.checklist)}, report)


def render_comparison(report: ComparisonReport) -> bytes:
    """What `compare --json` prints."""
    heading = {"schema": COMPARISON_SCHEMA, "exit_status": int(report.conclusion.status)}
    return render(heading | {"open_registers": open_registers(report.checklist)}, report)


def open_registers(checklist: Checklist | None) -> int:
    """How many registers have a value that nobody knows: part of every verdict."""
    return 0 if checklist is None else len(checklist.open_registers)


def render(heading: dict[str, object], report: object, **more: object) -> bytes:
    """A dataclass as a document: the heading's fields, its own, and `more`."""
    fields = plain(report)
    assert isinstance(fields, dict)  # noqa: S101 - reports are dataclasses
    document = {**heading, **fields, **more}
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def plain(value: object) -> object:
    """A tree of values as JSON's types. Raises TypeError for a type it does not know: nothing is guessed."""
    match value:
        case Measurements() | Reference() | Inputs():
            return json.loads(codec.dump(value))
        case None | bool():
            return value
        case str():
            return value.encode(
                "utf-8", "backslashreplace"
            ).decode()  # a lone surrogate is no JSON text to many readers
        case Digest():
            return value.hex
        case Register():
            return value.name
        case IntEnum() | int():
            return int(value)
        case Enum():
            return value.value
        case float():
            return round(value, _SECONDS_DIGITS)
        case tuple() | list():
            return [plain(item) for item in value]
        case EventName(description=description, type=number):
            return {"description": plain(description), "type": event_type_name(number)}
        case Check():
            return _check(value)
        case EventDifference():
            return {**_fields(value), "meaning": meaning_words(value.means)}
        case Conclusion(status=status, reasons=reasons):
            return {"status": int(status), "reasons": list(reason_lines(reasons))}
        case _ if _is_bank_check(value):
            return _bank_check(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _fields(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in a report")


def _is_bank_check(value: object) -> TypeIs[BankCheck]:
    """Only a command that boots something has one, and has imported what makes it; the others need not."""
    made_in = sys.modules.get("teekit_verify.boot.proof")
    return made_in is not None and isinstance(value, made_in.BankCheck)


def _bank_check(check: BankCheck) -> dict[str, object]:
    from teekit_verify.wording.boot import bank_check_words

    return {"name": check.bank.value, **_fields(check), "detail": bank_check_words(check)}


def _fields(value: DataclassInstance) -> dict[str, object]:
    return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _check(check: Check) -> dict[str, object]:
    """`name` and `detail` say in words what `subject`, `reason` and `nearest` hold as values; they are for people."""
    return {"name": plain(name_of(check)), "detail": plain(detail_of(check)), **_fields(check)}
