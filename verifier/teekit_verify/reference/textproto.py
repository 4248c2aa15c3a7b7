r"""Protocol buffers as text (protobuf.dev, "Text Format Language Specification"): what messages of strings and numbers need.

Fields `name: value`, `name { ... }` or `name < ... >`, lists `[a, b]`, strings in pieces with C's escapes, comments after `#`.
Floating point, extensions and `Any` are refused: the messages read here have none.
"""

from __future__ import annotations

import re
from dataclasses import field

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen

_TOKEN = re.compile(
    r"""(?P<space>(?:\s|\#[^\n]*)+)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>-?(?:0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20}))(?![A-Za-z0-9_.])
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<mark>[{}<>\[\]:;,])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|([abfnrtv?\\'\"]))")
_SIMPLE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "?": 63, "\\": 92, "'": 39, '"': 34}
_CLOSING = {"{": "}", "<": ">"}
_MAX_DEPTH = 8
_MAX_FIELDS = 1000
_MAX_TOKENS = 20_000


@frozen
class TextMessage:
    """For each field its values in order."""

    fields: dict[str, list[bytes | int | bool | TextMessage]] = field(default_factory=dict)


def parse_textproto(data: bytes, what: str) -> TextMessage:
    """Raises MalformedInputError with the offset of what cannot be read."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedInputError(what, field="text", offset=error.start, problem="is not UTF-8") from error
    return _Parser(_tokens(text, what), what).message("", 0)


def _tokens(text: str, what: str) -> list[tuple[str, str, int]]:
    """(Kind, text, offset), without white space."""
    found: list[tuple[str, str, int]] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise MalformedInputError(what, field="text", offset=place, problem="is not a protocol buffer as text")
        if len(found) >= _MAX_TOKENS:
            raise MalformedInputError(what, field="text", offset=place, problem=f"has more than {_MAX_TOKENS} words")
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match[0], place))
        place = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str, int]], what: str) -> None:
        self._tokens, self._place, self._what, self._count = tokens, 0, what, 0

    def message(self, closing: str, depth: int) -> TextMessage:
        """Up to `closing`, or to the end where that is empty."""
        found = TextMessage()
        while True:
            kind, text, _ = self._take() if self._place < len(self._tokens) or closing else ("", "", 0)
            if text == closing:
                return found
            if kind != "name":
                raise self._error("expected the name of a field")
            found.fields.setdefault(text, []).extend(self._values(depth))
            if self._peek() in {";", ","}:
                self._take()

    def _values(self, depth: int) -> list[bytes | int | bool | TextMessage]:
        has_colon = self._peek() == ":"
        if has_colon:
            self._take()
        if self._peek() == "[" and has_colon:
            return self._list(depth)
        if not has_colon and self._peek() not in _CLOSING:
            raise self._error("expected a colon or a message")
        return [self._value(depth)]

    def _list(self, depth: int) -> list[bytes | int | bool | TextMessage]:
        self._take()
        values: list[bytes | int | bool | TextMessage] = []
        while self._peek() != "]":
            values.append(self._value(depth))
            if self._peek() == ",":
                self._take()
        self._take()
        return values

    def _value(self, depth: int) -> bytes | int | bool | TextMessage:
        self._count += 1
        if self._count > _MAX_FIELDS or depth >= _MAX_DEPTH:
            raise self._error(f"has more than {_MAX_FIELDS} fields, or more than {_MAX_DEPTH} levels")
        kind, text, _ = self._take()
        if text in _CLOSING:
            return self.message(_CLOSING[text], depth + 1)
        if kind == "number":
            return int(text, 8 if re.fullmatch(r"-?0[0-7]+", text) else 0 if "x" in text.lower() else 10)
        if text in {"true", "false"}:
            return text == "true"
        if kind != "string":
            raise self._error("expected a string, a number, true, false or a message")
        value = self._bytes(text)
        while self._place < len(self._tokens) and self._tokens[self._place][0] == "string":
            value += self._bytes(self._take()[1])
        return value

    def _bytes(self, literal: str) -> bytes:
        found, place, text = bytearray(), 0, literal[1:-1]
        while place < len(text):
            if text[place] != "\\":
                found += text[place].encode()
                place += 1
                continue
            match = _ESCAPE.match(text, place)
            number = 256 if match is None else _escaped(match)
            if match is None or number > 0xFF:  # noqa: PLR2004 - a byte
                raise self._error("has an escape that stands for no byte")
            found.append(number)
            place = match.end()
        return bytes(found)

    def _peek(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self) -> tuple[str, str, int]:
        if self._place >= len(self._tokens):
            raise self._error("ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def _error(self, problem: str) -> MalformedInputError:
        offset = self._tokens[self._place - 1][2] if self._tokens and self._place else 0
        return MalformedInputError(self._what, field="text", offset=offset, problem=problem)


def _escaped(match: re.Match[str]) -> int:
    octal, hexadecimal, simple = match.groups()
    if octal is not None:
        return int(octal, 8)
    return int(hexadecimal, 16) if hexadecimal is not None else _SIMPLE[simple]
