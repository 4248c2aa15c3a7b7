"""Bytes as tools write them into text files and JSON: hexadecimal, base64, or a list of numbers."""

from __future__ import annotations

import base64
import binascii
import re

from teekit_verify.core.errors import MalformedInputError


def decode_bytes(value: object, what: str, field: str) -> bytes:
    """Of a value in JSON: text, or a list of numbers from 0 to 255. Raises MalformedInputError."""
    if isinstance(value, str):
        return decode_text(value, what, field)
    if isinstance(value, list) and all(type(item) is int and 0 <= item <= 0xFF for item in value):  # noqa: PLR2004
        return bytes(value)
    problem = "is neither text nor a list of numbers from 0 to 255"
    raise MalformedInputError(what, field=field, offset=0, problem=problem)


def decode_text(text: str, what: str, field: str) -> bytes:
    """Hexadecimal (upper or lower case, perhaps after 0x) or base64 (either alphabet, padded or not); white space does not count."""
    packed = "".join(text.split())
    digits = packed.removeprefix("0x").removeprefix("0X")
    if len(digits) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]+", digits):
        return bytes.fromhex(digits)
    try:
        standard = packed.replace("-", "+").replace("_", "/")
        padding = "" if standard.endswith("=") else "=" * (-len(standard) % 4)
        return base64.b64decode(standard + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        problem = "is neither hexadecimal nor base64"
        raise MalformedInputError(what, field=field, offset=0, problem=problem) from error
