"""`teekit-verify attest public-key`: what others pin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption
from teekit_verify.cli.options.signing import PassphraseOption, signing_key
from teekit_verify.core.outcome import ExitStatus


def public_key(
    key: Annotated[
        Path, typer.Argument(metavar="KEY", help="Your key, as --key takes it: a PEM file, OpenSSH's, or its .pub.")
    ],
    passphrase_file: PassphraseOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Print the public half of a key, as others pin it.

    A PEM file on standard output: OWNER.pem in a folder of trusted keys. No agent is asked for that of an OpenSSH key.
    """
    from teekit_verify import api

    typer.echo(api.public_half(signing_key(key, passphrase_file)).decode(), nl=False)
    return ExitStatus.HOLDS
