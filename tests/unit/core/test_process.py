"""External programs: real ones, that fail, hang, ignore signals and leave children behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING

import pytest

from teekit_verify.core import output, process
from teekit_verify.core.errors import ToolFailedError, ToolMissingError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


def sh(script: str, **options: object) -> process.Completed:
    return process.run(["sh", "-c", script], **({"timeout_seconds": 600} | options))  # type: ignore[arg-type]


def failure(script: str, **options: object) -> ToolFailedError:
    with pytest.raises(ToolFailedError) as caught:
        sh(script, **options)
    return caught.value


def gone(pid_file: Path, seconds: float = 600) -> bool:
    """Has the process of that number ended (or is nobody but a zombie)?"""
    pid = int(pid_file.read_text())
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_standard_output_is_returned() -> None:
    completed = sh("cat; echo to-stderr >&2", stdin=b"given")
    assert (completed.status, completed.stdout) == (0, b"given")
    assert completed.argv == ("sh", "-c", "cat; echo to-stderr >&2")


def test_without_input_standard_input_is_empty() -> None:
    assert sh("cat").stdout == b""


def test_the_environment_is_the_given_one_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEEKIT_SECRET", "s3cret")
    assert b"s3cret" in sh("env").stdout
    assert b"s3cret" not in sh("env", environment={"PATH": os.environ["PATH"]}).stdout


def test_a_log_takes_all_output_and_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "step.log"
    for word in ("one", "two"):
        assert sh(f"echo {word}; echo {word}-err >&2", log=log).stdout == b""
    assert log.read_text() == "one\none-err\ntwo\ntwo-err\n"


def test_accepted_statuses() -> None:
    assert sh("exit 3", accept=(0, 3)).status == 3


def test_a_failure_shows_the_last_lines_and_how_to_do_it_again() -> None:
    error = failure("seq 1 30 >&2; printf 'a\\033b' >&2; exit 7")
    assert error.message.startswith("sh failed with exit status 7; its last lines were:\n  | 12\n  | 13\n")
    assert error.message.endswith("\n  | 30\n  | a\\x1bb")
    assert error.hint == ("To run just this step again: sh -c 'seq 1 30 >&2; printf '\"'\"'a\\033b'\"'\"' >&2; exit 7'")


def test_a_failure_with_a_log_names_it(tmp_path: Path) -> None:
    log = tmp_path / "step.log"
    error = failure("echo reason; exit 1", log=log)
    assert error.message == (f"sh failed with exit status 1; its last lines were:\n  | reason; the whole log is {log}")


def test_reasons_given_on_standard_output_are_shown_too() -> None:
    assert failure("echo why; echo error >&2; exit 1").message.endswith("its last lines were:\n  | why\n  | error")


def test_a_silent_failure() -> None:
    assert failure("exit 1").message == "sh failed with exit status 1"


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (6, "SIGABRT"), (40, "40")])
def test_a_signal_is_named(number: int, name: str) -> None:
    assert failure(f"kill -{number} $$").message == f"sh was ended by signal {name}"


def test_long_lines_and_long_logs_are_bounded(tmp_path: Path) -> None:
    log = tmp_path / "huge.log"
    log.write_bytes(b"start\n" + b"x" * 500_000 + b"\nend")
    lines = process.last_lines(log)
    assert lines == ["x" * 240 + " [...]", "end"]
    assert process.last_lines(tmp_path / "none") == []
    log.write_bytes(b"")
    assert process.last_lines(log) == []
    log.write_bytes(b"a\n\nb\xff\n")
    assert process.last_lines(log) == ["a", "", "b\ufffd"]


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ToolMissingError) as caught:
        process.run(["teekit-no-such-program"], timeout_seconds=1)
    assert caught.value.message == "the program 'teekit-no-such-program' is not installed"
    assert caught.value.hint == "Run `teekit-verify doctor`."
    with pytest.raises(ToolMissingError) as caught:
        process.find_program("teekit-no-such-program", hint="Install it.")
    assert (caught.value.message, caught.value.hint) == (
        "the program 'teekit-no-such-program' is not installed",
        "Install it.",
    )
    with pytest.raises(ToolMissingError, match="'teekit-no-such-program' is not installed"):
        process.become(["teekit-no-such-program"])


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("no program")
    with pytest.raises(ToolFailedError) as caught:
        process.run([str(script)], timeout_seconds=1)
    assert caught.value.message == f"{script} cannot be started: Permission denied: {script}"
    script.chmod(0o755)
    with pytest.raises(ToolFailedError, match="cannot be started: Exec format error"):
        begin(script, tmp_path / "log")


def test_a_working_directory_that_is_not_there_is_not_a_missing_program(tmp_path: Path) -> None:
    assert sh("pwd", cwd=tmp_path).stdout == f"{tmp_path}\n".encode()
    error = failure("pwd", cwd=tmp_path / "none")
    assert error.message == f"sh cannot be started: No such file or directory: {tmp_path / 'none'}"


def over_once_there_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this clock, the time of a program is over when it has written that file and what it printed before was taken, and not
    earlier: on a busy machine no time is long enough."""
    seen: list[float] = []

    def now() -> float:
        if file.exists() and file.read_text():
            seen.append(0.0)
        return 1e9 if len(seen) > 2 else 0.0

    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))


