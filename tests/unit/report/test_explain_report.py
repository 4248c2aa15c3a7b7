from __future__ import annotations

import io
import json
from dataclasses import replace

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.explanation.tree import Cause, Difference, Explanation, Kind
from teekit_verify.report import layout
from teekit_verify.report.explain_markdown import as_markdown
from teekit_verify.report.explain_report import render_explanation, show_explanation

CLOCK = Cause("time stamp", "a clock that was read", "Leave it out.")
EVIL = Difference(
    "etc/\x1b[31m\udcff",
    Kind.CONTENT,
    "text, 1 different line",
    a="one\x07",
    causes=(CLOCK,),
    excerpt=("-on\x1be", "+two", "-three"),
)


def many(count: int) -> Explanation:
    files = tuple(Difference(f"file{number}", Kind.CONTENT, "differs") for number in range(count))
    return Explanation(
        "a", "b", (Difference("x.efi", Kind.CONTENT, "UKI", children=(*files, EVIL)),), ("no\x1bte",) * 9
    )


def shown(explanation: Explanation) -> list[str]:
    stream = io.StringIO()
    show_explanation(explanation, layout.console(stream), more="report.json")
    return stream.getvalue().splitlines()


def test_equal_artifacts() -> None:
    assert shown(Explanation("a", "b")) == ["IDENTICAL: every byte of A and B is equal"]


def test_a_known_culprit_comes_first_and_nothing_foreign_reaches_the_terminal() -> None:
    assert shown(many(1)) == [
        "DIFFERENT: A and B differ in 2 places, the most telling first",
        r"  etc/\x1b[31m\udcff",
        "      text, 1 different line",
        "      usually time stamp: a clock that was read. Leave it out.",
        r"      A one\x07",
        "      B nothing",
        r"      -on\x1be",
        "      +two",
        "  file0",
        "      differs",
        *[r"note: no\x1bte"] * 4,
        "note: 5 more notes, in report.json",
    ]


def test_a_note_is_told_to_its_end() -> None:
    """It is a sentence, with names in it; one without end is cut."""
    note = f"{'folder/' * 20}file is not examined further"
    assert shown(replace(many(1), notices=(note,)))[-1] == f"note: {note}"
    assert len(shown(replace(many(1), notices=("x" * 5000,)))[-1]) < 400


def test_it_fits_a_screen_and_says_what_it_leaves_out() -> None:
    lines = shown(many(5000))
    assert len(lines) <= 24
    assert "  ... and 4995 more, in report.json" in lines


def test_one_line_for_each_cause_and_what_none_explains_is_on_the_screen() -> None:
    clocks = tuple(Difference(f"log{number}", Kind.CONTENT, "text", causes=(CLOCK,)) for number in range(50))
    other = Difference("draw", Kind.CONTENT, "text", causes=(Cause("random id", "drawn"),))
    code = Difference("section .text", Kind.CONTENT, "differs from offset 0x10 on")
    times = tuple(Difference(f"f{number}", Kind.METADATA, "mtime", "1970", "2026", (CLOCK,)) for number in range(8))
    field = Difference("mtime of 939 entries", Kind.METADATA, "differs", causes=(CLOCK,), children=times, count=939)
    top = Difference("x.efi", Kind.CONTENT, "UKI", children=(field, *clocks, other, code))
    lines = shown(Explanation("a", "b", (top,)))
    assert lines[0] == "DIFFERENT: A and B differ in 53 places, the most telling first"
    assert lines[1:8] == [
        "  mtime of 939 entries",
        "      first f0",
        "      usually time stamp: a clock that was read. Leave it out.",
        "      A 1970",
        "      B 2026",
        "      and 50 more with this cause (989 in all), in report.json",
        "  section .text",
    ]
    assert "  draw" in lines
    assert not any("more, in" in line for line in lines)


