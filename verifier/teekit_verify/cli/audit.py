"""`teekit-verify audit`: every published release rebuilt, and the answers signed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import rebuild as given
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.auditing import AuditLogOptions, AuditorOption, ReferencesOption, StatementsOption
from teekit_verify.cli.options.groups import grouped
from teekit_verify.cli.options.signing import IndependenceOptions, KeyOption, PassphraseOption, signing_key
from teekit_verify.core.files import require_no_link
from teekit_verify.core.outcome import ExitStatus


@grouped
def audit(
    context: typer.Context,
    independence: IndependenceOptions,
    log: AuditLogOptions,
    statements: StatementsOption,
    name: AuditorOption,
    key: KeyOption,
    passphrase_file: PassphraseOption = None,
    release: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Only this release. May be repeated. [default: all but withdrawn]", show_default=False
        ),
    ] = None,
    references: ReferencesOption = None,
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="The folder for reports and builds, one folder for each release.")
    ] = Path("audit"),
    parallel: given.ParallelOption = False,
    vary: given.VaryOption = "default",
    offline: given.OfflineOption = False,
    rebuilders_said: given.RebuildersSaidOption = None,
    source: shared.SourceOption = None,
    inputs: shared.InputsOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each release on standard output.")
    ] = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Rebuild all published releases, sign what you found.

    Releases that you have already stated something about are skipped, so it can be stopped and run again at any time. MISMATCH is signed too. docs/fleet.md

    Exit status: 0 all are reproduced, 1 one is not what was published, 2 one is undecided.
    """
    from teekit_verify import api
    from teekit_verify.report import audit_report, layout
    from teekit_verify.report.html import page
    from teekit_verify.report.progress import StderrProgress

    if output == Path("audit"):
        require_no_link(output)
    auditor = api.Auditor(statements, name, signing_key(key, passphrase_file))
    bringing = shared.provision(source, mirror, snapshot_archive, npm_registry, inputs)
    request = api.AuditRequest(
        auditor,
        replace(bringing, offline=offline),
        output,
        StderrProgress,
        references=references,
        releases=tuple(release or ()),
        parallel=parallel,
        vary=vary,
        command=shared.command_line(context),
        independence=independence.said(),
        log=log.given(),
        rebuilders_said=api.SavedAnswers.load(rebuilders_said or ()),
    )
    answers = []
    for answer in api.audit(request, page.render):
        answers.append(answer)
        if json_output:
            typer.echo(audit_report.render(answer))
        else:
            audit_report.show(answer, layout.console(sys.stdout))
        sys.stdout.flush()
    return api.audit_status(answers)
