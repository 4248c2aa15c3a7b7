"""`teekit-verify collateral fetch`: what Intel publishes about a quote's platform, for `quote --collateral`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.quote import AtOption, TrustedRootOption
from teekit_verify.cli.options.shared import DebugOption, say
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.outcome import ExitStatus

collateral = typer.Typer(help="Fetch what Intel publishes about a quote's platform.", rich_markup_mode=None)


@collateral.callback()
def _group() -> None:
    """Keeps `fetch` a command of its own."""


@collateral.command("fetch")
def fetch(
    quote: Annotated[
        Path, typer.Argument(metavar="QUOTE", help="A TDX quote, in any form that `quote` reads.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option("--output", metavar="DIR", help="The folder to write; give it to `quote --collateral`."),
    ],
    pccs: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Ask this Provisioning Certificate Caching Service. [default: Intel's service]",
            show_default=False,
        ),
    ] = None,
    at: AtOption = None,
    trusted_root: TrustedRootOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Fetch revocation lists, TCB info and QE identity of a platform.

    They are of the quote's platform, signed by Intel and of this day, or nothing is written. Afterwards no network is needed,
    until the first of them has to be replaced, which is said.

    Exit status: 0 all was written; 2 not.
    """
    from teekit_verify import api
    from teekit_verify.core.files import create_folder, write_whole

    with expecting(quote, Given.QUOTE):
        fetched = api.fetch_collateral(quote, at=at or datetime.now(UTC), pccs=pccs, trusted_root=trusted_root)
    create_folder(output)
    for name, data in fetched.files.items():
        write_whole(output / name, data)
    say(f"wrote {len(fetched.files)} files into {output}, valid until {fetched.next_update:%Y-%m-%d}")
    return ExitStatus.HOLDS
