"""diffoscope itself where it is installed, and stand-ins for it that misbehave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from builders.cpio import Entry
from builders.explain import uki_with
from builders.standins import StandIns
from builders.tools import require
from teekit_verify.explanation import diffoscope
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import Explanation, culprits


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "a.efi", tmp_path / "b.efi"
    for path, byte in zip(paths, b"\1\2", strict=True):
        path.write_bytes(uki_with(Entry("usr/lib/x/odd \x1b[31mname.bin", bytes(100) + bytes([byte]) + bytes(100))))
    (tmp_path / "scratch").mkdir()
    return paths


def run(pair: tuple[Path, Path]) -> Explanation:
    scratch = pair[0].parent / "scratch"
    found = explain(*pair, folder=scratch)
    assert list(scratch.iterdir()) == []
    return found


def test_it_looks_at_the_leaves_in_a_sandbox(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    require("diffoscope")
    require("bwrap")
    monkeypatch.setattr(diffoscope, "_SECONDS", 600)
    found = run(pair)
    (leaf,) = culprits(found.differences)
    # As xxd shows it, which diffoscope takes where it is installed, or in 32 bytes a line: without their spaces, and the offset.
    shown = [re.sub(r"^([-+])(00000060: )?", r"\1", line).replace(" ", "") for line in leaf.difference.diffoscope]
    (before,) = [line for line in shown if line.startswith("-0")]
    (after,) = [line for line in shown if line.startswith("+0")]
    assert before[1:].startswith("0000000001000000" + 16 * "0")
    assert after[1:].startswith("0000000002000000" + 16 * "0")


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    made = StandIns.make(tmp_path / "bin")
    made.add("diffoscope")
    monkeypatch.setenv("PATH", str(made.folder))
    return made


def bubblewrap(stand_ins: StandIns, report: str, status: int = 1) -> None:
    """In place of the sandbox and what runs in it: this report."""
    stand_ins.add("bwrap", f'cat <<"E"\n{report}\nE\nexit {status}')


def notices(found: Explanation) -> list[str]:
    assert found.differences
    return [notice.partition("name.bin: ")[2] or notice for notice in found.notices]


def test_what_it_lacks_is_said(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    """A comment of diffoscope 240, comparators/binary.py."""
    comment = "'xxd' not available in path. Falling back to Python hexlify implementation."
    details = {"source1": "strings", "source2": "strings", "unified_diff": "@@ -1 +1 @@\n-one\n+two\n"}
    bubblewrap(stand_ins, json.dumps({"source1": "a", "comments": [comment, "ELF"], "details": [details]}))
    found = run(pair)
    (leaf,) = culprits(found.differences)
    assert leaf.difference.diffoscope == ("ELF", "strings", "@@ -1 +1 @@", "-one", "+two")
    assert notices(found) == [comment]
    assert r"diffoscope, on usr/lib/x/odd \x1b[31mname.bin: " in found.notices[0]


def test_how_it_is_called(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    bubblewrap(stand_ins, "{}")
    run(pair)
    (call,) = stand_ins.calls
    for part in ("--unshare-all", "--clearenv", "--cap-drop ALL", "--as=2147483648", "--cpu=20", "--max-report-size"):
        assert part in call
    assert call.endswith("/compared/a/odd___31mname.bin /compared/b/odd___31mname.bin")
    assert f"--ro-bind {stand_ins.folder.parent} {stand_ins.folder.parent}" in call  # where this diffoscope lives


@pytest.mark.parametrize(
    ("report", "status", "notice"),
    [
        ("{", 1, "its report cannot be read: Expecting property name"),
        ("[" * 100_000, 1, "its report cannot be read: nested too deeply"),
        ("{}", 2, "failed with exit status 2"),
    ],
)
def test_a_diffoscope_that_fails(
    pair: tuple[Path, Path], stand_ins: StandIns, report: str, status: int, notice: str
) -> None:
    bubblewrap(stand_ins, report, status)
    (found,) = run(pair).notices
    assert found.endswith(r": diffoscope gave up on usr/lib/x/odd \x1b[31mname.bin")
    assert notice in found


def test_a_diffoscope_that_does_not_end(
    pair: tuple[Path, Path], stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diffoscope, "_SECONDS", 0.2)
    stand_ins.add("bwrap", "exec sleep 60")
    assert "did not finish within 0.2 s" in run(pair).notices[0]


def test_a_diffoscope_that_sees_no_difference(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    stand_ins.add("bwrap", "exit 0")
    assert run(pair).notices == (r"diffoscope sees no difference in usr/lib/x/odd \x1b[31mname.bin",)


@pytest.mark.parametrize("missing", ["diffoscope", "bwrap"])
def test_without_it_or_its_sandbox(pair: tuple[Path, Path], stand_ins: StandIns, missing: str) -> None:
    stand_ins.add("bwrap")
    (stand_ins.folder / missing).unlink()
    assert run(pair).notices == (
        (
            f"the program '{missing}' is not installed: diffoscope was not run. "
            "Run scripts/setup_deps.sh, or give --no-diffoscope."
        ),
    )


def test_only_so_many_files(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    bubblewrap(stand_ins, "{}")
    for path, byte in zip(pair, b"\1\2", strict=True):
        path.write_bytes(uki_with(*(Entry(f"f{number}", bytes([0, byte])) for number in range(12))))
    assert run(pair).notices == ("too large, or too many: of 12 files, diffoscope was run on 8 alone",)
    assert len(stand_ins.calls) == 8


def test_it_is_not_asked_again_and_again_when_it_fails(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    stand_ins.add("bwrap", "exit 2")
    for path, byte in zip(pair, b"\1\2", strict=True):
        path.write_bytes(uki_with(*(Entry(f"f{number}", bytes([0, byte])) for number in range(5))))
    assert len(run(pair).notices) == 3
    assert len(stand_ins.calls) == 2


def test_text_that_is_shown_whole_needs_no_second_look(pair: tuple[Path, Path], stand_ins: StandIns) -> None:
    for path, text in zip(pair, (b"one\n", b"two\n"), strict=True):
        path.write_bytes(uki_with(Entry("etc/x", text)))
    assert run(pair).notices == ()


PRISONER = """\
seen() { printf '"%s", ' "$1"; }
{
    printf '{"comments": ['
    [ ! -e /etc/passwd ] || seen "the host's /etc"
    [ ! -e /home ] || seen "the host's /home"
    [ ! -e /sys ] || seen "the host's /sys"
    ! grep -q : /proc/net/route || seen "a route"
    [ "$(grep -c : /proc/net/dev)" = 1 ] || seen "another network device than lo"
    ! touch /compared/a/x 2>/dev/null || seen "its inputs, to write to"
    ! touch /compared/x /result/x /usr/x 2>/dev/null || seen "a place to write to"
    [ -z "$SECRET" ] || seen "the environment"
    [ "$(echo /proc/[0-9]* | wc -w)" -lt 9 ] || seen "the host's processes"
    [ "$(ulimit -v)" = 2097152 ] || seen "all memory"
    [ "$(ulimit -t)" = 20 ] || seen "all time"
    printf '"it ran"]}'
}
exit 1
"""


def test_what_runs_in_the_sandbox_sees_nothing_of_the_host(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = StandIns.make(tmp_path / "bin")
    (made.folder / "bwrap").symlink_to(require("bwrap"))
    (made.folder / "diffoscope").write_text(f"#!/bin/sh\n{PRISONER}")
    (made.folder / "diffoscope").chmod(0o755)
    monkeypatch.setenv("PATH", str(made.folder))
    monkeypatch.setenv("SECRET", "x")
    found = run(pair)
    assert found.notices == ()
    (leaf,) = culprits(found.differences)
    assert leaf.difference.diffoscope == ("it ran",)
