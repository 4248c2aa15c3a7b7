"""`teekit-verify reference sign` and `verify`: detached signatures of reference files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.cli.options.signing import KeyOption, OnOption, TrustedKeysOption, day, signing_key
from teekit_verify.core.outcome import ExitStatus


def _signature_of(file: Path) -> Path:
    return file.with_name(file.name + ".sig")


def sign(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A reference file.")],
    key: KeyOption,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write FILE.sig, a signature of exactly these bytes.

    Signatures of others over the same bytes stay in it.
    """
    from teekit_verify.core.files import write_whole
    from teekit_verify.documents import codec
    from teekit_verify.reference.signing import dsse
    from teekit_verify.reference.signing.detached import sign_reference

    private = signing_key(key)
    data, target = codec.read_bounded(file), _signature_of(file)
    earlier = dsse.parse(codec.read_bounded(target), str(target)) if target.exists() else None
    write_whole(target, sign_reference(data, private, str(file), earlier))
    say(f"wrote {target}, signed by key {private.id}")
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
    from teekit_verify.documents import codec, load
    from teekit_verify.reference.signing import dsse
    from teekit_verify.reference.signing.detached import verify_reference
    from teekit_verify.reference.signing.keys import load_trusted_keys
    from teekit_verify.report import layout, signature_report

    trusted = load_trusted_keys(trusted_keys)
    data, place = codec.read_bounded(file), signature or _signature_of(file)
    envelope = dsse.parse(codec.read_bounded(place), str(place))
    result = verify_reference(data, envelope, trusted, day(on))
    load.parse_reference(data, str(file))
    if json_output:
        typer.echo(signature_report.render(str(file), result).decode(), nl=False)
    else:
        signature_report.show(str(file), result, layout.console(sys.stdout))
    return result.status
