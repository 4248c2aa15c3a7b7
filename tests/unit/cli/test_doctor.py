"""`doctor`: what it prints and how it ends, for hosts that lack this and that."""

from __future__ import annotations

import json

import pytest

from teekit_verify.cli.app import main
from teekit_verify.rebuild import host
from teekit_verify.rebuild.host import Finding, Purpose

NIX = Finding("nix", Purpose.REBUILD, present=True, detail="nix (Nix) 2.8.0")
NO_NIX = Finding("nix", Purpose.REBUILD, present=False, detail="the program 'nix' is not installed", installable=True)
NO_SWTPM = Finding(
    "swtpm", Purpose.BOOT, present=False, detail="the program 'swtpm' is not installed", installable=True
)
NO_DIFFOSCOPE = Finding(
    "diffoscope", Purpose.EXPLAIN, present=False, detail="the program 'diffoscope' is not installed", installable=True
)
NO_DISK = Finding("disk", Purpose.REBUILD, present=False, detail="1.0 GiB\nfree", hint="Free some space.")


def has(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(host, "examine", lambda _: list(findings))


def test_all_there(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    has(monkeypatch, NIX)
    assert main(["doctor"]) == 0
    item, empty, conclusion = capsys.readouterr().out.splitlines()
    assert item.split(maxsplit=3) == ["nix", "found", "rebuild", "nix (Nix) 2.8.0"]
    assert (empty, conclusion) == ("", "a rebuild can start")


@pytest.mark.parametrize(
    ("findings", "status", "command"),
    [
        ((NIX, NO_SWTPM), 0, "scripts/setup_deps.sh --tests"),
        ((NO_NIX,), 1, "scripts/setup_deps.sh"),
        ((NIX, NO_DIFFOSCOPE), 0, "scripts/setup_deps.sh"),
        ((NO_SWTPM, NO_DIFFOSCOPE), 0, "scripts/setup_deps.sh --tests"),
        ((NO_NIX, NO_SWTPM), 1, "scripts/setup_deps.sh"),
        ((NIX, NO_DISK), 1, None),
        ((NIX,), 0, None),
    ],
)
def test_the_one_command_and_the_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    findings: tuple[Finding, ...],
    status: int,
    command: str | None,
) -> None:
    has(monkeypatch, *findings)
    assert main(["doctor", "--json"]) == status
    document = json.loads(capsys.readouterr().out)
    assert document["command"] == command
    assert document["ready"] is (status == 0)
    assert [item["present"] for item in document["items"]] == [finding.present for finding in findings]


def test_what_no_package_mends_has_its_own_advice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    has(monkeypatch, NO_NIX, NO_DISK)
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "disk                 MISSING  rebuild  1.0 GiB free",
        "",
        "disk: Free some space.",
        "to install what is missing: scripts/setup_deps.sh",
        "a rebuild cannot start yet",
    ]


def test_the_same_advice_is_given_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    has(monkeypatch, NO_DISK, Finding("overlay", Purpose.REBUILD, present=False, detail="no", hint="Free some space."))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines()[3:] == ["disk, overlay: Free some space.", "a rebuild cannot start yet"]
