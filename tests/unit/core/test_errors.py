"""What an error says is fit for a terminal, whatever foreign names stand in it."""

from __future__ import annotations

import pytest

from teekit_verify.core.errors import MalformedInputError, TeekitError, ToolFailedError, choose_from, shown

HOSTILE = "x\nREPRODUCED: all good\n\x1b[2J\x1b]0;t\x07\u202e\u2028\r\x85\udc80"


@pytest.mark.parametrize(
    "error",
    [
        TeekitError(f"{HOSTILE}: cannot be read", hint=f"Remove {HOSTILE}"),
        ToolFailedError(HOSTILE, "failed", hint=HOSTILE),
        MalformedInputError(HOSTILE, field=HOSTILE, offset=1, problem=HOSTILE, hint=HOSTILE),
    ],
)
def test_foreign_names_are_escaped_whoever_forgets_it(error: TeekitError) -> None:
    for text in (error.message, str(error), error.hint or ""):
        assert text.isprintable()
        assert "x\\nREPRODUCED: all good\\n\\x1b[2J\\x1b]0;t\\x07\\u202e\\u2028\\r\\x85\\udc80" in text


def test_the_lines_of_what_a_program_printed_stay_lines() -> None:
    text = "sh failed; its last lines were:\n  | a\n  | b\x1b"
    assert shown(text) == "sh failed; its last lines were:\n  | a\n  | b\\x1b"
    assert shown(shown(text)) == shown(text)
    assert shown("a\n\n  b\n |c") == "a\\n\\n  b\\n |c"


def test_of_many_names_the_hint_has_the_near_one_alone() -> None:
    """A list of all releases would fill the screen, a year from now."""
    many = [f"image-2026.{month}" for month in range(1, 13)]
    assert choose_from("imgae-2026.4", many) == "Did you mean image-2026.4?"
    assert choose_from("imgae-2026.4", many[:4]) == f"Did you mean image-2026.4? Choose one of: {', '.join(many[:4])}."
    assert choose_from("x", many) == f"Choose one of: {', '.join(many)}."
