"""What a screen has room for: cut where it is seen, counted, and what matters least first."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from teekit_verify.report.console import Text
from teekit_verify.report.rebuild.blocks import Block, allotted, brief, clipped, listed


def lines(count: int) -> list[Text]:
    return [Text(f"line {number}") for number in range(count)]


def shown(block: Block, rows: int) -> list[str]:
    return [line.plain for line in block.shown(rows)]


@pytest.mark.parametrize(
    ("name", "columns", "text"),
    [
        ("short", 5, "short"),
        ("abcdefghij", 9, "abc...hij"),
        ("abcdefghij", 8, "abc...ij"),
        ("漢字漢字漢字", 9, "漢...字"),  # each is two columns wide
        ("a\x1b[2J", 20, r"a\x1b[2J"),
        ("e\u0301\u0301\u0301\u0301\u0301", 5, "e...\u0301"),
    ],
)
def test_a_long_name_keeps_its_beginning_and_its_end(name: str, columns: int, text: str) -> None:
    assert brief(name, columns) == text
    assert cell_len(brief(name, columns)) <= columns


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        (20, "tdx, azure, gcp"),
        (15, "tdx, azure, gcp"),
        (14, "tdx and 2 more"),
        (13, "3 platforms"),
        (0, "3 platforms"),
    ],
)
def test_a_long_list_ends_in_a_count(columns: int, text: str) -> None:
    assert listed(["tdx", "azure", "gcp"], columns, "platforms") == text


def test_a_list_of_one_is_that_one() -> None:
    assert listed(["abcdefghij"], 9, "platforms") == "abc...hij"
    assert listed([], 9, "platforms") == ""


def test_a_wide_line_is_clipped() -> None:
    assert clipped(Text("abcdefghij"), 10).plain == "abcdefghij"
    assert clipped(Text("abcdefghij"), 9).plain == "abcdef..."


def test_what_is_left_out_of_a_block_is_counted() -> None:
    block = Block(lines(5), "platforms", "different", weighty=3)
    assert shown(block, 5) == [f"line {number}" for number in range(5)]
    assert shown(block, 4) == ["line 0", "line 1", "line 2", "and 2 more platforms: see the report"]
    assert shown(block, 2) == ["line 0", "and 4 more platforms, 2 of them different: see the report"]
    assert shown(block, 1) == ["5 platforms, 3 of them different: see the report"]
    assert shown(block, 0) == []


def test_of_a_log_the_end_is_shown() -> None:
    log = Block(lines(9), is_log=True)
    assert shown(log, 4) == ["line 0", "and 6 more lines: see the report", "line 7", "line 8"]
    assert shown(log, 2) == ["line 0", "and 8 more lines: see the report"]


def test_weighty_lines_get_their_rows_before_all_others() -> None:
    blocks = {
        "time": Block(lines(1), least=0),
        "platforms": Block(lines(9), weighty=3),
        "causes": Block(lines(5), weighty=5, least=2),
    }
    assert allotted(blocks, 20) == {"time": 1, "platforms": 9, "causes": 5}
    assert allotted(blocks, 12) == {"time": 1, "platforms": 6, "causes": 5}
    assert allotted(blocks, 10) == {"time": 1, "platforms": 4, "causes": 5}
    assert allotted(blocks, 9) == {"time": 0, "platforms": 4, "causes": 5}  # three, and a row that counts the others
    assert allotted(blocks, 7) == {"time": 0, "platforms": 4, "causes": 3}
    assert allotted(blocks, 3) == {"time": 0, "platforms": 1, "causes": 2}


def test_a_block_has_no_more_rows_than_it_may() -> None:
    assert allotted({"warnings": Block(lines(9), most=4)}, 20) == {"warnings": 4}
