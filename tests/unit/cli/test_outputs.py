"""A place that cannot be written is refused before a command does anything, whatever the command and whichever the option."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from builders.commands import commands
from teekit_verify.cli.app import main

COMMANDS = commands()
FILES = [
    *("compare --html", "compare --sarif", "guest --html", "guest --sarif", "quote --html", "attest verify --html"),
    *("release diff --html", "release diff --sarif", "explain --html", "explain --output", "inspect --sarif"),
    *("rebuild --sarif", "boot --save-log", "measure --output", "report --output", "release sbom --output"),
    *("reference create --output", "reference add --output", "lock --output", "env lock --output"),
]
FOLDERS = [
    *("rebuild --output", "rebuild --workspace", "audit --output", "inputs create --output", "site --output"),
    *("collateral fetch --output", "man --output", "attest sign --output", "attest create --output"),
    *("attest export --rebuilderd-link", "attest export --sigstore-bundle", "attest export --verification-summary"),
    *("rebuilderd sync --output", "rebuilderd backend --output", "rebuilderd backend --outdir"),
]
READ = {
    *("against", "app", "azure_root", "beside", "claims", "direct_kernel", "endorsement", "eventlog", "firmware"),
    *("google_root", "ima", "initrd", "key", "lock_file", "manifest", "measurements", "nonce", "passphrase_file"),
    *("public_key", "publisher_keys", "quote", "reference", "reports", "runtime_log", "shared", "signature", "table"),
    *("trusted_keys", "trusted_root", "vtpm_evidence", "vtpm_issuer", "vtpm_key", "vtpm_root"),
}
"""Parameters for what is read, and may turn out not to be there."""


def _split(option: str) -> tuple[tuple[str, ...], str]:
    *words, name = option.split()
    return tuple(words), name


def _is_place(parameter: Any) -> bool:
    return parameter.param_type_name == "option" and "Path" in str(parameter.type_descriptor.annotation)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "folder"))
    return tmp_path


def test_every_option_that_names_a_place_is_known() -> None:
    """One that is new is read, and put above, or written, and tried below."""
    found = {
        f"{' '.join(words)} {parameter.opts[-1]}"
        for words, command in COMMANDS.items()
        for parameter in command.params
        if _is_place(parameter) and parameter.name not in READ and not parameter.type_descriptor.parameter_info.exists
    }
    folders_that_are_read = {f"release {name} --folder" for name in ("list", "show", "sbom")}
    assert found == {*FILES, *FOLDERS} | folders_that_are_read


def _mistaken(option: str, value: str) -> list[str]:
    """A command line whose inputs are there, and none of them right."""
    words, name = _split(option)
    line = [*words]
    for parameter in COMMANDS[words].params:
        if parameter.required and parameter.opts[-1] != name:
            is_number = parameter.type_descriptor.annotation is int
            fit = "1" if is_number else "folder" if parameter.metavar in {"DIR", "REPORT"} else "text"
            line += [fit] if parameter.param_type_name == "argument" else [parameter.opts[-1], fit]
    return [*line, name, value]


@pytest.mark.parametrize("option", [*FILES, *FOLDERS])
def test_it_is_the_first_that_is_said(option: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    assert main(_mistaken(option, "text/out")) == 2
    assert (
        capsys.readouterr().err == "error: text/out: cannot be written: Not a directory\nhint: Name a writable place.\n"
    )
    assert sorted(place.rglob("*")) == before
    assert (place / "text").read_text() == "hello\n"


@pytest.mark.parametrize("option", [one for one in FILES if one not in {"lock --output", "env lock --output"}])
def test_the_folder_of_a_file_has_to_be_there(option: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(_mistaken(option, "none/out")) == 2
    assert capsys.readouterr().err == (
        "error: none/out: cannot be written: No such file or directory\n"
        "hint: Create its folder first, or name another place.\n"
    )
    assert not (place / "none").exists()


def test_what_others_own_in_a_folder_for_all_stays(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in /tmp: its file can be opened by no other name either (unlink(2), EPERM)."""
    (place / "folder").chmod(0o1777)
    (place / "folder/report.html").write_text("another's")
    monkeypatch.setattr(os, "geteuid", lambda: (place / "folder").stat().st_uid + 1)
    assert main(["explain", "text", "text", "--html", "folder/report.html"]) == 2
    assert "error: folder/report.html: cannot be written: Operation not permitted\n" in capsys.readouterr().err
    assert (place / "folder/report.html").read_text() == "another's"


def test_an_earlier_report_is_what_it_was_when_the_work_fails(place: Path) -> None:
    (place / "page.html").write_text("yesterday's")
    assert main(["quote", "text", "--html", "page.html"]) == 2
    assert (place / "page.html").read_text() == "yesterday's"
    assert sorted(path.name for path in place.iterdir()) == ["folder", "page.html", "text"]


def test_a_name_that_is_too_long_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["man", "--output", "x" * 256]) == 2
    assert "cannot be written: File name too long\n" in capsys.readouterr().err
