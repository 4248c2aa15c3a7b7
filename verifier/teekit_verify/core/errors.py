"""One error root. A message says what, where, expected and found; the hint is one imperative sentence."""

from __future__ import annotations


class TeekitError(Exception):
    """No verdict could be reached (exit status 2): unreadable input, failed build, missing tool, wrong usage."""

    code: str | None = None
    """What went wrong, for programs, where they may want to tell it from other errors."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def facts(self) -> dict[str, object]:
        """What the message says, as plain values, where programs may want it."""
        return {}


class MalformedInputError(TeekitError):
    """Untrusted bytes are not what their format asks for. Carries the offset (bytes from the start) and the field."""

    def __init__(self, what: str, *, field: str, offset: int, problem: str, hint: str | None = None) -> None:
        super().__init__(f"{what}: {field} at offset {offset:#x}: {problem}", hint=hint)
        self.field = field
        self.offset = offset


class UnsupportedInputError(TeekitError):
    """The input is well formed, but measuring it would be a guess (an unknown stub version, say)."""


class NotAuthenticError(TeekitError):
    """Evidence is well formed, but something that its authenticity rests on does not hold: a signature, a certificate."""


class ToolMissingError(TeekitError):
    """A program this step needs is not installed."""


class ToolFailedError(TeekitError):
    """An external program failed; the message holds the last lines of its log and how to run it again."""


def printable(text: str) -> str:
    r"""Foreign text, made safe for a terminal: control characters and lone surrogates become ``\xNN``-style escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )
