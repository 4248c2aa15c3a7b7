"""The launcher where things go wrong. tests/integration/test_guest_kettles.py has it start real kettles."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
from typing import TYPE_CHECKING

import pytest

from builders.http import serve
from builders.metadata import always
from teekit_guest import launcher, layout, log, wait_for_port
from teekit_guest.refusal import shown

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"export default {}"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of a machine with one app in it, and a systemctl for which every unit starts and none fails."""
    app = tmp_path / "app.js"
    app.write_bytes(CONTENT)
    manifest = json.dumps({"app": app.as_uri(), "sha256": hashlib.sha256(CONTENT).hexdigest()})
    (tmp_path / "manifest.json").write_text(manifest)
    monkeypatch.setenv("MANIFEST", base64.b64encode(manifest.encode()).decode())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(layout, "DEFAULT_MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(layout, "KETTLE_FOLDERS", tmp_path / "kettle")
    monkeypatch.setattr(layout, "KETTLE_LOG", tmp_path / "kettle.log")
    monkeypatch.setattr(layout, "KETTLE_ERROR_LOG", tmp_path / "kettle-error.log")
    monkeypatch.setattr(launcher, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(launcher, "PAUSE_SECONDS", 0.01)
    systemctl(tmp_path)
    return tmp_path


def systemctl(machine: Path, *, start: str = "exit 0", is_failed: str = "exit 1") -> None:
    script = f'#!/bin/sh\necho "$@" >>{machine}/calls\ncase $2 in start) {start} ;; is-failed) {is_failed} ;; esac\n'
    (machine / "systemctl").write_text(script)
    (machine / "systemctl").chmod(0o755)


def errors(machine: Path) -> list[str]:
    return [line.split("kettle-launcher: ")[1] for line in (machine / "kettle-error.log").read_text().splitlines()]


@pytest.mark.parametrize("answer", [200, 500])
def test_a_kettle_counts_when_its_answer_is_good(machine: Path, monkeypatch: pytest.MonkeyPatch, answer: int) -> None:
    with serve() as server:
        monkeypatch.setattr(layout, "FIRST_PORT", server.server_address[1])
        server.answers[launcher.HEALTH] = always(answer)
        assert launcher.main() == (0 if answer == 200 else 1)
        port = server.server_address[1]
    assert (
        (machine / "calls")
        .read_text()
        .startswith("--quiet start kettle@0.service\n--quiet is-failed kettle@0.service\n")
    )
    assert (machine / "kettle/0/app/app.js").read_bytes() == CONTENT
    assert (machine / "kettle/0/environment").read_text() == f"PORT={port}\nDATABASE_PORT=4001\n"
    text = f"no good answer on port {port} in 0.05 s, see {machine}/kettle-error.log"
    assert errors(machine) == ([] if answer == 200 else [f"kettle 0 is not started: {text}"])


def test_nobody_answers(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        monkeypatch.setattr(layout, "FIRST_PORT", probe.getsockname()[1])
    assert launcher.main() == 1
    assert "no good answer on port" in errors(machine)[0]


def test_a_service_that_does_not_start(machine: Path) -> None:
    systemctl(machine, start="echo 'Unit not\n found' >&2; exit 5")
    assert launcher.main() == 1
    assert errors(machine) == ["kettle 0 is not started: systemctl start failed: Unit not found"]


def test_a_service_that_fails_later(machine: Path) -> None:
    systemctl(machine, is_failed="exit 0")
    assert launcher.main() == 1
    assert errors(machine) == [f"kettle 0 is not started: its service has failed, see {machine}/kettle-error.log"]


def test_metadata_that_is_refused_starts_nothing(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MANIFEST", "," * 16)
    assert launcher.main() == 1
    why = "manifest holds 17 manifests, and there are 16 kettles"
    assert errors(machine) == [f"refused: {why}; no kettle is started"]
    assert capsys.readouterr().out == f"\nteekit: no kettle is started: {why}\n"
    monkeypatch.setenv("MANIFEST", "")
    assert launcher.main() == 1
    assert errors(machine)[1] == "kettle 0 is not started: there is no manifest for it"
    assert capsys.readouterr().out == "\nteekit: kettle 0 is not started: there is no manifest for it\n"
    assert not (machine / "calls").exists()


def test_what_nobody_thought_of_is_one_kettles_trouble(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MANIFEST")
    (machine / "manifest.json").unlink()
    assert launcher.main() == 1
    assert errors_with_traceback(machine).startswith("kettle 0 is not started\nTraceback")
    assert capsys.readouterr().out == "\nteekit: kettle 0 is not started: FileNotFoundError\n"


def errors_with_traceback(machine: Path) -> str:
    return (machine / "kettle-error.log").read_text().split("kettle-launcher: ", 1)[1]


def test_a_log_that_cannot_be_opened_is_done_without(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with log.opened("test", (tmp_path / "missing/log", 0)) as logger:
        logger.info("all the same")
    assert (
        capsys.readouterr().err
        == f"{tmp_path}/missing/log cannot be written: No such file or directory\nall the same\n"
    )


def test_waiting_for_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_for_port, "SECONDS", 0.02)
    monkeypatch.setattr(wait_for_port, "PAUSE_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert wait_for_port.main([port]) == 0
    assert wait_for_port.main([port]) == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\nb", r"'a\nb'"),
        (b"\xff\x1b[31m", r"'\ufffd\x1b[31m'"),
        ("é" * 61, "'" + r"\xe9" * 60 + "'..."),
        (ValueError("x"), "'x'"),
    ],
)
def test_foreign_values_in_messages(value: object, expected: str) -> None:
    assert shown(value) == expected
