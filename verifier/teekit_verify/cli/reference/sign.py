"""`teekit-verify reference sign` and `verify`: detached signatures of reference files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.cli.options.signing import KeyOption, OnOption, PassphraseOption, TrustedKeysOption, day, signing_key
from teekit_verify.core.outcome import ExitStatus


def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A reference file.")],
    key: KeyOption,
    passphrase_file: PassphraseOption = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write FILE.sig, a signature of exactly these bytes.

    Signatures of others over the same bytes stay in it.
    """
    from teekit_verify import api

    private = signing_key(key, passphrase_file)
    say(f"wrote {api.sign_reference(file, private)}, signed by key {private.id}")
    return ExitStatus.HOLDS


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A reference file.")],
    trusted_keys: TrustedKeysOption,
    signature: Annotated[Path | None, typer.Option(metavar="FILE", help="Its signature. [default: FILE.sig]")] = None,
    on: OnOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Check that a trusted key signed exactly this file.

    Exit status: 0 at least one good signature by a trusted key, 1 none, 2 something could not be read.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, signature_report

    result = api.verify_reference_signature(file, trusted_keys, day(on), signature=signature)
    if json_output:
        typer.echo(signature_report.render(str(file), result).decode(), nl=False)
    else:
        signature_report.show(str(file), result, layout.console(sys.stdout))
    return result.status
