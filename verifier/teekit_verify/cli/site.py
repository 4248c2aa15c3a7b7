"""`teekit-verify site`: a website of releases and who reproduced them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.auditing import LogPolicyOption, RequireLoggedOption
from teekit_verify.cli.options.rebuild import RebuildersSaidOption
from teekit_verify.cli.options.shared import DebugOption, say
from teekit_verify.cli.options.signing import TrustedKeysOption, day
from teekit_verify.core.outcome import ExitStatus

SiteDayOption = Annotated[
    datetime | None,
    typer.Option(
        "--on",
        metavar="DATE",
        formats=["%Y-%m-%d"],
        help="The day that the site is made for: ages are counted up to it, and keys must not have expired. [default: today]",
    ),
]


def site(
    references: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder `reference`, or its `releases`.", exists=True, file_okay=False),
    ],
    trusted_keys: TrustedKeysOption,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder of the site. An earlier site is replaced.")
    ],
    statements: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A repository of statements: RELEASE/AUDITOR.intoto.jsonl.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    publisher_keys: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Also check who signed the reference files: a folder of OWNER.pem.", show_default=False
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Reports to link to: RELEASE/AUDITOR/report.json.", exists=True, file_okay=False
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the site will stand, for its feed: https://example.org/x.")
    ] = None,
    rebuilders_said: RebuildersSaidOption = None,
    log_policy: LogPolicyOption = None,
    require_logged: RequireLoggedOption = False,
    on: SiteDayOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Make a website of releases and who reproduced them.

    Static pages without scripts, and an Atom feed. The same data and day give the same bytes.

    Exit status: 0 written, and nothing contradicts; 1 written, but auditors contradict each other or what was published, or a release is not in
    order; 2 a release or statement could not be read (the site says so, and is written), or nothing was written.
    """
    from teekit_verify import api
    from teekit_verify.core.new_folder import replace_folder
    from teekit_verify.core.url import require_address
    from teekit_verify.report.site.pages import MARK, SiteOptions, SitePages

    address = "" if url is None else require_address(url, "--url")
    if require_logged and log_policy is None:
        raise typer.BadParameter("--require-logged needs --log-policy FILE")
    surveyed = api.survey_releases(
        references,
        statements,
        trusted_keys,
        day(on),
        publisher_keys=publisher_keys,
        log_policy=log_policy,
        require_logged=require_logged,
    )
    pages = SitePages(
        surveyed.releases,
        SiteOptions(
            day(on),
            surveyed.auditors,
            surveyed.folder,
            reports=reports,
            address=address,
            rebuilders_said=api.SavedAnswers.load(rebuilders_said or ()),
        ),
    )
    count = replace_folder(output, pages.files(), MARK)
    for item in pages.contradictions:
        say(f"CONTRADICTION about {item.release}: {item.text}")
    say(f"wrote {output}: {len(pages.summaries)} releases, {count} files")
    return pages.status
