"""Where the bytes behind an event come from, as a value: the `cause` of an event in a document, read by its grammar.

    UKI                               the UKI as a whole
    UKI section NAME                  one section
    UKI sections NAME, NAME           several
    GPT of the disk                   the partition table
    firmware                          the firmware alone decides
    anything else                     shown as it is

docs/reference-format.md has the field. This is the only place that reads it.
"""

from __future__ import annotations

from enum import Enum

from teekit_verify.core.frozen import frozen

_SECTION, _SECTIONS = "UKI section ", "UKI sections "


class CauseKind(Enum):
    """What kind of thing to look at when an event differs."""

    UKI = "uki"
    SECTION = "section"
    GPT = "gpt"
    FIRMWARE = "firmware"
    OTHER = "other"
    UNKNOWN = "unknown"


_WHOLE = {"UKI": CauseKind.UKI, "GPT of the disk": CauseKind.GPT, "firmware": CauseKind.FIRMWARE, "": CauseKind.UNKNOWN}


@frozen
class Cause:
    """`what` are the names of sections, or the text that is none of the known causes."""

    kind: CauseKind
    what: tuple[str, ...] = ()


def cause_of(text: str) -> Cause:
    """Total: whatever does not fit the grammar is OTHER."""
    if text in _WHOLE:
        return Cause(_WHOLE[text])
    if text.startswith(_SECTIONS):
        names = tuple(text.removeprefix(_SECTIONS).split(", "))
    elif text.startswith(_SECTION):
        names = (text.removeprefix(_SECTION),)
    else:
        return Cause(CauseKind.OTHER, (text,))
    is_list_of_names = all(name and not name.isspace() and " " not in name for name in names)
    return Cause(CauseKind.SECTION, names) if is_list_of_names else Cause(CauseKind.OTHER, (text,))
