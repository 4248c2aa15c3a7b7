"""Which part of the image is measured into which register, over all kinds of machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.documents import fields
from teekit_verify.prediction.causes import CauseKind, cause_of
from teekit_verify.report.html.glossary import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.prediction.causes import Cause
    from teekit_verify.report.html.registers import EventRow, RegisterView

_NAMES = {CauseKind.UKI: "UKI", CauseKind.GPT: "GPT", CauseKind.FIRMWARE: "firmware"}
_MAX_PARTS = 40
EQUAL, DIFFERS, PREDICTED = "equal", "differs", "predicted"


@dataclass(frozen=True, slots=True)
class SectionMap:
    """`rows` are (part, what it is in plain words, one word or "" for each of `registers`)."""

    registers: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def section_map(views: Sequence[RegisterView]) -> SectionMap:
    """Of what is known: an event whose origin is not known is in no row."""
    cells: dict[tuple[str, str], str] = {}
    for view in views:
        for row in view.rows:
            for part in _named(cause_of(row.cause)):
                key = part, view.register
                cells[key] = _worse(cells.get(key), _word(view, row))
    parts = sorted({part for part, _ in cells}, key=_order)[:_MAX_PARTS]
    registers = tuple(sorted({register for _, register in cells}, key=fields.natural))
    rows = ((part, PARTS.get(part, ""), tuple(cells.get((part, one), "") for one in registers)) for part in parts)
    return SectionMap(registers, tuple(rows))


def _named(cause: Cause) -> Iterator[str]:
    if cause.kind is CauseKind.SECTION:
        yield from cause.what
    elif cause.kind in _NAMES:
        yield _NAMES[cause.kind]


def _word(view: RegisterView, row: EventRow) -> str:
    if not view.compared:
        return PREDICTED
    return DIFFERS if row.differs else EQUAL


def _worse(one: str | None, other: str) -> str:
    """What is only predicted on one kind of machine and compared on another was compared."""
    return next(word for word in (DIFFERS, EQUAL, PREDICTED) if word in {one, other})


def _order(part: str) -> tuple[bool, str]:
    """The whole before its sections."""
    return part.startswith("."), part
