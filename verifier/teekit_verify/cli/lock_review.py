"""`teekit-verify lock diff` and `lock check`: what changed between two locks, and whether a lock's packages are Debian's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options import shared
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The lock as it was.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The lock as it is to be.")],
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
    from teekit_verify.rebuild import effect, lock, lock_diff, lock_files
    from teekit_verify.record import sides
    from teekit_verify.report import layout, lock_report

    if markdown and json_output:
        raise typer.BadParameter("--markdown and --json exclude each other")
    locks = lock.load(old), lock.load(new)
    both = None if reports is None else (sides.load(reports[0]), sides.load(reports[1]))
    if both is not None:
        effect.require_locks(locks, both)
    store = _filled(inputs, locks[1], lock_files.changed(*locks))
    found = lock_diff.compare(*locks, store)
    if both is not None:
        found = lock_diff.with_effect(found, effect.compare(*both, store))
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
    """
    from teekit_verify.rebuild import evidence, lock
    from teekit_verify.report import layout, lock_report

    locked = lock.load(lock_file)
    found = evidence.check(locked, _filled(inputs, locked, ()))
    if json_output:
        typer.echo(lock_report.check_as_json(found), nl=False)
    else:
        lock_report.show_check(found, layout.console(sys.stdout))
    return lock_report.check_status(found)


def _filled(inputs: list[str] | None, evidence_of: PackageLock, packages: Sequence[LockedPackage]) -> DownloadStore:
    """The download cache, with what it lacks from archives of inputs."""
    from teekit_verify.core.download import DownloadStore, Network
    from teekit_verify.rebuild import inputs_places, lock_files, proxies
    from teekit_verify.report.progress import StderrProgress

    places = tuple(map(inputs_places.parse, inputs or ()))
    store = DownloadStore(shared.cache_directory() / "downloads", Network(proxies.proxies()) if places else None)
    if places:
        lock_files.bring_evidence(evidence_of, places, store, StderrProgress())
        lock_files.bring_packages(packages, places, store, StderrProgress())
    return store
