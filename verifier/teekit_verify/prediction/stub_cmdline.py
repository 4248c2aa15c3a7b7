"""Command lines as systemd-stub reads, cleans and joins them (src/boot/util.c, stub.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.prediction.stub_releases import Whitespace

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CMDLINE_BYTES = 1 << 16
"""Linux uses the first 2,047 characters on x86 (COMMAND_LINE_SIZE), but measures all of them."""


def ascii_text(content: memoryview, what: str) -> str:
    """Up to the first NUL byte, as xstrn8_to_16() reads it. Raises UnsupportedInputError for what is not ASCII, or too long."""
    raw = bytes(content[: _MAX_CMDLINE_BYTES + 1]).split(b"\0", 1)[0]
    if not raw.isascii() or len(raw) > _MAX_CMDLINE_BYTES:
        raise UnsupportedInputError(
            f"{what} is not plain ASCII of at most {_MAX_CMDLINE_BYTES} bytes",
            hint="Use only ASCII characters on the kernel command line.",
        )
    return raw.decode("ascii")


def cleaned(text: str, whitespace: Whitespace) -> str:
    """mangle_stub_cmdline() of that release."""
    if whitespace is Whitespace.UNTOUCHED:
        return text
    blanks = [*range(0x20), *([0x7F] if whitespace is Whitespace.BOTH else [])]
    text = text.translate(dict.fromkeys(blanks, " "))
    if whitespace is Whitespace.SPACES:
        return text
    return text.strip(" ") if whitespace is Whitespace.BOTH else text.rstrip(" ")


def joined(texts: Iterable[str]) -> str:
    """Appended one by one: a space stands between, unless there is nothing before it."""
    whole = ""
    for text in texts:
        whole = f"{whole} {text}" if whole else text
    return whole


def utf16(text: str) -> bytes:
    """With its NUL, as it is measured and handed over."""
    return f"{text}\0".encode("utf-16-le")
