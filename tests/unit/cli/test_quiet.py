"""`--quiet`: the line of the outcome, and the exit status."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from builders.commands import commands
from builders.uki import build_uki, kernel
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    import pytest

ASSETS = Path(__file__).parents[2] / "assets"
QUOTE = ASSETS / "eventlogs/gcp-cos113-quote.bin"
LOG = ASSETS / "eventlogs/gcp-cos113-ccel-data.bin"
OTHER_LOG = ASSETS / "eventlogs/ovmf-swtpm-uki.bin"


def image(path: Path, cmdline: bytes) -> str:
    path.write_bytes(build_uki(sections=[(".cmdline", cmdline), (".linux", kernel()), (".initrd", b"initrd")]))
    return str(path)


def test_every_command_with_json_has_it() -> None:
    found = {
        words
        for words, command in commands().items()
        for names in [{parameter.name for parameter in command.params}]
        if ("json_output" in names) != ("quiet" in names)
    }
    assert not found


def test_one_line_tells_the_outcome(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    a, b = image(tmp_path / "a.efi", b"quiet"), image(tmp_path / "b.efi", b"splash")
    unchecked = ["--allow-unchecked", "report-data,tcb,revocation"]
    for argv, status, begins in (
        (["quote", str(QUOTE)], 2, "NO VERDICT: "),
        (["quote", str(QUOTE), *unchecked], 0, "acceptable: YES"),
        (["quote", str(QUOTE), *unchecked, "--report-data", "01"], 1, "acceptable: NO"),
        (["replay", str(LOG), "--quote", str(QUOTE)], 0, ""),
        (["explain", a, b, "--no-diffoscope"], 1, "DIFFERENT: "),
        (["explain", a, a, "--no-diffoscope"], 0, "IDENTICAL: "),
    ):
        assert main([*argv, "--quiet"]) == status, argv
        shown = capfd.readouterr()
        assert len(shown.out.splitlines()) == 1, argv
        assert shown.out.startswith(begins)
        assert not shown.err
        assert main(argv) == status
        assert shown.out.strip() in capfd.readouterr().out


def test_what_claims_nothing_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    a = image(tmp_path / "a.efi", b"quiet")
    for command in ("measure", "inspect"):
        assert main([command, a, "-q"]) == 0
        assert capfd.readouterr().out == ""


def test_an_error_is_told_all_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["quote", str(OTHER_LOG), "--quiet"]) == 2
    assert "is an event log" in capfd.readouterr().err


def test_a_document_is_no_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["quote", str(QUOTE), "--quiet", "--json"]) == 2
    assert "--quiet and --json cannot be used together" in capfd.readouterr().err


def test_the_next_command_is_not_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    main(["quote", str(QUOTE), "--quiet"])
    capfd.readouterr()
    main(["quote", str(QUOTE)])
    assert len(capfd.readouterr().out.splitlines()) > 10
