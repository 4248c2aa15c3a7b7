"""Help as it is read in a terminal of 80 columns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from builders.commands import commands
from teekit_verify.cli import app
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from teekit_verify.cli.lazy import Entry

COMMANDS = commands()
GROUPS = [words for words, command in COMMANDS.items() if hasattr(command, "commands")]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_what_each_command_does_is_told_in_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out.partition("Options:\n")[2].partition("\n\n")[2]
    listed = [line for line in shown.splitlines() if re.match(r"  \S", line) and "Exit status:" not in line]
    listed = [line for line in listed if not line.startswith("  reached.")]
    assert len(listed) == len(COMMANDS[words].commands)
    for line in listed:
        assert re.fullmatch(r"  [a-z-]+ +[A-Z].*[^.]\.", line), f"cut off, or no sentence: {line}"


@pytest.mark.parametrize(
    "entry", [entry for entries in app.COMMANDS.values() for entry in entries], ids=lambda e: e.name
)
def test_the_list_of_commands_says_what_each_says_of_itself(entry: Entry) -> None:
    """The list is a table, so that showing it imports no command."""
    first = re.split(r"(?<=\.)\s", COMMANDS[entry.name,].help)[0]
    assert " ".join(first.split()) == entry.summary


@pytest.mark.parametrize("words", [(), ("quote",), ("reference", "show")], ids=" ".join)
def test_help_is_asked_for_in_three_ways(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    for way in ([*words, "-h"], ["help", *words]):
        assert main(way) == 0
        assert capsys.readouterr().out == shown


@pytest.mark.parametrize("words", [words for words in COMMANDS if words not in GROUPS], ids=" ".join)
def test_a_commands_parameters_are_named_by_what_they_take(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--output FILE` and not `--output <path>`; of arguments, `FILE` and not `file`. `env mkosi` has mkosi's help."""
    for parameter in COMMANDS[words].params:
        assert parameter.help, parameter.name
    if words == ("env", "mkosi"):
        return
    assert main([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    kinds = re.findall(r"^  (?:-\w, )?--[\w-]+(?:, --[\w-]+)* (\S+)", shown, re.MULTILINE)
    assert [kind for kind in kinds if not re.fullmatch(r"[A-Z]+|<\w+(\|\w+)+>|/", kind)] == []
    arguments = shown.partition("Arguments:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  ([a-z]\S*)", arguments, re.MULTILINE) == []
    assert re.findall(r"^  \S+ (<\S*\[\S*>)", arguments, re.MULTILINE) == []
    assert max(map(len, shown.splitlines())) <= 80
    assert not re.search(r"\w-$", shown, re.MULTILINE), "a line ends within a name that somebody will copy"
    assert shown.isascii()


def test_help_of_a_command_whose_own_help_option_is_another_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "env", "mkosi"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: teekit-verify env mkosi [OPTIONS] {ARGUMENTS}...")
    assert "by mkosi's own command line" in said
