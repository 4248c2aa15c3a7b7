"""The part of YAML that tools write evidence in: mappings, lists, block scalars (| and >), plain and quoted scalars.

YAML 1.2.2, chapters 7 and 8, without anchors, aliases, tags, merge keys, comments behind values and several documents: what has them is
refused. Values are those of JSON. Bounds: lines and depth.
"""

from __future__ import annotations

import json
import re

from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.evidence.plain_json import parse_json

_MAX_LINES, _MAX_DEPTH = 1_000_000, 16
_KEY = re.compile(r"(?P<key>[A-Za-z_][\w.-]{0,80}|\"[^\"\\]{0,80}\")[ ]*:(?:[ ]+(?P<rest>.*))?")
_BLOCK = re.compile(r"[|>][+-]?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_FOREIGN = ("&", "*", "!", "%", "@", "`", "<<", "?")
_LAST_COMMA = re.compile(r",\s*([\]}])")
_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}


def looks_like_yaml(text: str) -> bool:
    """Whether the first line that says anything is `key:`, with or without a value."""
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith(("#", "---"))), "")
    return _KEY.fullmatch(first.rstrip()) is not None


def parse_document(data: bytes, what: str) -> object:
    """JSON, or YAML as above. Raises MalformedInputError."""
    text = data.decode("utf-8", "replace")
    if not looks_like_yaml(text):
        return parse_json(data, what)
    return parse_yaml(text, what)


def parse_yaml(text: str, what: str) -> object:
    """One document. Raises MalformedInputError, with the line."""
    lines = text.removeprefix("---\n").split("\n")
    if len(lines) > _MAX_LINES:
        raise MalformedInputError(what, field="YAML", offset=0, problem=f"more than {_MAX_LINES} lines")
    reader = _Reader([line.rstrip() for line in lines], what)
    reader.skip()
    value = reader.block(0, 0)
    reader.skip()
    if reader.at < len(lines):
        raise reader.wrong("is not expected there")
    return value


class _Reader:
    """Goes through the lines once; `at` is the next one."""

    def __init__(self, lines: list[str], what: str) -> None:
        self.lines, self.what, self.at = lines, what, 0

    def wrong(self, problem: str) -> MalformedInputError:
        line = self.lines[self.at] if self.at < len(self.lines) else ""
        return MalformedInputError(
            self.what, field=f"YAML line {self.at + 1}", offset=0, problem=f"{printable(line.strip()[:40])!r} {problem}"
        )

    def skip(self) -> None:
        """Over lines that say nothing."""
        while self.at < len(self.lines) and (not self.lines[self.at].strip() or self.lines[self.at].lstrip()[0] == "#"):
            self.at += 1

    def indent(self) -> int:
        """Of the next line; -1 at the end."""
        if self.at >= len(self.lines):
            return -1
        line = self.lines[self.at]
        if line.lstrip(" ").startswith("\t"):
            raise self.wrong("is indented with tabs")
        return len(line) - len(line.lstrip(" "))

    def block(self, least: int, depth: int) -> object:
        """What begins with the next line, if that is indented by `least` or more; else nothing."""
        if depth > _MAX_DEPTH:
            raise self.wrong("is too deep")
        indent = self.indent()
        if indent < least:
            return None
        text = self.lines[self.at][indent:]
        if text == "-" or text.startswith("- "):
            return self._list(indent, depth)
        if _KEY.fullmatch(text):
            return self._mapping(indent, depth)
        self.at += 1
        return self._scalar(self._whole_flow(text))

    def _whole_flow(self, text: str) -> str:
        """A list in brackets may go on over lines."""
        if text[0] not in "[{":
            return text
        pieces, opened = [text], _depth(text)
        while opened > 0 and self.at < len(self.lines):
            pieces.append(self.lines[self.at].strip())
            opened += _depth(pieces[-1])
            self.at += 1
        return " ".join(pieces)

    def _list(self, indent: int, depth: int) -> list[object]:
        found: list[object] = []
        while self.indent() == indent and (text := self.lines[self.at][indent:]).startswith("-"):
            rest = text[1:].lstrip(" ")
            if _BLOCK.fullmatch(rest):
                self.at += 1
                found.append(self._block_scalar(rest, indent))
            elif rest:
                self.lines[self.at] = " " * (len(self.lines[self.at]) - len(rest)) + rest
                found.append(self.block(indent + 1, depth + 1))
            else:
                self.at += 1
                self.skip()
                found.append(self.block(indent + 1, depth + 1))
            self.skip()
        return found

    def _mapping(self, indent: int, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while self.indent() == indent and (match := _KEY.fullmatch(self.lines[self.at][indent:])):
            key, rest = match["key"].strip('"'), (match["rest"] or "").strip()
            if key in found:
                raise self.wrong("occurs twice")
            self.at += 1
            if _BLOCK.fullmatch(rest):
                found[key] = self._block_scalar(rest, indent)
            elif rest:
                found[key] = self._scalar(self._whole_flow(rest))
            else:
                found[key] = self._below(indent, depth)
            self.skip()
        return found

    def _below(self, indent: int, depth: int) -> object:
        """A list may stand as deep as its key."""
        self.skip()
        is_list = self.indent() == indent and self.lines[self.at][indent:].startswith("-")
        return self.block(indent if is_list else indent + 1, depth + 1)

    def _block_scalar(self, style: str, outer: int) -> str:
        start = self.at
        while self.at < len(self.lines) and (not self.lines[self.at].strip() or self.indent() > outer):
            self.at += 1
        lines = self.lines[start : self.at]
        depth = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        texts = [line[depth:] for line in lines]
        joined = "\n".join(texts) if style[0] == "|" else " ".join(text for text in texts if text)
        return joined.rstrip("\n") + ("" if style.endswith("-") else "\n")

    def _scalar(self, text: str) -> object:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text.startswith(_FOREIGN):
            raise self.wrong("has syntax that is not supported")
        if _INTEGER.fullmatch(text):
            return int(text)
        if text.startswith("'") and text.endswith("'") and len(text) > 1:
            return text[1:-1].replace("''", "'")
        if text[0] in '"[{':
            try:
                return json.loads(_LAST_COMMA.sub(r"\1", text))
            except ValueError as error:
                raise self.wrong("cannot be read") from error
        return text


def _depth(text: str) -> int:
    """How many brackets stay open; texts in evidence have none."""
    return text.count("[") + text.count("{") - text.count("]") - text.count("}")
