"""JSON that parsers disagree about."""

from __future__ import annotations

import json

import pytest

from teekit_verify.core.plain_json import load_plain


def test_what_json_has() -> None:
    assert load_plain(b' {"a": [1, -2.5, "\xc3\xa9", true, null, {"a": 1}]} ') == {
        "a": [1, -2.5, "\u00e9", True, None, {"a": 1}]
    }


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"a": 1, "b": 2, "a": 1}', "^the key 'a' occurs twice in one object$"),
        (b'[{"a": {"b": 1, "b": 2}}]', "^the key 'b' occurs twice in one object$"),
        (b'{"' + b"k" * 200 + b'": 1, "' + b"k" * 200 + b'": 1}', f"^the key '{'k' * 80}' occurs"),
        (b"[NaN]", "^NaN is not a JSON number$"),
        (b"-Infinity", "^-Infinity is not a JSON number$"),
        (b"[" * 100_000, "^nested too deeply, over 200 levels at offset 0xc8$"),
        (b"[" * 5000, "^nested too deeply"),  # the first fails in every Python's parser, this only in some
        (b'{"a":' * 201 + b"1" + b"}" * 201, "^nested too deeply, over 200 levels at offset 0x3e8$"),
        (rb'["\"' + b'", ["' * 300, "^nested too deeply"),
        (b'1\n "\xff"', r"^byte 0xff is not UTF-8: line 2 column 3 \(char 4\)$"),
        ('"a"'.encode("utf-16"), "^byte 0xff is not UTF-8: line 1 column 1"),
        (b"\xef\xbb\xbf1", "BOM"),
        (b"9" * 5000, "Exceeds the limit"),
        (b"", "^Expecting value: line 1 column 1"),
    ],
)
def test_what_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        load_plain(data)


def test_what_is_no_depth() -> None:
    deep = load_plain(b'{"a":' * 200 + b"1" + b"}" * 200)
    for _ in range(200):
        assert isinstance(deep, dict)
        deep = deep["a"]
    assert deep == 1
    assert load_plain(b"[" + b"[1], " * 500 + b"[]]") == [[1]] * 500 + [[]]
    text = "[{" * 300 + '"\\' + "[" * 300
    assert load_plain(json.dumps({"a": text, text: [text]}).encode()) == {"a": text, text: [text]}


def test_the_place_is_told_where_it_is_known() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        load_plain(b"[1, 2 3]")
    assert caught.value.pos == 6
