"""`boot` through main(argv), with stand-ins for QEMU and swtpm that play a recorded boot."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from builders import fake_machine
from builders.published_schemas import problems
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.boot import capture, proof, qemu
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.files import read_log
from teekit_verify.prediction.uki import Prediction

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def uki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    programs = tmp_path / "bin"
    programs.mkdir()
    fake_machine.install(programs)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    firmware = qemu.Firmware(tmp_path / "code.fd", tmp_path / "variables.fd")
    firmware.code.touch()
    firmware.variables.touch()
    monkeypatch.setattr(qemu, "find_firmware", lambda: firmware)
    monkeypatch.setattr(capture, "_POLL_SECONDS", 0.01)
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    return path


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Predict what the recorded boot measured, whatever the UKI."""
    events = read_log(fake_machine.RECORDED_LOG).events
    predictions = [
        Prediction(register, tuple(event for event in events if event.register == register))
        for register in proof.PROVEN
    ]
    monkeypatch.setattr(proof, "predict_uki", lambda *_, **__: predictions)


def test_a_boot_as_predicted(uki: Path, right: None, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "log"
    assert main(["boot", str(uki), "--accelerator", "tcg", "--save-log", str(saved)]) is ExitStatus.HOLDS
    out, err = capsys.readouterr()
    assert out.splitlines()[-1].startswith("EQUAL: every predicted event is the one the firmware measured")
    assert "PCR4 3" in out
    assert "= 3d6772b4f84ed475" in out
    recorded = json.loads(fake_machine.RECORDED_PCRS.read_text())
    for bank in ("sha256", "sha384"):
        for register in ("PCR4", "PCR5", "PCR9", "PCR11"):
            assert recorded[bank][register] in out
    assert "boot in QEMU (tcg)" in err
    assert saved.read_bytes() == fake_machine.RECORDED_LOG.read_bytes()


def test_another_boot_than_predicted(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", str(uki), "--accelerator", "tcg"]) is ExitStatus.DOES_NOT_HOLD
    out = capsys.readouterr().out
    assert "DIFFERENT: the real boot measured something else than was predicted" in out
    assert "PCR4 event 3: digest differs for EV_EFI_BOOT_SERVICES_APPLICATION 'UKI (Authenticode)'" in out
    assert "look at: UKI" in out
    assert "predicted, found" in out


def test_json(uki: Path, right: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boot", str(uki), "--accelerator", "tcg", "--json"]) is ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "teekit-verify/boot/v1"
    assert problems("boot-v1", document) == []
    assert document["exit_status"] == 0
    assert document["accelerator"] == "tcg"
    assert len(document["events"]) == 22
    assert document["events"][0]["checks"][0] == {
        "name": "sha256",
        "bank": "sha256",
        "outcome": "match",
        "expected": "3d6772b4f84ed47595d72a2c4c5ffd15f5bb72c7507fe26f2aaee2c69d5633ba",
        "found": "3d6772b4f84ed47595d72a2c4c5ffd15f5bb72c7507fe26f2aaee2c69d5633ba",
        "detail": "",
        "absent": None,
        "phases": [],
    }


def test_what_cannot_be_booted_is_no_verdict(uki: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    fake_machine.install(tmp_path / "bin", exits=True)
    assert main(["boot", str(uki), "--accelerator", "tcg"]) is ExitStatus.NO_VERDICT
    assert "error: QEMU does not start" in capsys.readouterr().err
    assert main(["boot", str(tmp_path / "none.efi")]) is ExitStatus.NO_VERDICT
    assert "No such file" in capsys.readouterr().err
