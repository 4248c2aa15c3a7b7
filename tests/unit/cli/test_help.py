"""Help as it is read in a terminal of 80 columns."""

from __future__ import annotations

import re

import pytest

from builders.commands import commands
from teekit_verify.cli.app import main

COMMANDS = commands()
GROUPS = [words for words, command in COMMANDS.items() if hasattr(command, "commands")]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_what_each_command_does_is_told_in_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(listed) == len(COMMANDS[words].commands)
    for line in listed:
        assert re.fullmatch(r"  [a-z]+ +[A-Z].*[^.]\.", line), f"cut off, or no sentence: {line}"


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
    assert max(map(len, shown.splitlines())) <= 80
