"""`teekit-verify lock diff` and `lock check`: what changed between two locks, and whether a lock's packages are Debian's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import shared
from teekit_verify.core.outcome import ExitStatus


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The old lock.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The new lock.")],
    reports: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--reports",
            metavar="OLD NEW",
            help="Two reports, made with the locks, or reference files: what the change did to the image.",
            show_default=False,
        ),
    ] = None,
    inputs: shared.InputsOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the text of a pull request.")] = False,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Show what changed between two locks, by source package.

    With --reports also which registers moved, and which package each changed file of the image comes from. Packages and evidence
    are read from the download cache; what is not there, from --inputs.

    Exit status: 0 a plain refresh, 1 something that no refresh brings (docs/refresh.md), 2 a change of the image is not settled.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, lock_report
    from teekit_verify.report.progress import StderrProgress

    if markdown and json_output:
        raise typer.BadParameter("--markdown and --json cannot be used together")
    found = api.diff_locks(old, new, shared.cache_directory(), StderrProgress(), reports=reports, inputs=inputs or ())
    if json_output:
        typer.echo(lock_report.diff_as_json(found), nl=False)
    elif markdown:
        typer.echo(lock_report.diff_as_markdown(found), nl=False)
    else:
        lock_report.show_diff(found, layout.console(sys.stdout))
    return lock_report.diff_status(found)


def check(
    lock_file: Annotated[Path, typer.Argument(metavar="LOCK", help="A lock of packages.")],
    inputs: shared.InputsOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Follow every package of a lock to Debian's signature.

    The signed index that the lock was made from is read from the download cache, or from --inputs; gpgv checks it by the
    archive's keyring.

    Exit status: 0 all of them lead to it, 1 one does not, 2 the lock names no index, or the index is not here.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, lock_report
    from teekit_verify.report.progress import StderrProgress

    found = api.check_lock(lock_file, shared.cache_directory(), StderrProgress(), inputs=inputs or ())
    if json_output:
        typer.echo(lock_report.check_as_json(found), nl=False)
    else:
        lock_report.show_check(found, layout.console(sys.stdout))
    return lock_report.check_status(found)
