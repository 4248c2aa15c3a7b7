"""`teekit-verify man`: manual pages, made of what `--help` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from teekit_verify import __version__
from teekit_verify.cli.options.groups import help_record
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    Command = Any
    """Typer's own classes, which it does not publish."""


def man(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="The command whose page is printed.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the page of every command into this folder.", show_default=False),
    ] = None,
) -> ExitStatus:
    """Write the manual pages of all commands, or print that of one.

    To read one: `teekit-verify man quote | man -l -`. To install all: `teekit-verify man --output ~/.local/share/man/man1`.
    """
    from teekit_verify.cli.help import command_named
    from teekit_verify.core.files import create_folder, write_whole

    found = command_named(words or ())
    if output is None:
        typer.echo(_page(tuple(found.command_path.split()), found.command), nl=False)
        return ExitStatus.HOLDS
    create_folder(output)
    for name, page in _pages():
        write_whole(output / f"{name}.1", page.encode())
    return ExitStatus.HOLDS


def _pages() -> Iterator[tuple[str, str]]:
    """Each page by its name, in the macros of man(7)."""
    from teekit_verify.cli.app import app

    root = typer.main.get_command(app)
    pending: list[tuple[tuple[str, ...], Command]] = [(("teekit-verify",), root)]
    while pending:
        words, command = pending.pop()
        yield "-".join(words), _page(words, command)
        pending += [((*words, name), inner) for name, inner in getattr(command, "commands", {}).items()]


def _page(words: tuple[str, ...], command: Command) -> str:
    context = command.context_class(command, info_name=" ".join(words), help_option_names=["-h", "--help"])
    summary, _, rest = (command.help or "").partition("\n\n")
    lines = [
        f'.TH "{"-".join(words).upper()}" "1" "" "teekit-verify {__version__}" "teekit-verify"',
        ".SH NAME",
        f"{_roff('-'.join(words))} \\- {_roff(' '.join(summary.split()).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_roff(' '.join(words))}",
        _roff(" ".join(command.collect_usage_pieces(context))),
    ]
    if rest:
        lines.append(".SH DESCRIPTION")
        lines += [line for block in rest.split("\n\n") for line in (".PP", _roff(" ".join(block.split())))]
    for heading, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        records = [help_record(p, context) for p in command.get_params(context) if p.param_type_name == kind]
        lines += _listed(heading, [record for record in records if record])
    inner = getattr(command, "commands", {})
    lines += _listed(
        "COMMANDS", [(name, " ".join((one.help or "").partition("\n\n")[0].split())) for name, one in inner.items()]
    )
    if command.epilog:
        lines += [".SH EXIT STATUS", _roff(command.epilog)]
    return "\n".join(lines) + "\n"


def _listed(heading: str, records: list[tuple[str, str]]) -> list[str]:
    items = [line for term, text in records for line in (".TP", f".B {_roff(term)}", _roff(" ".join(text.split())))]
    return [f".SH {heading}", *items] if items else []


def _roff(text: str) -> str:
    """Text that roff shows as it is: its escape character, hyphens that are to be copied, and a line that is no request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
