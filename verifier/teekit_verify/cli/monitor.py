"""`teekit-verify monitor`: what went wrong since a release was published."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import shared
from teekit_verify.cli.options.auditing import LogPolicyOption, ReferencesOption, StatementsOption
from teekit_verify.cli.options.signing import OnOption, day
from teekit_verify.core.outcome import ExitStatus

_MOST_KNOWN_BYTES = 16 << 20


def monitor(
    statements: StatementsOption,
    other: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Another repository of statements to compare it with. May be repeated.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    references: ReferencesOption = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--inputs",
            metavar="PLACE",
            help="An archive of inputs to check: a folder, an address, or oci://HOST/NAME. May be repeated.",
            envvar="TEEKIT_INPUTS",
            show_default=False,
        ),
    ] = None,
    locks: Annotated[
        bool, typer.Option("--locks", help="Ask for every locked package where a rebuild would; none is downloaded.")
    ] = False,
    max_age_days: Annotated[
        int | None,
        typer.Option(
            "--max-age-days",
            metavar="N",
            min=0,
            help="Alarm when a release is older and not reproduced by enough auditors.",
        ),
    ] = None,
    threshold: Annotated[
        int, typer.Option(metavar="N", min=1, help="With --max-age-days: how many auditors are enough.")
    ] = 1,
    trusted_keys: Annotated[
        Path | None,
        typer.Option(
            "--trusted-keys",
            metavar="DIR",
            help="Count the owners of these keys only: a folder of OWNER.pem. [default: those in the repository]",
            show_default=False,
        ),
    ] = None,
    log_policy: LogPolicyOption = None,
    max_unlogged_days: Annotated[
        int | None,
        typer.Option(
            "--max-unlogged-days",
            metavar="N",
            min=0,
            help="Alarm when a statement is older and no proof says that it is in a log. [policy: the repository's, or --log-policy]",
        ),
    ] = None,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Alarms that are known: lines that --json printed. They are not reported again.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    on: OnOption = None,
    source: shared.SourceOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each alarm on standard output.")
    ] = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Look for lost inputs, contradictions, unreproduced releases.

    Archives of inputs are read whole: those that releases name, and --inputs, which should have all releases. docs/fleet.md

    Exit status: 0 no alarm, 1 an alarm, 2 something could not be determined.
    """
    from teekit_verify import api
    from teekit_verify.report import alarm_report, layout

    if max_age_days is None and (threshold > 1 or trusted_keys is not None):
        raise typer.BadParameter("--threshold and --trusted-keys need --max-age-days N")
    told_before = _lines(known)
    found, passed_over = [], 0
    for alarm in api.monitor(
        shared.provision(source, mirror, snapshot_archive, npm_registry, inputs),
        statements,
        day(on),
        references=references,
        others=other or (),
        inputs=inputs or (),
        trusted_keys=trusted_keys,
        threshold=threshold,
        max_age_days=max_age_days,
        locks=locks,
        log_policy=log_policy,
        max_unlogged_days=max_unlogged_days,
    ):
        line = alarm_report.render(alarm)
        if line in told_before:
            passed_over += 1
            continue
        found.append(alarm)
        if json_output:
            typer.echo(line)
        else:
            alarm_report.show(alarm, layout.console(sys.stdout))
        sys.stdout.flush()
    if not json_output:
        alarm_report.show_end(found, passed_over, layout.console(sys.stdout))
    return api.alarm_status(found)


def _lines(known: Path | None) -> frozenset[str]:
    from teekit_verify.core.files import read_bounded

    if known is None:
        return frozenset()
    text = read_bounded(known, _MOST_KNOWN_BYTES, "a list of alarms").decode("utf-8", "backslashreplace")
    return frozenset(text.split("\n"))
