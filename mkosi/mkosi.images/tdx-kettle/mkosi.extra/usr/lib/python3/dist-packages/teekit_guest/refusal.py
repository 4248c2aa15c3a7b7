"""The one error: something given from outside is not what it must be, or does not come."""

from __future__ import annotations

SHOWN_CHARACTERS = 60
REASON_CHARACTERS = 250


class Refused(Exception):  # noqa: N818 -- the sentence "refused: ..." is what is logged
    """Its text is one line of printable ASCII, whatever it quotes: it goes into logs and onto the console."""


def shown(value: object, most_characters: int = SHOWN_CHARACTERS) -> str:
    """A foreign value for a message: escaped, in quotes, and cut."""
    text = (
        value if isinstance(value, str) else value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    )
    cut = text[:most_characters]
    return ascii(cut) + ("..." if len(text) > len(cut) else "")
