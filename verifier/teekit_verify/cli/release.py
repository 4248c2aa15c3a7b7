"""`teekit-verify release`: releases, and what changed from one to the next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.diffing import show_diff
from teekit_verify.cli.findings import SarifOption
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.groups import GroupedCommand
from teekit_verify.cli.options.shared import DebugOption, JsonOption, SourceOption, say
from teekit_verify.cli.options.signing import OnOption, day
from teekit_verify.cli.pages import HtmlOption
from teekit_verify.core.outcome import ExitStatus

release = typer.Typer(help="Releases: list and show them, what changed in between.", rich_markup_mode=None)
_WHAT = "A release's name or folder, or a file of reference values."


@release.command("diff")
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_WHAT, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="What to compare it with.", show_default=False)],
    source: SourceOption = None,
    google_root: GoogleRootOption = None,
    html: HtmlOption = None,
    sarif: SarifOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what changed from release A to B, and why registers moved.

    Inputs, commit, packages, files, artifacts, and every register with the events that moved. `compare A B` does the same.

    Exit status: 0 equal, 1 they differ, 2 they cannot be compared.
    """
    root = google_root_at(google_root)
    return show_diff(a, b, checkout=source, root=root, html=html, sarif=sarif, json_output=json_output)


_FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="DIR", help="The folder of releases. [default: reference/releases]", show_default=False
    ),
]
_KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--trusted-keys", metavar="DIR", help="Also check who signed: a folder of OWNER.pem.", show_default=False
    ),
]


@release.command("list", cls=GroupedCommand)
def list_all(
    folder: _FolderOption = None,
    source: SourceOption = None,
    trusted_keys: _KeysOption = None,
    on: OnOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """List the releases, which are signed, and which are withdrawn.

    Each is held against its reference file. With --trusted-keys, signatures are checked, but for those of withdrawn releases.

    Exit status: 0 all are in order, 1 one disagrees with itself or is not signed by a trusted key, 2 one cannot be read, or there is none.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, release_report

    listed = api.known_releases(folder, checkout=source, trusted_keys=trusted_keys, on=day(on))
    if json_output:
        typer.echo(release_report.render(listed).decode(), nl=False)
    else:
        release_report.show_list(listed, layout.console(sys.stdout))
    return listed.status


@release.command("show", cls=GroupedCommand)
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The release.", show_default=False)],
    folder: _FolderOption = None,
    source: SourceOption = None,
    trusted_keys: _KeysOption = None,
    on: OnOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show a release: its source, its signatures, its values.

    Exit status: 0 it is in order, 1 it disagrees with itself or is not signed by a trusted key, 2 it cannot be read.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, release_report

    found = api.known_releases(folder, name=name, checkout=source, trusted_keys=trusted_keys, on=day(on))
    if json_output:
        typer.echo(release_report.render(found).decode(), nl=False)
    else:
        release_report.show_one(found, layout.console(sys.stdout))
    return found.status


@release.command("sbom", cls=GroupedCommand)
def sbom(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The release.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="The file to write. [default: print it]", show_default=False),
    ] = None,
    folder: _FolderOption = None,
    source: SourceOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write what a release is made of, in CycloneDX 1.6.

    Artifacts, packages, source files and environment with their SHA-256. Of the same release and checkout, everybody gets the same bytes.

    Exit status: 0 it was written, 2 the release cannot be read, or disagrees with itself.
    """
    from teekit_verify import api
    from teekit_verify.core.files import write_named

    made = api.release_materials(name, folder, checkout=source)
    if not made.has_environment:
        say("the checkout has no lock of this release's build environment: its packages are left out")
    if output is None:
        typer.echo(made.data.decode(), nl=False)
    else:
        write_named(output, made.data)
        say(f"wrote {output}")
    return ExitStatus.HOLDS
