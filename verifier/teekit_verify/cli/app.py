"""The command line: `main(argv)` returns the exit status and never lets an exception through."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import signal
import sys
import time
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from teekit_verify import __version__
from teekit_verify.cli import COLLECTED_AFTER
from teekit_verify.cli.lazy import Entry, Sections, lazy_group
from teekit_verify.cli.options import shared
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INTERRUPTED = 130
_ENDING_SECONDS = 15
"""Longer than what was started is given to end (core.process)."""
# What Typer raises for wrong usage: click's class in older versions, one of its own in newer ones. BadParameter is one in both.
_WrongUsage: type[Exception] = next(
    kind for kind in reversed(typer.BadParameter.__mro__) if hasattr(kind, "format_message")
)
WRONG_USAGE, INTERRUPTED, INTERNAL_ERROR = "wrong_usage", "interrupted", "internal_error"
"""Codes of what ends a command without a TeekitError."""
_LOCAL = "local"
"""The code of core.download's LocalError, whose import takes long."""
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_SPACE_HINT = (
    "Free some space, also where temporary files (TMPDIR) and downloads (XDG_CACHE_HOME) are, and run it again."
)
_USAGE = typer.BadParameter.__mro__[1]
"""What a group raises that was given no command, or none of its own."""
_PYDANTICS = "Value error, "
"""What Pydantic puts before the words of newer Typers."""
COMPLETING = "_TEEKIT_VERIFY_COMPLETE"
"""In the environment when a shell asks for completions; the name is Typer's for a program of this name."""

COMMANDS: Sections = {
    "Verify": (
        Entry("rebuild", "rebuild:rebuild", "Build an image twice; compare with what was published."),
        Entry("compare", "compare:compare", "Compare FILE, or a guest's quote, with the values in REF."),
        Entry("guest", "guest:guest", "Ask a live machine who it is; compare it with --reference."),
        Entry("quote", "quote:quote", "Verify a TDX quote: its signatures, and what it says."),
        Entry("replay", "replay:replay", "Replay EVENTLOG into RTMRs or PCRs; compare them with others."),
        Entry("audit", "audit:audit", "Rebuild all published releases, sign what you found."),
        Entry("rebuilderd", "rebuilderd:rebuilderd", "Rebuilds on rebuilderd: its list of releases, its backend."),
        Entry("monitor", "monitor:monitor", "Look for lost inputs, contradictions, unreproduced releases."),
        Entry("attest", "attest:attest", "Sign the verdict of a rebuild, count those that agree."),
        Entry("packages", "packages:packages", "Ask rebuilders which locked packages they reproduced."),
    ),
    "Measure and understand": (
        Entry("measure", "measure:measure", "Predict the measurement registers of a guest that boots FILE."),
        Entry("inspect", "inspect:inspect", "Show what is in FILE: image, firmware, quote or event log."),
        Entry("explain", "explain:explain", "Say why A and B differ, and what usually causes that."),
        Entry("report", "report:report", "Show the report of a rebuild, or make a page of it."),
        Entry("boot", "boot:boot", "Boot ARTIFACT in QEMU; compare its log with the predicted one."),
        Entry("local", "local:local", "Run IMAGE in QEMU with dummy TDX quotes, until Ctrl-C."),
    ),
    "Publish": (
        Entry("reference", "reference:reference", "Published values: create, extend, check, show, sign, verify."),
        Entry("release", "release:release", "Releases: list and show them, what changed in between."),
        Entry("site", "site:site", "Make a website of releases and who reproduced them."),
        Entry("collateral", "collateral:collateral", "Fetch what Intel publishes about a quote's platform."),
        Entry("lock", "lock:lock", "Pin the packages of all images; compare and check locks."),
        Entry("inputs", "inputs:inputs", "Archives of a release's inputs: create, check, prune."),
    ),
    "Set up": (
        Entry("doctor", "doctor:doctor", "Say what this host lacks, and the command that installs it."),
        Entry("fetch", "lock:fetch", "Download the locked packages of an image; check their digests."),
        Entry("env", "env:env", "The pinned environment: build, show, lock or enter it."),
        Entry("help", "help:show_help", "Show the help of a command, as its --help does."),
        Entry("completion", "completion:completion", "Print a script that completes commands and options in a shell."),
        Entry("man", "man:man", "Write the manual pages of all commands, or print that of one."),
    ),
}
"""What `--help` shows, by the headings it has there."""

