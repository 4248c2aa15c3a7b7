"""The private root in which apt works: its own sources and settings, in a sandbox; the host's packages and lists play no part."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import url
from teekit_verify.rebuild import limits, programs, proxies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.rebuild.suites import Archive, Component

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PLACE = "/apt"  # the place of the private root in the sandbox
_TIMEOUT_SECONDS = 600
_MEMORY_BYTES = 2 << 30  # its cache of trixie's index has some 100 MiB
_FILE_BYTES = 1 << 30


def write(
    root: Path,
    bases: Sequence[tuple[Archive, str]],
    suites: Sequence[tuple[Archive, str]],
    components: Sequence[Component],
    preferences: str,
) -> None:
    """Everything that apt needs to start, under `root`: sources of `suites` in `bases`, pins, settings, and no package installed."""
    for folder in (
        "etc/apt.conf.d",
        "etc/preferences.d",
        "etc/sources.list.d",
        "lists/partial",
        "empty",  # where apt stands, so that no name is one of a file
        "cache/archives/partial",
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)  # the address of a mirror may have a user in it
    (root / "status").write_text("")
    (root / "etc/sources.list").write_text(
        "".join(
            f"deb [signed-by={_keyring_place()} arch=amd64] {base} {suite} {' '.join(components)}\n"
            for archive, base in bases
            for of, suite in suites
            if of == archive
        )
    )
    (root / "etc/preferences").write_text(preferences)
    (root / "apt.conf").write_text(
        f"""\
Dir "{PLACE}";
Dir::Etc "{PLACE}/etc";
Dir::State "{PLACE}";
Dir::State::status "{PLACE}/status";
Dir::Cache "{PLACE}/cache";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
"""
    )


def run(root: Path, *argv: str) -> str:
    """What a program of apt prints, with the private root as its only configuration, in a sandbox with the mirror's network.

    Raises ToolFailedError.
    """
    completed = programs.run(
        argv,
        bounds=(f"--as={_MEMORY_BYTES}", f"--fsize={_FILE_BYTES}"),
        timeout_seconds=_TIMEOUT_SECONDS,
        reads={_keyring_place(): KEYRING, **_local_mirrors(root)},
        fills={PLACE: programs.given_away(root)},
        environment={**proxies.proxies().environment(), "APT_CONFIG": f"{PLACE}/apt.conf"},
        network=True,
        working_directory=f"{PLACE}/empty",
        watch=limits.leaves_room(root),
    )
    return completed.stdout.decode(errors="replace")


def _keyring_place() -> str:
    """Apt tells the kinds of keys by the ending."""
    return f"/keyring{KEYRING.suffix}"


def _local_mirrors(root: Path) -> dict[str, Path]:
    """The folders that the sources name, each in its own place."""
    bases = [line.split()[3] for line in (root / "etc/sources.list").read_text().splitlines()]
    folders = {as_apt_writes(base).removeprefix("file:").rstrip("/") for base in bases if base.startswith("file:")}
    return {folder: Path(folder) for folder in sorted(folders) if Path(folder).is_dir()}


def as_apt_writes(address: str) -> str:
    """Decoded, with one slash after `file:`."""
    return re.sub("^file:/+", "file:/", url.decoded(address))