def test_causes_that_the_screen_has_no_room_for_are_named() -> None:
    causes = [Cause(f"cause{number}", "why") for number in range(9)]
    files = tuple(Difference(f"f{n}", Kind.CONTENT, "text", causes=(causes[n % 9],)) for n in range(18))
    lines = shown(Explanation("a", "b", (Difference("x", Kind.CONTENT, "UKI", children=files),)))
    assert lines[-2:] == [
        "  also cause4 (2), cause5 (2), cause6 (2), cause7 (2), cause8 (2)",
        "  ... and 10 more, in report.json",
    ]


def test_markdown_has_one_row_for_each_cause_and_nothing_foreign_leaves_its_cell() -> None:
    evil = replace(EVIL, what="text | `x`\n# heading")
    made = as_markdown(
        Explanation("a`b", "b|c", (Difference("x.efi", Kind.CONTENT, "UKI", children=(evil, evil)),), ("n|o",))
    )
    assert made.splitlines() == [
        "**DIFFERENT**: `a'b` and `b/c`",
        "",
        "| count | first place | what differs | usually | A | B |",
        "|---|---|---|---|---|---|",
        r"| 2 | `etc/\x1b[31m\udcff` | `text / 'x'\n# heading` | time stamp: a clock that was read. Leave it out. | `one\x07` |  |",
        "",
        "- note: `n/o`",
    ]
    assert as_markdown(Explanation("a", "b")) == "**IDENTICAL**: every byte of `a` and `b` is equal.\n"


def test_json_has_the_whole_tree() -> None:
    document = json.loads(render_explanation(many(100), ExitStatus.DOES_NOT_HOLD))
    assert (document["schema"], document["exit_status"]) == ("teekit-verify/explanation/v1", 1)
    (top,) = document["differences"]
    assert len(top["children"]) == 101
    assert top["children"][100] == {
        "name": "etc/\x1b[31m\\udcff",
        "kind": "content",
        "what": "text, 1 different line",
        "a": "one\x07",
        "b": "",
        "causes": [{"name": "time stamp", "usually": "a clock that was read", "advice": "Leave it out."}],
        "excerpt": ["-on\x1be", "+two", "-three"],
        "diffoscope": [],
        "children": [],
        "count": 1,
        "is_code": False,
        "section": "",
    }


def test_the_lines_of_diffoscope_reach_the_screen() -> None:
    """Those that changed, and that the excerpt does not show already."""
    lines = ("readelf --wide {}", "@@ -1,2 +1,2 @@", " the same", "-old symbol", "+\x1b[31mnew symbol", "-third")
    difference = Difference("x.so", Kind.CONTENT, "differs from offset 0x10 on", excerpt=("-third",), diffoscope=lines)
    text = shown(Explanation("A", "B", (difference,)))
    told = [line.strip() for line in text if "diffoscope: " in line]
    assert told[0] == "diffoscope: -old symbol"
    assert len(told) == 2
    assert "new symbol" in told[1]
    assert "\x1b" not in told[1]


def test_code_that_nothing_explains_is_on_the_screen_whatever_else_changed() -> None:
    """Behind a first group that fills the screen, and thousands of other unexplained contents."""
    told = replace(EVIL, causes=(CLOCK,) * 40)
    texts = tuple(Difference(f"a{number}", Kind.CONTENT, "text, 1 different line") for number in range(3000))
    code = Difference("usr/bin/tool: .text", Kind.CONTENT, "1 different byte", is_code=True)
    text = shown(Explanation("a", "b", (Difference("x", Kind.CONTENT, "UKI", children=(told, *texts, code)),)))
    assert "  usr/bin/tool: .text" in text
    assert len(text) <= 24


def test_no_path_is_the_last_line_without_what_differs_there() -> None:
    """Five lines for each cause: of 16 one is left after three of them."""
    causes = [Cause(f"cause{number}", "why") for number in range(5)]
    one = Difference("f0", Kind.CONTENT, "text", "1", "2", (causes[0],))
    four = [Difference(f"f{number}", Kind.CONTENT, "text", "1", "", (causes[number],)) for number in range(1, 5)]
    lines = shown(Explanation("a", "b", (Difference("x", Kind.CONTENT, "UKI", children=(one, *four)),)))
    assert "  f4" not in lines
    assert lines[-2:] == ["  also cause3 (1), cause4 (1)", "  ... and 2 more, in report.json"]
