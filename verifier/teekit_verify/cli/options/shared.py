"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import typer

from teekit_verify.core.errors import printable, shown
from teekit_verify.core.url import redacted
from teekit_verify.report.console import OUTCOME_ONLY, Text, console

if TYPE_CHECKING:
    from teekit_verify.api import Provision

Kernel = Literal["debian", "source"]
SNAPSHOT_ARCHIVE = "https://snapshot.debian.org/archive"
DEBUG_FLAG = "--debug"
_SHOWING = frozenset({"json_output", "debug"})

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
DebugOption = Annotated[bool, typer.Option(DEBUG_FLAG, help="Show a traceback when something goes wrong.")]
AcceleratorOption = Annotated[
    Literal["kvm", "tcg"] | None,
    typer.Option(help="How QEMU runs the guest. [default: KVM where it runs the guest, else TCG]", show_default=False),
]
EventsOption = Annotated[bool, typer.Option("--events", help="Also show the event logs.")]
MirrorOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A Debian mirror: the address of the folder that holds `debian` and `debian-security`.",
        envvar="TEEKIT_DEBIAN_MIRROR",
    ),
]
SnapshotArchiveOption = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="The snapshot archive to ask for packages that no mirror carries any more.",
        envvar="TEEKIT_SNAPSHOT_ARCHIVE",
    ),
]
SnapshotOption = Annotated[
    str | None,
    typer.Option(help="Lock packages as the snapshot archive had them at this time: 20261121T081046Z.", metavar="TIME"),
]
NpmRegistryOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The registry of npm packages. [default: the one that ~/.npmrc names]",
        envvar="TEEKIT_NPM_REGISTRY",
        show_default=False,
    ),
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--inputs",
        metavar="PLACE",
        help="An archive of inputs to ask first: a folder, an address, or oci://HOST/NAME. May be repeated.",
        envvar="TEEKIT_INPUTS",
        show_default=False,
    ),
]
SourceOption = Annotated[
    Path | None,
    typer.Option(
        "--source",
        metavar="DIR",
        help="A checkout of this repository. [default: the one you are in]",
        exists=True,
        file_okay=False,
    ),
]
ImageOption = Annotated[str, typer.Option(metavar="NAME", help="Which image: base or tdx-kettle.")]
ProfileOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="What the image is for: gcp, azure, devtools. [default: just the UKI]"),
]
EnvironmentOption = Annotated[
    str | None,
    typer.Option(
        "--environment", metavar="NAME", help="Which pinned environment: mkosi-25 or mkosi-27.", show_default=False
    ),
]
KernelOption = Annotated[
    Kernel, typer.Option(help="Debian's prebuilt kernel (minutes), or one built from Debian's kernel source.")
]
LockOption = Annotated[
    Path | None,
    typer.Option(
        "--lock", metavar="FILE", help="The lock of the image's packages. [default: mkosi/packages.lock.json]"
    ),
]

_NPM_SETTINGS = (Path("/usr/etc/npmrc"), Path("/etc/npmrc"))  # npm's global ones, by the prefix it was built with


def cache_directory() -> Path:
    """Where downloads are kept: `teekit-verify` in the user's cache folder (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "teekit-verify"


def provision(
    source: Path | None,
    mirror: str | None,
    snapshot_archive: str,
    npm_registry: str | None = None,
    inputs: list[str] | None = None,
    environment: str | None = None,
) -> Provision:
    """What the commands that bring the environment or packages start from."""
    from teekit_verify import api
    from teekit_verify.report.progress import StderrProgress

    return api.provision(
        source,
        cache_directory(),
        StderrProgress(),
        mirror=mirror,
        snapshot_archive=snapshot_archive,
        npm_registry=npm_registry,
        npm_settings=(Path.home() / ".npmrc", *_NPM_SETTINGS),
        npm=None if (npm := shutil.which("npm")) is None else Path(npm),
        inputs=inputs or (),
        environment=environment,
    )


def say(text: str) -> None:
    """On standard error: what was done, with names that may be anybody's. Not with --quiet."""
    if not OUTCOME_ONLY.get():
        _show(sys.stderr, printable(text))


def tell(text: str) -> None:
    """On standard output: a line of a result. Not with --quiet: its outcome is told by `tell_outcome`."""
    if not OUTCOME_ONLY.get():
        _show(sys.stdout, printable(text))


def tell_outcome(text: str) -> None:
    """On standard output: what the result comes to."""
    _show(sys.stdout, printable(text))


def _show(stream: TextIO, text: str) -> None:
    """On a terminal, broken to its width."""
    out = console(stream)
    for line in text.split("\n"):
        out.outcome(Text(line))


def say_error(message: str, hint: str | None) -> None:
    """On standard error, as every command says what went wrong; made fit for a terminal whoever wrote it."""
    _show(sys.stderr, f"error: {shown(message)}")
    if hint:
        _show(sys.stderr, f"hint: {printable(hint)}")


def say_warning(message: str) -> None:
    """On standard error; it changes no exit status."""
    _show(sys.stderr, f"warning: {printable(message)}")


def profiles_of(kernel: Kernel, profile: str | None) -> tuple[str, ...]:
    """The mkosi profiles that the two options choose."""
    from teekit_verify import api

    return tuple(name for name in (profile, api.DEBIAN_KERNEL if kernel == "debian" else None) if name)


def require_no_options(context: typer.Context) -> None:
    """Options of a group that works without a command too mean nothing to its commands. Raises typer.BadParameter."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(f"{parameter.opts[-1]} is not an option of {context.invoked_subcommand}")


def command_line(context: typer.Context) -> tuple[str, ...]:
    """The running command with the options that were given, in the order of its help, less those for showing the result."""
    words = context.command_path.split()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE" or parameter.name in _SHOWING:
            continue
        value = context.params[parameter.name or ""]
        for one in value if isinstance(value, list | tuple) else [value]:
            words += [parameter.opts[-1]] if isinstance(one, bool) else [parameter.opts[0], redacted(str(one))]
    return tuple(words)
