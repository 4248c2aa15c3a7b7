from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from builders import eventlog as build
from builders import fake_machine, logs
from builders.progress import Recorder
from teekit_verify.boot import capture
from teekit_verify.boot.capture import BootOptions, boot_and_capture
from teekit_verify.boot.qemu import Firmware
from teekit_verify.boot.running import MachineEndedError
from teekit_verify.core.errors import TeekitError, ToolMissingError
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = fake_machine.RECORDED_LOG.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, and one for temporary files with a path short enough for sockets."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(capture, "_POLL_SECONDS", 0.01)
    return programs


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def _options(tmp_path: Path, **changes: object) -> BootOptions:
    code, variables = tmp_path / "code.fd", tmp_path / "variables.fd"
    code.touch()
    variables.touch()
    settings: dict[str, object] = {
        "firmware": Firmware(code, variables),
        "accelerators": ("tcg",),
        "timeout_seconds": 600.0,
    }
    return BootOptions(**(settings | changes))  # type: ignore[arg-type]


def _processes_with(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


def _assert_nothing_is_left(temporary: Path, folder: Path) -> None:
    assert list(temporary.iterdir()) == []
    assert _processes_with(str(folder)) == []


def test_a_boot_brings_back_log_and_pcrs(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder)
    progress = Recorder()
    capture = boot_and_capture(tmp_path / "disk", _options(tmp_path), progress)
    assert capture.raw == LOG
    assert len(capture.log.events) == 40
    assert capture.accelerator == "tcg"
    assert {bank.value: values[pcr(4)].hex[:8] for bank, values in capture.pcrs.items()} == {
        "sha256": "90dc24ea",
        "sha384": "91f62df3",
    }
    assert progress.said == ["boot in QEMU (tcg)", "boot services ended: the event log is complete"]
    _assert_nothing_is_left(temporary, folder)


def test_an_accelerator_that_cannot_run_the_guest_is_given_up(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder, fails_on="kvm")
    progress = Recorder()
    capture = boot_and_capture(tmp_path / "disk", _options(tmp_path, accelerators=("kvm", "tcg")), progress)
    assert capture.accelerator == "tcg"
    assert progress.said[1].startswith(
        "kvm cannot run this guest (QEMU's status is 'internal-error', expected 'running')"
    )


def test_the_last_accelerator_may_not_fail(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder, fails_on="tcg", console="panic: \x1b[31mred\n")
    with pytest.raises(
        MachineEndedError,
        match=r"'internal-error', expected 'running'; the last lines were:\n  \| panic: \\x1b\[31mred",
    ):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_a_machine_that_does_not_start_says_why(
    folder: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.are_written_late(monkeypatch)
    fake_machine.install(folder, exits=True)
    with pytest.raises(
        MachineEndedError, match=r"QEMU does not start; the last lines were:\n  \| fake: no such machine"
    ):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_a_guest_that_ends_itself(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder, logs=[], ends_after=2, console="")
    with pytest.raises(
        TeekitError, match=r"connection to QEMU ended|status is 'ended', expected 'running'; it printed nothing"
    ):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_a_guest_that_never_gets_there(folder: Path, temporary: Path, tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.write_bytes(LOG[: len(LOG) - 40 - 8 - 2 - 48 - 2 - 32 - 4 - 8])  # without its last event
    fake_machine.install(folder, logs=[str(early)], console="one\ntwo\n")
    message = r"did not reach a complete event log within 2 s; the last lines were:\n  \| one\n  \| two"
    with pytest.raises(TeekitError, match=message):
        boot_and_capture(tmp_path / "disk", _options(tmp_path, timeout_seconds=2.0), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_waiting_for_a_line_on_the_console(
    folder: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the second clock the time is over when the log is complete."""
    fake_machine.install(folder, console="teekit: minimal.target reached\n")
    options = _options(tmp_path, serial_line="minimal.target reached")
    assert boot_and_capture(tmp_path / "disk", options, Recorder()).raw == LOG
    progress, options = Recorder(), _options(tmp_path, serial_line="another line", timeout_seconds=3.0)

    def now() -> float:
        return 1e9 if "boot services ended: the event log is complete" in progress.said else 0.0

    monkeypatch.setattr(capture, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
    with pytest.raises(TeekitError, match="did not reach 'another line' within 3 s"):
        boot_and_capture(tmp_path / "disk", options, progress)


def test_a_longer_log_that_the_guest_brought_along_is_not_taken(folder: Path, temporary: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    forged.write_bytes(LOG + build.measured(4, 5, b"never measured", build.SHA256, build.SHA384))
    fake_machine.install(folder, logs=[str(forged), str(fake_machine.RECORDED_LOG)])
    assert boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder()).raw == LOG


def test_no_log_that_replays_to_the_tpm(folder: Path, temporary: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    forged.write_bytes(LOG + build.measured(4, 5, b"never measured", build.SHA256, build.SHA384))
    fake_machine.install(folder, logs=[str(forged)])
    with pytest.raises(TeekitError, match="of 1 event logs in guest memory none replays to the TPM's PCR 0 to 9"):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_a_tpm_that_does_not_start(
    folder: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.are_written_late(monkeypatch)
    fake_machine.install(folder, tpm_exits=True)
    with pytest.raises(TeekitError, match="swtpm does not start: fake: no TPM today"):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


def test_a_tpm_that_refuses_to_be_read(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder, tpm_refuses=True)
    with pytest.raises(TeekitError, match="swtpm does not open a data channel after the boot"):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())


@pytest.mark.parametrize("missing", ["qemu-system-x86_64", "swtpm", "swtpm_setup"])
def test_missing_programs(folder: Path, temporary: Path, tmp_path: Path, missing: str) -> None:
    fake_machine.install(folder)
    (folder / missing).unlink()
    with pytest.raises(ToolMissingError, match=f"the program '{missing}' is not installed"):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    _assert_nothing_is_left(temporary, folder)


# Wherever it happens: what was opened a moment before, Python closes itself, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_ends_everything(folder: Path, temporary: Path, tmp_path: Path) -> None:
    fake_machine.install(folder, logs=[])

    def interrupt() -> None:
        while not _processes_with(str(folder / "qemu-system-x86_64")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        boot_and_capture(tmp_path / "disk", _options(tmp_path), Recorder())
    thread.join()
    _assert_nothing_is_left(temporary, folder)
