"""Options of the commands that sign and that check signatures; the day that "today" is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from teekit_verify.cli.options.shared import say

if TYPE_CHECKING:
    from teekit_verify.api import Independence, SigningKey

KeyOption = Annotated[
    Path,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Your private key: Ed25519, ECDSA P-256 or RSA, a PEM file or OpenSSH's; its .pub for one in an SSH agent.",
    ),
]
OptionalKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Your private key: Ed25519, ECDSA P-256 or RSA, a PEM file or OpenSSH's; its .pub for one in an SSH agent.",
        show_default=False,
    ),
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="The passphrase of an encrypted key: the first line of this file. [default: ask for it]",
        show_default=False,
    ),
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


@dataclass(frozen=True)
class IndependenceOptions:
    """What an auditor says of itself, in a statement."""

    HEADING: ClassVar = "About yourself"
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Who runs the machine. This is not checked; readers decide what it is worth."
        ),
    ] = None
    country: Annotated[str | None, typer.Option(metavar="CC", help="Where it stands: a code of ISO 3166-1, as NO.")] = (
        None
    )
    provider: Annotated[str | None, typer.Option(metavar="TEXT", help="Whose hardware it is.")] = None

    def said(self) -> Independence | None:
        from teekit_verify import api

        given = (self.operator, self.country, self.provider)
        return None if given == (None, None, None) else api.Independence(*given)


def day(on: datetime | None) -> date:
    return (on or datetime.now(UTC)).date()


_MAX_PASSPHRASE_BYTES = 4096


def _passphrase(path: Path, file: Path | None) -> bytes | None:
    """Asked for where somebody sits at a terminal. None for a key that is not encrypted, and where nobody can be asked."""
    from teekit_verify import api
    from teekit_verify.core.files import read_bounded

    if not api.key_is_encrypted(path):
        return None
    if file is not None:
        return read_bounded(file, _MAX_PASSPHRASE_BYTES, "a passphrase").split(b"\n")[0].rstrip(b"\r")
    if not sys.stdin.isatty():
        return None
    return str(typer.prompt(f"Passphrase of {path}", hide_input=True, err=True)).encode()


def _agent() -> Path | None:
    socket = os.environ.get("SSH_AUTH_SOCK")
    return Path(socket) if socket else None


def signing_key(path: Path, passphrase_file: Path | None = None) -> SigningKey:
    """The key, and a warning if others can read it."""
    from teekit_verify import api

    key, readable_by_others = api.load_signing_key(path, _passphrase(path, passphrase_file), _agent())
    if readable_by_others:
        say(f"warning: other users can read {path}: chmod 600 {path}")
    return key
