"""Options of the commands that sign and that check signatures; the day that "today" is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options.shared import say

if TYPE_CHECKING:
    from teekit_verify.api import SigningKey

KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Your private key: a PEM file, Ed25519 or ECDSA P-256.")
]
TrustedKeysOption = Annotated[
    Path,
    typer.Option(
        "--trusted-keys", metavar="DIR", help="The folder of the public keys you trust: OWNER.pem. None is built in."
    ),
]
OnOption = Annotated[
    datetime | None,
    typer.Option(
        "--on",
        "--at",
        metavar="DATE",
        formats=["%Y-%m-%d"],
        help="The day on which keys must not have expired, as 2026-02-03. [default: today]",
    ),
]


def day(on: datetime | None) -> date:
    return (on or datetime.now(UTC)).date()


def signing_key(path: Path) -> SigningKey:
    """The key, and a warning if others can read it."""
    from teekit_verify import api

    key, readable_by_others = api.load_signing_key(path)
    if readable_by_others:
        say(f"warning: other users can read {path}: chmod 600 {path}")
    return key
