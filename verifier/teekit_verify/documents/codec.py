"""Documents as bytes: untrusted JSON to values with errors that name the field, and values to deterministic bytes."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from teekit_verify.core import files
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.plain_json import load_plain

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

Document = TypeVar("Document")

MAX_DOCUMENT_BYTES = 8 << 20
"""The reference of a full image is well under 1 MiB."""
MAX_DOCUMENT_VALUES = 200_000
"""Every value takes up to 1 KiB of memory while it is parsed, so this bounds that. A package takes 5, an event 8."""
WHAT = "a JSON document"
"""What a file with more than MAX_DOCUMENT_BYTES is too large for."""

_SHOWN_ERRORS = 5
_SHOWN_CHARACTERS = 40


def read_bounded(path: Path) -> bytes:
    """The file's bytes. Raises TeekitError if it cannot be read or has more than MAX_DOCUMENT_BYTES."""
    return files.read_bounded(path, MAX_DOCUMENT_BYTES, WHAT)


def parse(kind: type[Document], schema: str, data: bytes, where: str) -> Document:
    """Bytes to a value. `schema` is what the document's "schema" field must say; `where` names the file in errors.

    Raises TeekitError with the JSON path of each offending field (the first five).
    """
    require_schema(data, schema, where)
    return validate(kind, data, where)


def validate(kind: type[Document], data: bytes, where: str) -> Document:
    """JSON that `bounded_json` has read to a value. Raises TeekitError as `parse` does."""
    from pydantic import ValidationError

    try:
        value: Document = _adapter_of(kind).validate_json(data, strict=True)
    except ValidationError as error:
        raise _in_words(error, where) from error
    return value


def _adapter_of(kind: Any) -> TypeAdapter[Any]:
    """Annotated types may have no hash to be remembered by."""
    from pydantic import TypeAdapter

    return _remembered(kind) if isinstance(kind, type) else TypeAdapter(kind)


@cache
def _remembered(kind: type) -> TypeAdapter[Any]:
    """Making one takes longer than reading a document by it, and there may be thousands of a kind."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def has_too_many_values(data: bytes) -> bool:
    """Counted before anything is parsed, so that it is never too few."""
    return data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_DOCUMENT_VALUES


def bounded_json(data: bytes, where: str) -> object:
    """JSON to plain values as `plain_json` does, with at most MAX_DOCUMENT_VALUES of them."""
    if has_too_many_values(data):
        raise TeekitError(f"{where}: has more than {MAX_DOCUMENT_VALUES} values, too many for a document of this tool")
    return plain_json(data, where)


def require_schema(data: bytes, schema: str, where: str) -> None:
    """One clear message for another kind of document or another version of it, before every field is complained about."""
    fields = bounded_json(data, where)
    if not isinstance(fields, dict) or "schema" not in fields:
        raise TeekitError(
            f"{where}: is not a document of this tool: it has no field 'schema'",
            hint=f'Give a file that says "schema": "{schema}".',
        )
    if fields["schema"] != schema:
        found = printable(str(fields["schema"])[:80])
        raise TeekitError(
            f"{where}: schema: expected {schema!r}, found '{found}'",
            hint="Use a file of the expected kind, or the release of teekit-verify that wrote this one.",
        )


def plain_json(data: bytes, where: str) -> object:
    """JSON to plain values; refuses duplicate keys, on which parsers disagree."""
    try:
        return load_plain(data)
    except ValueError as error:
        raise TeekitError(
            f"{where}: is not JSON: {printable(str(error))}", hint="Fetch or write the file again, or name another."
        ) from error


def _in_words(error: ValidationError, where: str) -> TeekitError:
    details = error.errors(include_url=False)
    lines = [f"{json_path(detail['loc'])}: {problem(detail)}" for detail in details[:_SHOWN_ERRORS]]
    if len(details) > _SHOWN_ERRORS:
        lines.append(f"and {len(details) - _SHOWN_ERRORS} more")
    return TeekitError(f"{where}: " + "; ".join(lines), hint="Correct the named fields, or fetch the file again.")


def problem(detail: ErrorDetails) -> str:
    """What Pydantic found wrong with a field, as other errors say it: what was expected, and what is there."""
    kind = detail["type"]
    if kind == "unexpected_keyword_argument":
        return "unknown field"
    if kind in {"missing_argument", "missing"}:
        return "missing field"
    if kind == "union_tag_not_found":
        return f"missing field {detail['ctx']['discriminator']}"
    if kind == "union_tag_invalid":
        about = detail["ctx"]
        return f"{about['discriminator']}: expected one of {about['expected_tags']}, found {_found(about['tag'])}"
    if kind in _EXPECTED:
        about = {name: f"{it:g}" if isinstance(it, float) else it for name, it in detail.get("ctx", {}).items()}
        expected = _EXPECTED[kind].format(**about)
        return f"expected {printable(expected)}, found {_found(detail['input'])}"
    return printable(detail["msg"].removeprefix("Value error, "))


_WHOLE, _OBJECT, _LIST = "a whole number", "an object", "a list"
_EXPECTED = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "dict_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "model_type": _OBJECT,
    "none_required": "null",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "a length of at least {min_length}",
    "string_too_long": "a length of at most {max_length}",
    "too_short": "a length of at least {min_length}",
    "too_long": "a length of at most {max_length}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
"""By Pydantic's names of errors, which it promises to keep; they are filled in with what it says of each."""


def _found(value: object) -> str:
    """A value of a document; of one with others in it, only how many."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def json_path(location: tuple[int | str, ...]) -> str:
    """`platforms.uefi.PCR4.acceptable[0].label`; the document itself is `$`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + printable(part[:80])
    return text or "$"


def dump(value: object) -> bytes:
    """Deterministic bytes: fields in the order of the dataclass, mappings in natural key order, one trailing newline."""
    return dump_as(type(value), value)


def dump_as(kind: Any, value: object) -> bytes:
    """The same of a value in the form of an annotated type."""
    plain = _adapter_of(kind).dump_python(value, mode="json")
    return json.dumps(plain, indent=2, ensure_ascii=False).encode() + b"\n"
