"""Options that had two meanings have two names; the older name of each works, and no help shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.commands import commands, options_of
from builders.uki import build_uki
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMANDS = commands()
RENAMED = [
    (("measure",), "--direct-kernel", "--kernel"),
    (("compare",), "--vtpm-evidence", "--vtpm"),
    (("attest", "verify"), "--on", "--at"),
    (("reference", "verify"), "--on", "--at"),
]


def _help(words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*words, "--help"]) == 0
    return capsys.readouterr().out


def _options_shown(text: str) -> Iterator[str]:
    """Those that the help explains: an option stands at the beginning of a row."""
    for row in re.findall(r"^  (-[^ ].*?)(?:  |$)", text, re.MULTILINE):
        yield from re.findall(r"--[a-z0-9-]+", row)


@pytest.mark.parametrize(("words", "new", "old"), RENAMED)
def test_the_older_name_is_taken_and_not_shown(
    words: tuple[str, ...],
    new: str,
    old: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {new, old} <= options_of(COMMANDS[words])
    shown = set(_options_shown(_help(words, capsys, monkeypatch)))
    assert new in shown
    assert old not in shown


def test_no_name_has_two_meanings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`rebuild` and `fetch` choose a kernel by --kernel, `measure` machines by --vtpm, quotes are checked --at a time."""
    having: dict[str, set[str]] = {"--at": set(), "--kernel": set(), "--vtpm": set()}
    for words, command in COMMANDS.items():
        if words in {(), ("env", "mkosi")} or hasattr(command, "commands"):
            continue
        for option in having.keys() & set(_options_shown(_help(words, capsys, monkeypatch))):
            having[option].add(" ".join(words))
    assert having["--kernel"] >= {"rebuild", "fetch"}
    assert having["--at"] >= {"quote", "compare", "collateral fetch"}
    assert not having["--kernel"] & {"measure"}
    assert not having["--at"] & {"attest verify", "reference verify"}
    assert having["--vtpm"] == {"measure"}


def test_both_names_of_a_kernel_measure_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "vmlinuz")
    for name in ("--direct-kernel", "--kernel"):
        assert main(["measure", name, missing, "--edk2", "2025.02-8"]) == 2
        assert f"{missing}: cannot be read" in capsys.readouterr().err


def test_options_stand_under_their_headings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = _help(("measure",), capsys, monkeypatch)
    sections = dict(re.findall(r"^(\S.*):\n((?: +.*\n)+)", text, re.MULTILINE))
    assert set(_options_shown(sections["The machine, on QEMU"])) == {"--memory", "--cpus", "--edk2", "--qemu"}
    assert set(_options_shown(sections["Options"])) == {"--mrtd-order", "--debug", "--help"}
    assert list(sections)[-1] == "Options"


def test_groups_of_two_commands_are_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of a quote reads the same wherever one is given."""
    both = [
        text[text.index("REPORTDATA:") : text.index("\nOptions:")]
        for text in (_help((name,), capsys, monkeypatch) for name in ("quote", "compare"))
    ]
    assert both[0] == both[1]


def test_a_report_names_the_options_by_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "image.efi"
    image.write_bytes(build_uki())
    assert main(["measure", str(image), "--format", "pcrlock", "--pcrlock"]) == 2
    assert "give one of them" in capsys.readouterr().err
