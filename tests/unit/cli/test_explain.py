from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from builders.cpio import Entry
from builders.explain import uki_with
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    paths = [tmp_path / side / "image.efi" for side in "AB"]
    for path, minute in zip(paths, (b"05:10", b"05:17"), strict=True):
        path.parent.mkdir()
        path.write_bytes(uki_with(Entry("etc/built", b"at " + minute + b"\n")))
    return [str(path) for path in paths]


def test_a_difference_is_named_with_its_cause(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *pair]) == ExitStatus.DOES_NOT_HOLD
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["DIFFERENT: A and B differ in 1 place", "  section .initrd > etc/built"]
    assert lines[3].startswith("      usually time stamp: a clock that was read during the build.")
    assert lines[-2:] == ["      -at 05:10", "      +at 05:17"]


def test_json(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json", "--no-diffoscope", *pair]) == ExitStatus.DOES_NOT_HOLD
    document = json.loads(capsys.readouterr().out)
    assert (document["a"], document["b"]) == tuple(pair)
    assert document["differences"][0]["children"][0]["children"][0]["name"] == "etc/built"
    assert main(["explain", "--json", pair[0], pair[0]]) == ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_status"], document["differences"]) == (0, [])


def test_markdown_and_a_file(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--no-diffoscope", "--markdown", *pair]) == ExitStatus.DOES_NOT_HOLD
    printed = capsys.readouterr().out
    assert "| 1 | `section .initrd > etc/built` |" in printed
    for options, name in (["--markdown"], "x.md"), ([], "x.txt"), (["--json"], "x.json"):
        command = ["explain", "--no-diffoscope", *options, *pair, "--output", str(tmp_path / name)]
        assert main(command) == ExitStatus.DOES_NOT_HOLD
        assert capsys.readouterr().out == ""
    assert (tmp_path / "x.md").read_text() == printed
    assert (tmp_path / "x.txt").read_text().startswith("DIFFERENT: A and B differ in 1 place\n")
    assert json.loads((tmp_path / "x.json").read_text())["exit_status"] == 1
    assert main(["explain", "--json", "--markdown", *pair]) == ExitStatus.NO_VERDICT


def test_equal_files(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", pair[0], pair[0]]) == ExitStatus.HOLDS
    assert capsys.readouterr().out == "IDENTICAL: every byte of A and B is equal\n"


@pytest.mark.parametrize(("option", "before"), [("--no-diffoscope", "note: "), ("--markdown", "- note: `")])
def test_equal_folders_say_what_was_not_compared(
    option: str, before: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "AB":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"1")
    os.utime(tmp_path / "B/file", (1, 1))
    assert main(["explain", option, str(tmp_path / "A"), str(tmp_path / "B")]) == ExitStatus.HOLDS
    printed = " ".join(capsys.readouterr().out.split())
    assert "every byte of" in printed
    assert f"{before}of folders, times, owners, extended attributes" in printed


def test_without_diffoscope_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in (("a", b"\0\1"), ("b", b"\0\2")):
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert main(["explain", *arguments]) == ExitStatus.DOES_NOT_HOLD
    assert "note: the program 'diffoscope' is not installed: diffoscope was not run. " in capsys.readouterr().out
    assert main(["explain", "--no-diffoscope", *arguments]) == ExitStatus.DOES_NOT_HOLD
    assert "note: " not in capsys.readouterr().out


def test_what_holds_nothing_that_can_be_read_is_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two files in gzip (RFC 1952) whose blocks are of the reserved type 3, and a folder in which a text differs as well."""
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x07"
    for side, end in (("a", b"\1"), ("b", b"\2")):
        (tmp_path / side).mkdir()
        (tmp_path / side / "x.gz").write_bytes(head + end * 99)
    files = [str(tmp_path / side / "x.gz") for side in "ab"]
    assert main(["explain", "--no-diffoscope", *files]) == ExitStatus.NO_VERDICT
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NOT COMPARED: A and B have different bytes, and what they hold could not be read"
    assert lines[2].startswith("      not compared: A and B cannot be read: ")
    assert main(["explain", "--no-diffoscope", "--json", *files]) == ExitStatus.NO_VERDICT
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_status"], document["differences"][0]["kind"]) == (2, "not compared")
    assert main(["explain", "--no-diffoscope", "--markdown", *files]) == ExitStatus.NO_VERDICT
    assert capsys.readouterr().out.startswith("**NOT COMPARED**: ")
    for side in "ab":
        (tmp_path / side / "x.txt").write_text(f"{side}\n")
    assert main(["explain", "--no-diffoscope", str(tmp_path / "a"), str(tmp_path / "b")]) == ExitStatus.DOES_NOT_HOLD
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "DIFFERENT: A and B differ in 1 place; 1 more could not be read, and was not compared"


def test_what_cannot_be_read(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "none"
    for file, problem in ((other, f"{other}: cannot be read: "), (tmp_path, f"{tmp_path} is a folder, and what it is")):
        assert main(["explain", pair[0], str(file)]) == ExitStatus.NO_VERDICT
        assert f"error: {problem}" in capsys.readouterr().err


def test_no_place_for_temporary_files(
    pair: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("tempfile.mkdtemp", full)
    assert main(["explain", *pair]) == ExitStatus.NO_VERDICT
    assert "error: cannot compare the files: No space left on device" in capsys.readouterr().err
