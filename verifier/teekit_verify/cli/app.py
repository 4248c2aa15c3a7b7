"""The command line: `main(argv)` returns the exit status and never lets an exception through."""

from __future__ import annotations

import io
import json
import signal
import sys
import traceback
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify import __version__
from teekit_verify.cli.attest import attest
from teekit_verify.cli.boot import boot
from teekit_verify.cli.collateral import collateral
from teekit_verify.cli.compare import compare
from teekit_verify.cli.doctor import doctor
from teekit_verify.cli.env import env
from teekit_verify.cli.explain import explain
from teekit_verify.cli.inputs import inputs
from teekit_verify.cli.inspect import inspect
from teekit_verify.cli.local import local
from teekit_verify.cli.lock import fetch, lock
from teekit_verify.cli.measure import measure
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.groups import Command
from teekit_verify.cli.quote import quote
from teekit_verify.cli.rebuild import rebuild
from teekit_verify.cli.reference import reference
from teekit_verify.cli.replay import replay
from teekit_verify.cli.report import report
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_INTERRUPTED = 130
# What Typer raises for wrong usage: click's class in older versions, one of its own in newer ones. BadParameter is one in both.
_WrongUsage: type[Exception] = next(
    kind for kind in reversed(typer.BadParameter.__mro__) if hasattr(kind, "format_message")
)
WRONG_USAGE, INTERRUPTED, INTERNAL_ERROR = "wrong_usage", "interrupted", "internal_error"
"""Codes of what ends a command without a TeekitError."""

app = typer.Typer(
    name="teekit-verify",
    help="Rebuild a confidential VM image, predict its measurements, compare them with what was published.",
    epilog="Exit status: 0 the claim holds, 1 it does not, 2 no verdict could be reached.",
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


app.command(cls=Command)(rebuild)
app.command(cls=Command)(compare)
app.command(cls=Command)(measure)
app.command(cls=Command)(inspect)
app.command(cls=Command)(explain)
app.command(cls=Command)(report)
app.command(cls=Command)(boot)
app.command(cls=Command)(local)
app.command(cls=Command)(replay)
app.command(cls=Command)(quote)
app.add_typer(collateral, name="collateral")
app.add_typer(reference, name="reference")
app.add_typer(attest, name="attest")
app.command(cls=Command)(doctor)
app.add_typer(lock, name="lock")
app.command(cls=Command)(fetch)
app.add_typer(inputs, name="inputs")
app.add_typer(env, name="env")


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
        return _report(argv, error.code, error.message, error.hint, error, error.facts)
    except _WrongUsage as error:  # in Typer's words
        words = error.format_message()  # type: ignore[attr-defined]
        return _report(
            argv,
            WRONG_USAGE,
            " ".join(words.split("\n\t")),
            "Run it with --help to see how it is used.",
            error,
        )
    except (KeyboardInterrupt, typer.Abort) as error:
        return _report(argv, INTERRUPTED, "interrupted", "Run the same command again to go on.", error)
    except SystemExit:  # how Typer ends when nobody reads the output any more
        return ExitStatus.NO_VERDICT
    except Exception as error:  # noqa: BLE001 - a defect must not look like the verdict "does not hold" (Python's 1)
        return _report(
            argv,
            INTERNAL_ERROR,
            f"internal error: {type(error).__name__}: {error}",
            f"Run it again with {shared.DEBUG_FLAG} and report the traceback.",
            error,
        )


def _report(
    argv: list[str],
    code: str,
    message: str,
    hint: str | None,
    error: BaseException,
    facts: Mapping[str, object] = MappingProxyType({}),
) -> ExitStatus:
    if shared.DEBUG_FLAG in argv:
        traceback.print_exception(error)
    if "--json" in argv:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint, **facts}}, indent=2))
    shared.say_error(message, hint)
    return ExitStatus.NO_VERDICT


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def entry_point() -> None:
    for stream in (sys.stdout, sys.stderr):  # names that the locale has no letters for are shown escaped, not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Asked to end (by a service manager, timeout(1), a closing session) as by Ctrl-C: what was started is ended too.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1) has it ignored
            signal.signal(number, _interrupt)
    sys.exit(main(sys.argv[1:]))