app = typer.Typer(
    name="teekit-verify",
    cls=lazy_group(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Rebuild a confidential VM image, predict its measurements, compare them with what was published.",
    epilog="Exit status: 0 the claim holds, 1 it does not, 2 no verdict could be reached. A FILE that is read may be `-`, standard input.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"teekit-verify {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    pass


def main(argv: list[str]) -> ExitStatus:
    """Run one command. `argv` is without the program's name."""
    if not argv:
        main(["--help"])
        return ExitStatus.NO_VERDICT
    try:
        status = app(argv, prog_name="teekit-verify", standalone_mode=False)
        if status == _INTERRUPTED:
            raise KeyboardInterrupt  # noqa: TRY301 - Typer turned it into an exit status
        return ExitStatus(status or 0)
    except TeekitError as error:
        hint = error.hint
        if hint is None and isinstance(error, MalformedInputError):
            hint = f"Check which kind of file each option takes: `teekit-verify {argv[0]} --help`."
        return _report(argv, error.code, error.message, hint, error, error.facts)
    except _WrongUsage as error:  # in Typer's words
        words = error.format_message()  # type: ignore[attr-defined]
        return _report(
            argv,
            WRONG_USAGE,
            " ".join(words.split("\n\t")).replace(_PYDANTICS, ""),
            _usage_hint(error, argv),
            error,
        )
    except (KeyboardInterrupt, typer.Abort) as error:
        return _report(argv, INTERRUPTED, "interrupted", "Run the same command again to continue.", error)
    except SystemExit:  # how Typer ends when nobody reads the output any more
        return ExitStatus.NO_VERDICT
    except Exception as error:  # noqa: BLE001 - a defect must not look like the verdict "does not hold" (Python's 1)
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            where = error.filename or "standard output or a temporary file"
            return _report(argv, _LOCAL, f"{where}: cannot be written: {error.strerror}", _NO_SPACE_HINT, error)
        return _report(
            argv,
            INTERNAL_ERROR,
            f"internal error: {type(error).__name__}: {error}",
            f"Run it again with {shared.DEBUG_FLAG} and report the traceback.",
            error,
        )


def _usage_hint(error: Exception, argv: list[str]) -> str:
    """The commands of a group that was given none of its own; else where it says how the command is used."""
    context: Any = getattr(error, "ctx", None)
    if context is None:  # of an option without its value
        return f"Run `{' '.join(_command_in(argv))} --help` to see how it is used."
    if (meant := _with_two_dashes(context, argv)) is not None:
        return f"Did you mean {meant}? Run `{context.command_path} --help` to see how it is used."
    if type(error) is _USAGE and context.parent is not None and isinstance(context.command, typer.core.TyperGroup):
        return f"Choose one of: {', '.join(context.command.list_commands(context))}."
    if not context.help_option_names:
        return f"Run `{context.command_path.replace(' ', ' help ', 1)}` to see how it is used."
    return f"Run `{context.command_path} --help` to see how it is used."


def _with_two_dashes(context: Any, argv: list[str]) -> str | None:
    """The long option that a word was meant to be, as in `quote -help`; in the place of a command also without any dash, as in `version`."""
    known = {name for parameter in context.command.get_params(context) for name in parameter.opts}
    words = [word[1:] for word in argv if word.startswith("-") and not word.startswith("--")]
    if isinstance(context.command, typer.core.TyperGroup):
        behind_its_name = context.command_path.count(" ")
        words += argv[behind_its_name : behind_its_name + 1]
    return next((f"--{word}" for word in words if f"--{word}" in known), None)


def _command_in(argv: list[str]) -> Iterator[str]:
    """The program and the words that name its command, as far as they do."""
    command: Any = typer.main.get_command(app)
    yield "teekit-verify"
    for word in argv:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return
        yield word


def _report(
    argv: list[str],
    code: str,
    message: str,
    hint: str | None,
    error: BaseException,
    facts: Mapping[str, object] = MappingProxyType({}),
) -> ExitStatus:
    if shared.DEBUG_FLAG in argv:
        import traceback

        traceback.print_exception(error)
        _say_hints_of_causes(error)
    with suppress(OSError):  # what cannot be said is no verdict either
        if "--json" in argv:
            typer.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint, **facts}}, indent=2))
    with suppress(OSError):
        shared.say_error(message, hint)
    return ExitStatus.NO_VERDICT


def _say_hints_of_causes(error: BaseException) -> None:
    """A traceback has the messages only; the command line of what failed is in a hint."""
    cause = error.__cause__
    while cause is not None:
        if isinstance(cause, TeekitError) and cause.hint:
            shared.say(cause.hint)
        cause = cause.__cause__


class _Interruption:
    """Asked to end (by a service manager, timeout(1), a closing session) as by Ctrl-C: what was started is ended too.

    Impatient users press it twice: while the first one is still being heeded, more of them would only leave things behind.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._at = 0.0

    def __call__(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if self._number is None or now - self._at > _ENDING_SECONDS:
            self._number, self._at = number, now
            raise KeyboardInterrupt

    def end(self) -> None:
        """End by the signal, if there was one: only so does a shell that runs us in a loop know to end, too."""
        if self._number is not None:
            signal.signal(self._number, signal.SIG_DFL)
            os.kill(os.getpid(), self._number)


def entry_point() -> None:
    gc.set_threshold(COLLECTED_AFTER)
    for stream in (sys.stdout, sys.stderr):  # names that the locale has no letters for are shown escaped, not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    interruption = _Interruption()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) has it ignored, `&` Ctrl-C
            signal.signal(number, interruption)
    if COMPLETING in os.environ:
        _complete()
    status = main(sys.argv[1:])
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # nobody reads it any more, or its disk is full: a verdict that was not told whole is none
            status = ExitStatus.NO_VERDICT
            with suppress(OSError):
                stream.close()  # or Python, which tries again, chooses the status
    if status == ExitStatus.NO_VERDICT:
        interruption.end()
    sys.exit(status)


def _complete() -> None:
    """Answer a shell that asks how a command line goes on (what `completion` prints makes it ask), and end."""
    import typer.completion

    typer.completion.completion_init()  # type: ignore[attr-defined]
    app([], prog_name="teekit-verify")
