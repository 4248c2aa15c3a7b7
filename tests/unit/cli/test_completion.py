"""What a shell completes, asked as the script asks that `completion` prints; and manual pages."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from builders.commands import commands
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from pathlib import Path


def completed(line: str) -> list[str]:
    """By a real bash, which has loaded the script."""
    script = subprocess.run(
        [sys.executable, "-m", "teekit_verify", "completion", "bash"], check=True, capture_output=True, text=True
    ).stdout
    ask = (
        f'{script}\nteekit-verify() {{ {sys.executable} -m teekit_verify "$@"; }}\nexport -f teekit-verify\n'
        f'env() {{ command env "${{@:1:3}}" {sys.executable} -m teekit_verify; }}\n'
        f"COMP_WORDS=({line} ''); [[ '{line}' == *' ' ]] || COMP_WORDS=({line})\n"
        "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_teekit_verify_completion teekit-verify\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", ask], check=True, capture_output=True, text=True, env=dict(os.environ))
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("teekit-verify quo", ["quote"]),
        ("teekit-verify reference sh", ["show"]),
        ("teekit-verify quote --coll", ["--collateral"]),
        ("teekit-verify boot --accelerator k", ["kvm"]),
    ],
)
def test_bash_completes_commands_options_and_choices(line: str, words: list[str]) -> None:
    assert completed(line) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_TEEKIT_VERIFY_COMPLETE" in capsys.readouterr().out


def test_every_command_has_a_manual_page(tmp_path: Path) -> None:
    assert main(["man", "--output", str(tmp_path)]) == 0
    pages = {path.name for path in tmp_path.iterdir()}
    assert pages == {"-".join(("teekit-verify", *words)) + ".1" for words in commands()}


def test_a_page_has_no_other_requests_than_those_of_man(tmp_path: Path) -> None:
    """man(7): a line that begins with a dot or an apostrophe is a request; what is written here has none by accident."""
    assert main(["man", "--output", str(tmp_path)]) == 0
    for page in tmp_path.iterdir():
        text = page.read_text(encoding="utf-8")
        requests = {line.split()[0] for line in text.splitlines() if line.startswith((".", "'"))}
        assert {".TH", ".SH", ".B"} <= requests <= {".TH", ".SH", ".B", ".PP", ".TP"}
        assert r"\-h, \-\-help" in text or page.name == "teekit-verify-env-mkosi.1"
