"""`teekit-verify local`: runs an image on this machine, with what it needs from a cloud."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options.shared import AcceleratorOption, DebugOption, JsonOption, say_error
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.api import Metadata, Ready

_SCHEMA = "teekit-verify/local/v1"
_IMAGE = Path("build/tdx-debian.efi")
_MANIFEST = Path("kettle-artifacts/manifest.json")
_NONCE_BYTES = 32
_DUMMY_ANSWER = "a dummy quote is never authentic, so it says REFUSED"
_TPM_ANSWER = "no hardware vouches for this machine's TPM, so it says NO VERDICT"


def local(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A UKI, or a disk with one.")] = _IMAGE,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help=f"The manifest of a kettle; several for several kettles. [default: {_MANIFEST}, if it is there]",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    app: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Run this app instead: serve it, with a manifest.",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    hostname: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Host names, with commas between.", show_default=False)
    ] = None,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long kettles may take.")
    ] = 900,
    accelerator: AcceleratorOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Run IMAGE in QEMU with dummy TDX quotes, until Ctrl-C.

    A metadata service answers it, and its kettles answer on ports of this machine. Nothing is verified.

    Exit status: 0 it was ended with Ctrl-C while its kettles answered; 2 anything else.
    """
    from teekit_verify import api
    from teekit_verify.report.progress import StderrProgress

    paths = None if app is not None else manifest or ([_MANIFEST] if _MANIFEST.exists() else [])
    metadata = _metadata(manifest, app, hostname)
    options = api.LocalOptions(
        metadata=metadata,
        kettles=max(1, len(metadata.manifests)),
        seconds=timeout_seconds,
        accelerators=None if accelerator is None else (accelerator,),
    )
    answered = False

    def when_ready(ready: Ready) -> None:
        nonlocal answered
        answered = True
        words = json.dumps({"schema": _SCHEMA, **asdict(ready)}, default=str) if json_output else _in_words(ready)
        typer.echo(words if json_output else "\n".join([words, *_checked_by(ready, image, paths), "Ctrl-C ends it."]))

    try:
        api.run_local(image, options, datetime.now(UTC), StderrProgress(), when_ready)
    except KeyboardInterrupt:
        if not answered:
            raise
    except TeekitError as error:
        if not answered:
            raise
        # Not as JSON: standard output has had its document.
        say_error(error.message, error.hint)
        return ExitStatus.NO_VERDICT
    return ExitStatus.HOLDS


def _metadata(manifests: list[Path] | None, app: Path | None, hostname: str | None) -> Metadata:
    from teekit_verify import api

    if app is not None:
        if manifests:
            raise typer.BadParameter("--app makes its own manifest", param_hint="--manifest")
        content = app.read_bytes()
        fields = {"app": f"http://10.0.2.2:{api.METADATA_PORT}/app.js", "sha256": hashlib.sha256(content).hexdigest()}
        return api.Metadata((json.dumps(fields).encode(),), hostname, content)
    paths = manifests or ([_MANIFEST] if _MANIFEST.exists() else [])
    if len(paths) > api.MOST_KETTLES:
        raise typer.BadParameter(
            f"{len(paths)} are too many, an image runs {api.MOST_KETTLES}", param_hint="--manifest"
        )
    return api.Metadata(tuple(path.read_bytes() for path in paths), hostname)


def _in_words(ready: Ready) -> str:
    """Plain `label: value` lines."""
    lines = [f"kettle {number}:          {url}" for number, url in enumerate(ready.kettles)]
    lines += [f"HTTPS:             {ready.https}"] if ready.https else []
    return "\n".join(
        [
            *lines,
            f"metadata service:  {ready.metadata}/manifest/decoded",
            f"dummy TDX quotes:  {ready.quotes}/attest/HEX (64 bytes)",
            f"serial console:    socat - UNIX-CONNECT:{ready.console}",
        ]
    )


def _checked_by(ready: Ready, image: Path, manifests: list[Path] | None) -> list[str]:
    """The commands that check the machine; `manifests` is None where one was made for an app."""
    made = manifests is None
    platform, answer = ("uefi-vtpm", _TPM_ANSWER) if _tpm_alone(ready) else ("qemu", _DUMMY_ANSWER)
    names = ["manifest.json"] if manifests is None else [str(path) for path in manifests]
    given = "".join(f" --manifest {shlex.quote(name)}" for name in names)
    return [
        f"check it, from another terminal ({answer}):",
        *([f"  curl -so manifest.json {ready.metadata}/manifest/decoded"] if made else []),
        f"  teekit-verify measure {shlex.quote(str(image))} --platform {platform} --output measurements.json",
        f"  teekit-verify guest {ready.attestation} --reference measurements.json{given} --platform {platform} --allow-unchecked channel",
    ]


def _tpm_alone(ready: Ready) -> bool:
    """Whether it quotes by its TPM and nothing else: only the profile devtools asks for dummy quotes."""
    from teekit_verify import api

    if not ready.tpm:
        return False
    try:
        return api.ask_guest(ready.attestation, nonce=secrets.token_bytes(_NONCE_BYTES)).answer.tdx is None
    except TeekitError:  # it is only about words
        return False