@pytest.mark.parametrize("script", ["echo done", "echo done; exec >&- 2>&-"])
def test_a_program_that_ended_in_time_was_not_late_because_nobody_looked(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a busy machine gives this process no time; here it looks again once the program has ended, much later."""
    moments = iter([0.0])
    printed = output.Whole(100)
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, bufsize=0) as program:
        assert program.stdout is not None

        def now() -> float:
            for moment in moments:
                return moment
            with suppress(ChildProcessError):  # it was looked at since
                os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
            return 1e6

        monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=now, sleep=time.sleep))
        output.exchange(program, {program.stdout: printed}, None, timeout_seconds=1)
    assert bytes(printed.data) == b"done\n"


def test_a_timeout_ends_the_whole_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    over_once_there_is(tmp_path / "pid", monkeypatch)
    error = failure(f"sleep 600 & echo so far >&2; echo $! >{tmp_path}/pid; wait", timeout_seconds=0.5)
    assert error.message == "sh did not finish within 0.5 s; its last lines were:\n  | so far"
    assert gone(tmp_path / "pid")


def test_a_child_that_ignores_sigterm_is_ended_when_its_parent_obeys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_once_there_is(tmp_path / "pid", monkeypatch)
    child = f'trap "" TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.1; done'
    failure(f"sh -c '{child}' & wait", timeout_seconds=0.5)
    assert gone(tmp_path / "pid")


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_TERM_GRACE_SECONDS", 0.2)
    over_once_there_is(tmp_path / "pid", monkeypatch)
    failure(f'trap "" TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.1; done', timeout_seconds=0.3)
    assert gone(tmp_path / "pid")


# Wherever it happens: what was opened a moment before, Python closes itself, and says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_control_c_ends_the_program_and_is_passed_on(tmp_path: Path) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sh(f"sleep 600 & echo $! >{tmp_path}/pid; wait")
    thread.join()
    assert gone(tmp_path / "pid")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_control_c_again_leaves_no_program_that_takes_its_time(tmp_path: Path) -> None:
    def interrupt_twice() -> None:
        for sign in ("pid", "asked"):
            while not (tmp_path / sign).exists() or not (tmp_path / sign).read_text():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt_twice)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        sh(
            f'trap "echo yes >{tmp_path}/asked" TERM; rounds=$(seq 3000)\n'
            f"echo $$ >{tmp_path}/pid; for i in $rounds; do sleep 0.1; done"
        )
    thread.join()
    assert gone(tmp_path / "pid")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["run", "long-lived"])
def test_an_interruption_while_a_program_starts_does_not_leave_it_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: signal.Signals
) -> None:
    real = subprocess.Popen

    def interrupted_start(*arguments: object, **options: object) -> object:
        started = real(*arguments, **options)  # type: ignore[call-overload]
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), number)
        return started

    monkeypatch.setattr(subprocess, "Popen", interrupted_start)
    before = signal.signal(number, signal.default_int_handler)
    script = f"echo $$ >{tmp_path}/pid; sleep 600"
    with pytest.raises(KeyboardInterrupt):
        begin("sh", tmp_path / "log", "-c", script) if kind == "long-lived" else sh(script)
    assert gone(tmp_path / "pid")
    assert signal.signal(number, before) is signal.default_int_handler


def test_programs_are_run_by_other_threads_too() -> None:
    results: list[bytes] = []
    thread = threading.Thread(target=lambda: results.append(sh("echo there").stdout))
    thread.start()
    thread.join()
    assert results == [b"there\n"]


def test_a_long_lived_program_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! >{tmp_path}/pid; echo up; wait"
    with process.started(["sh", "-c", script], log=tmp_path / "log") as started:
        while not (tmp_path / "log").read_text():
            time.sleep(0.01)
    assert gone(tmp_path / "pid")
    assert started.returncode == -signal.SIGTERM
    process.end_group(started)  # once more does no harm
    with pytest.raises(ToolMissingError, match="'teekit-no-such-program' is not installed"):
        begin("teekit-no-such-program", tmp_path / "log")


def begin(program: str | Path, log: Path, *arguments: str) -> None:
    with process.started([str(program), *arguments], log=log):
        pass


def beside(script: str, log: Path, *, timeout_seconds: float = 600) -> AbstractContextManager[Callable[[], None]]:
    return process.running(["sh", "-c", script], timeout_seconds=timeout_seconds, log=log, environment={"X": "y"})


def test_a_program_beside_another(tmp_path: Path) -> None:
    with beside(f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; echo $X", tmp_path / "log") as wait:
        (tmp_path / "go").touch()
        wait()
    assert (tmp_path / "log").read_text() == "y\n"


def test_a_program_beside_another_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError) as caught, beside("echo why; exit 3", tmp_path / "log") as wait:
        wait()
    assert caught.value.message == (
        f"sh failed with exit status 3; its last lines were:\n  | why; the whole log is {tmp_path / 'log'}"
    )
    with pytest.raises(ToolFailedError, match=r"did not finish within 0\.1 s"):  # noqa: SIM117 - the inner one raises
        with beside(f"echo $$ >{tmp_path}/pid; sleep 600", tmp_path / "log", timeout_seconds=0.1) as wait:
            wait()
    with pytest.raises(ToolMissingError), process.running(["teekit-none"], timeout_seconds=1, log=tmp_path / "log"):
        pass


def test_a_program_beside_another_ends_with_it(tmp_path: Path) -> None:
    with beside(f"sleep 600 & echo $! >{tmp_path}/pid; wait", tmp_path / "log"):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
    assert gone(tmp_path / "pid")


def test_become_replaces_this_process() -> None:
    code = "from teekit_verify.core import process; process.become(['sh', '-c', 'echo $$ $PPID; exit 5'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.read() == f"{started.pid} {os.getpid()}\n".encode()
    assert started.returncode == 5


@pytest.mark.parametrize("word", ["a\nb", "it's\x1b", "back\\slash\n", "\u202e", "\t"])
def test_how_to_do_it_again_is_one_line_that_bash_reads_as_it_was(word: str) -> None:
    hint = failure("exit 1", environment={"PATH": os.environ["PATH"]}).hint
    with pytest.raises(ToolFailedError) as caught:
        process.run(["sh", "-c", "exit 1", word], timeout_seconds=600)
    assert hint is not None
    assert caught.value.hint is not None
    assert caught.value.hint.isprintable()
    typed = caught.value.hint.removeprefix(hint)
    argv = ["bash", "-c", f"printf %s {typed}"]
    said = subprocess.run(argv, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]})
    assert said.stdout.decode() == word


@pytest.mark.parametrize("where", ["1", "2"])
def test_a_flood_is_ended_or_drained_and_never_kept(where: str) -> None:
    """On standard output it is ended; of what a program complains, the end is kept."""
    if where == "1":
        error = failure("exec head -c 100000000 /dev/zero", most_bytes=1 << 20)
        assert error.message.startswith("sh printed more than 1048576 bytes")
    else:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sh("head -c 300000000 /dev/zero >&2; echo end >&2; echo out").stdout == b"out\n"
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


@pytest.mark.parametrize("kind", ["run", "running", "started"])
def test_a_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(output.Log, "__init__", _small)
    log, script = tmp_path / "log", "exec cat /dev/zero"
    if kind == "started":
        with process.started(["sh", "-c", script], log=log) as started:
            started.wait(600)
    else:
        with pytest.raises(ToolFailedError, match="sh printed more than 100000 bytes"):
            sh(script, log=log) if kind == "run" else _waited(script, log)
    assert log.stat().st_size <= 100_000


def _waited(script: str, log: Path) -> None:
    with beside(script, log) as wait:
        wait()


def _small(made: output.Log, stream: IO[bytes]) -> None:
    made.stream, made.most_bytes, made.taken = stream, 100_000, 0


def test_what_uses_too_much_is_ended(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def watch() -> str | None:
        return "left only 3 bytes free" if pid.exists() and pid.read_text() else None

    error = failure(f"echo $$ >{pid}; sleep 600", watch=watch)
    assert error.message == "sh left only 3 bytes free"
    assert gone(tmp_path / "pid")


def test_what_a_program_leaves_running_is_ended_and_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "pid").write_bytes(sh("sleep 600 & echo $!").stdout)
    assert gone(tmp_path / "pid", 300)


def test_a_program_that_reads_nothing_is_fed_in_vain() -> None:
    assert sh("exec true", stdin=bytes(10 << 20)).stdout == b""
    assert sh("wc -c", stdin=bytes(10 << 20)).stdout.strip() == b"10485760"
