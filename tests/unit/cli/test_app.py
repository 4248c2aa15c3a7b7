"""main(): the exit status and the messages of every way a command can end."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import typer

from teekit_verify import __version__
from teekit_verify.cli import app as cli
from teekit_verify.cli.options.shared import DebugOption, JsonOption
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS: dict[str, BaseException | object] = {
    "holds": ExitStatus.HOLDS,
    "nothing": None,
    "fails": ExitStatus.DOES_NOT_HOLD,
    "unreadable": TeekitError("a.efi: no such file", hint="Name a file that exists."),
    "hintless": TeekitError("nothing to compare"),
    "defect": ZeroDivisionError("division by zero"),
    "control-c": KeyboardInterrupt(),
    "reader-gone": BrokenPipeError(32, "Broken pipe"),
    "odd": 77,
}


@pytest.fixture
def endings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line with one command, `end HOW`, which ends as ENDINGS says."""
    app = typer.Typer(rich_markup_mode=None)

    @app.callback()
    def _common() -> None:
        pass

    @app.command()
    def end(how: str, json_output: JsonOption = False, debug: DebugOption = False) -> object:  # noqa: FBT002
        ending = ENDINGS[how]
        if isinstance(ending, BaseException):
            raise ending
        return ending

    monkeypatch.setattr(cli, "app", app)


@pytest.mark.usefixtures("endings")
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("holds", 0),
        ("nothing", 0),
        ("fails", 1),
        ("unreadable", 2),
        ("hintless", 2),
        ("defect", 2),
        ("control-c", 2),
        ("reader-gone", 2),
        ("odd", 2),
    ],
)
def test_exit_status(how: str, status: int) -> None:
    assert cli.main(["end", how]) == status


@pytest.mark.usefixtures("endings")
def test_an_error_goes_to_standard_error_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["end", "unreadable"])
    assert capsys.readouterr() == ("", "error: a.efi: no such file\nhint: Name a file that exists.\n")


@pytest.mark.usefixtures("endings")
def test_an_error_without_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["end", "hintless"])
    assert capsys.readouterr().err == "error: nothing to compare\n"


@pytest.mark.usefixtures("endings")
def test_an_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["end", "unreadable", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "error": {"code": "error", "message": "a.efi: no such file", "hint": "Name a file that exists."}
    }


@pytest.mark.usefixtures("endings")
def test_a_defect_is_called_one_and_shows_a_traceback_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["end", "defect"])
    error = capsys.readouterr().err
    assert error.startswith("error: internal error: ZeroDivisionError: division by zero\n")
    assert "--debug" in error
    assert "Traceback" not in error
    cli.main(["end", "defect", "--debug"])
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.usefixtures("endings")
def test_control_c_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["end", "control-c"])
    assert capsys.readouterr().err.endswith("error: interrupted\nhint: Run the same command again to continue.\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no-such-command"], "No such command 'no-such-command'"),
        (["--no-such-option"], "No such option"),
        (["doctor", "surplus"], "unexpected extra argument"),
    ],
)
def test_wrong_usage(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    error = capsys.readouterr().err
    assert message in error
    assert re.search(r"^hint: Run `teekit-verify( doctor)? --help` to see how it is used\.$", error, re.MULTILINE)


def test_a_wrong_choice_is_told_in_words_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["completion", "tcsh"]) == 2
    error = capsys.readouterr().err
    assert "tcsh" in error
    assert "Value error" not in error


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"teekit-verify {__version__}\n"


def test_help_tells_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    assert "Exit status: 0 the claim holds, 1 it does not, 2 no verdict" in " ".join(capsys.readouterr().out.split())


def test_nothing_asked_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "Usage: teekit-verify" in capsys.readouterr().out


def test_the_module_ends_with_the_status_of_main() -> None:
    command = [sys.executable, "-m", "teekit_verify"]
    assert subprocess.run([*command, "--version"], check=False, capture_output=True).returncode == 0
    assert subprocess.run([*command, "--wrong"], check=False, capture_output=True).returncode == 2


def test_letters_that_the_locale_does_not_have_are_shown_escaped() -> None:
    code = "from teekit_verify.cli import app; app.main = lambda argv: print('a\\u2023\\udcff'); app.entry_point()"
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for environment in (ascii_only, {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}):
        completed = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=environment)
        assert completed.returncode == 0, completed.stderr
        assert completed.stdout in {b"a\\u2023\\udcff\n", b"a\xe2\x80\xa3\\udcff\n"}


@pytest.mark.parametrize(
    ("arguments", "redirected"),
    [
        ("--version", ">/dev/full"),
        ("inspect /none --json", ">/dev/full"),
        ("--version", ">/dev/full 2>&1"),
        ("inspect /none", "2>/dev/full"),
    ],
)
def test_what_cannot_be_written_is_no_verdict(arguments: str, redirected: str) -> None:
    """full(4). Python ends with 1, which here means that a claim does not hold."""
    script = f"{shlex.quote(sys.executable)} -m teekit_verify {arguments} {redirected}"
    completed = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True)
    assert completed.returncode == 2
    assert "Traceback" not in completed.stderr
    if arguments == "--version" and "2>" not in redirected:
        assert completed.stderr == (
            "error: standard output or a temporary file: cannot be written: No space left on device\n"
            "hint: Free some space, also where temporary files (TMPDIR) and downloads (XDG_CACHE_HOME) are, and run it again.\n"
        )


