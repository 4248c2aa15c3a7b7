"""One error root. A message says what, where, expected and found; the hint is one imperative sentence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OWN_LINES = (
    *("  | ", "  tried ", "  and ", "  there is no source"),
    *("  gone: ", "  unreachable: ", "  other bytes: "),
)
"""How the lines of our own messages begin after the first: what a program printed, what was asked for a file."""


class TeekitError(Exception):
    """No verdict could be reached (exit status 2): unreadable input, failed build, missing tool, wrong usage.

    Message and hint are fit for a terminal whatever foreign names they hold, see `shown`. `code` is for programs and never
    changes; docs/errors.md lists all of them. A subclass has its own: its name in snake case without `Error`, unless it
    says another.
    """

    code: ClassVar[str] = "error"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in cls.__dict__:
            words = re.findall(r"[A-Z][a-z0-9]*", cls.__name__.removesuffix("Error"))
            cls.code = "_".join(words).lower()

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = shown(message)
        self.hint = None if hint is None else printable(hint)
        super().__init__(self.message)

    @property
    def summary(self) -> str:
        """The first line, for where one line is shown."""
        return self.message.split("\n", maxsplit=1)[0]

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
    """An external program failed; the message holds the last lines of its log and how to run it again.

    `problem` is what happened to it, without its name; `output` are the last lines that it printed, as they came: only these
    are the program's own words. `stopped`: it did not end by itself, but printed too much or took too long.
    """

    def __init__(
        self,
        program: str,
        problem: str,
        *,
        hint: str | None = None,
        stopped: bool = False,
        output: Sequence[str] = (),
    ) -> None:
        super().__init__(f"{program} {problem}", hint=hint)
        self.problem = problem
        self.stopped = stopped
        self.output = tuple(output)


def printable(text: str) -> str:
    r"""Foreign text, made safe for a terminal: control characters and lone surrogates become ``\xNN``-style escapes."""
    if text.isprintable():  # as nearly all of it is
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in text
    )


_MOST_ASKED = 80
"""Characters of a name for which a near one is looked for: that takes the square of them."""
_MOST_NAMED = 8
"""Names in a hint, where one of them is likely to be the one that was meant."""


def choose_from(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is none of `known`: the nearest of them, and all of them where they are few or none is near."""
    from difflib import get_close_matches

    names = [printable(one) for one in known]
    near = get_close_matches(name[:_MOST_ASKED].lower(), names, 1)
    if near and len(names) > _MOST_NAMED:
        return f"Did you mean {near[0]}?"
    return f"{f'Did you mean {near[0]}? ' if near else ''}Choose one of: {', '.join(names)}."


def shown(message: str) -> str:
    """A message made safe for a terminal: `printable`, but for the line ends of our own messages, whose lines are indented.

    So no foreign name can begin a line, as the line of a verdict.
    """
    first, *others = message.split("\n")
    return printable(first) + "".join(
        "\n" + printable(line) if line.startswith(_OWN_LINES) else "\\n" + printable(line) for line in others
    )
