"""`teekit-verify lock diff` and `lock check`: what changed between two locks, and whether a lock's packages are Debian's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import shared
from teekit_verify.core.outcome import ExitStatus


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The lock as it was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The lock as it is to be.")],
    markdown: Annotated[bool, typer.Option("--markdown", help="As the text of a pull request.")] = False,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Show what changed between two locks, by source package.

    Changelogs and evidence are read from the download cache. Exit status 1 if something is in NEW that no refresh brings: an older
    version, other bytes under the same version, another archive, a package no stage asks for, one that is not in the signed index.
    """
    from teekit_verify.core.download import DownloadStore
    from teekit_verify.rebuild import lock, lock_diff
    from teekit_verify.report import layout, lock_report

    if markdown and json_output:
        raise typer.BadParameter("--markdown and --json exclude each other")
    found = lock_diff.compare(lock.load(old), lock.load(new), DownloadStore(shared.cache_directory() / "downloads"))
    if json_output:
        typer.echo(lock_report.diff_as_json(found), nl=False)
    elif markdown:
        typer.echo(lock_report.diff_as_markdown(found), nl=False)
    else:
        lock_report.show_diff(found, layout.console(sys.stdout))
    return lock_report.diff_status(found)


def check(
    lock_file: Annotated[Path, typer.Argument(metavar="LOCK", help="A lock of packages.")],
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Follow every package of a lock to Debian's signature.

    The signed index that the lock was made from is read from the download cache, and gpgv checks it by the archive's keyring.
    """
    from teekit_verify.core.download import DownloadStore
    from teekit_verify.rebuild import evidence, lock
    from teekit_verify.report import layout, lock_report

    found = evidence.check(lock.load(lock_file), DownloadStore(shared.cache_directory() / "downloads"))
    if json_output:
        typer.echo(lock_report.check_as_json(found), nl=False)
    else:
        lock_report.show_check(found, layout.console(sys.stdout))
    return lock_report.check_status(found)