def test_a_verdict_that_was_told_in_part_is_none() -> None:
    """Python tells the rest when it ends."""
    code = "from teekit_verify.cli import app; app.main = lambda argv: print('x'); app.entry_point()"
    script = f"{shlex.join([sys.executable, '-c', code])} >/dev/full"
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    completed = subprocess.run(["sh", "-c", script], check=False, capture_output=True, env=buffered)
    assert (completed.returncode, completed.stderr) == (2, b"")


def test_a_full_disk_under_a_file_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/place/file")

    monkeypatch.setattr(cli, "app", full)
    assert cli.main(["x", "--json"]) == 2
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "local"
    assert told.err.startswith("error: /place/file: cannot be written: No space left on device\n")


def test_a_damaged_installation_is_no_verdict() -> None:
    damaged = "import sys, runpy; sys.modules['typer'] = None; runpy.run_module('teekit_verify', run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", damaged], check=False, capture_output=True, text=True)
    assert result.returncode == 2
    assert "error: this installation is damaged" in result.stderr


def test_starting_up_imports_nothing_heavy() -> None:
    """Start-up stays short because what only some commands use is imported by them."""
    command = [sys.executable, "-X", "importtime", "-m", "teekit_verify", "--help"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    imported = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in output.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"pefile", "elftools", "cryptography", "pydantic", "jsonschema", "http", "ssl"})


def sends_itself(number: signal.Signals, *, ignored: bool) -> subprocess.CompletedProcess[bytes]:
    """A process that gets the signal in the middle of a command."""
    code = (
        "import os, signal, sys\n"
        f"{f'signal.signal({int(number)}, signal.SIG_IGN)' if ignored else ''}\n"
        "from teekit_verify.cli import app\n"
        f"app.app = lambda *_, **__: os.kill(os.getpid(), {int(number)})\n"
        "sys.argv = ['teekit-verify', 'x']\n"
        "app.entry_point()\n"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_is_an_interruption(number: signal.Signals) -> None:
    """It ends by the signal, as signal(7) has it for who does not handle it: a shell then ends its loop, too."""
    completed = sends_itself(number, ignored=False)
    assert completed.returncode == -number
    assert completed.stderr == b"error: interrupted\nhint: Run the same command again to continue.\n"


def test_a_loop_of_a_shell_ends_with_it() -> None:
    """bash goes on with the next one where a program that Ctrl-C ended exits with a status of its own."""
    code = (
        "import os, signal, sys\n"
        "from teekit_verify.cli import app\n"
        "app.app = lambda *_, **__: os.killpg(0, signal.SIGINT)\n"
        "app.entry_point()\n"
    )
    script = f'for release in a b; do {shlex.join([sys.executable, "-c", code])} "$release"; done; echo went on'
    completed = subprocess.run(
        ["env", "--default-signal=INT", "bash", "-c", script], capture_output=True, check=False, start_new_session=True
    )
    assert completed.stderr.count(b"error: interrupted") == 1
    assert (completed.returncode, completed.stdout) == (-signal.SIGINT, b"")


def test_control_c_while_it_starts_shows_no_traceback(tmp_path: Path) -> None:
    """Here at the import of typer, as the first of what takes its time."""
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = ["env", "--default-signal=INT", sys.executable, "-m", "teekit_verify", "doctor"]
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    completed = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, check=False)
    assert (completed.returncode, completed.stdout, completed.stderr) == (-signal.SIGINT, b"", b"")


def test_control_c_twice_does_not_end_the_tidying() -> None:
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from teekit_verify.cli import app\n"
        "def command(*_, **__):\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally:\n"
        "        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):\n"
        "            os.kill(os.getpid(), number)\n"
        "        print('tidied up', flush=True)\n"
        "app.app = command\n"
        "app.entry_point()\n"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert completed.stdout == b"tidied up\n"
    assert completed.stderr.startswith(b"error: interrupted\n")
    assert completed.returncode == -signal.SIGINT


def test_long_afterwards_control_c_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first may have met code that drops exceptions, a finalizer for one."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    asked = cli._Interruption()
    with pytest.raises(KeyboardInterrupt):
        asked(signal.SIGINT, None)
    asked(signal.SIGINT, None)
    now += 60
    with pytest.raises(KeyboardInterrupt):
        asked(signal.SIGINT, None)


def test_with_nohup_a_closing_session_ends_nothing() -> None:
    completed = sends_itself(signal.SIGHUP, ignored=True)
    assert (completed.returncode, completed.stderr) == (0, b"")
