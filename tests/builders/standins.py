"""Stand-ins for external programs: small shell scripts on a PATH of their own, which write down how they were called."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

BASICS = [
    "awk",
    "cat",
    "chmod",
    "cut",
    "date",
    "df",
    "dirname",
    "env",
    "find",
    "flock",
    "git",
    "grep",
    "head",
    "install",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "printf",
    "readlink",
    "rm",
    "sed",
    "setsid",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "tail",
    "touch",
    "true",
]


@dataclass(frozen=True, slots=True)
class StandIns:
    """A folder that is the whole PATH: the basic programs of any Debian, and the stand-ins a test adds."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> StandIns:
        folder.mkdir()
        for name in BASICS:
            real = shutil.which(name)
            assert real is not None, name
            (folder / name).symlink_to(real)
        made = cls(folder)
        made.set_user(0)
        return made

    def add(self, name: str, body: str = "exit 0") -> None:
        """A program that notes its name and arguments, one line each call, and then runs `body`."""
        self.add_at(self.folder / name, body)

    def add_at(self, path: Path, body: str = "exit 0") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{path.name} $*" >>"{self._record}"\n{body}\n')
        path.chmod(0o755)

    def set_user(self, number: int) -> None:
        """Scripts take themselves to run as this user id; 0 unless told otherwise."""
        (self.folder / "id").write_text(f"#!/bin/sh\ncase $1 in -un) echo somebody ;; *) echo {number} ;; esac\n")
        (self.folder / "id").chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """How stand-ins were called so far: name and arguments."""
        return self._record.read_text().splitlines() if self._record.exists() else []

    def run(self, *argv: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script with nothing else on the PATH, without a terminal and with a clean environment."""
        return subprocess.run(
            [str(argument) for argument in argv],
            env={
                "PATH": str(self.folder),
                "HOME": str(self.folder),
                "DPKG_ROOT": str(self.folder.parent / "host"),
                "TMPDIR": str(self.folder.parent),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    @property
    def _record(self) -> Path:
        return self.folder.parent / "calls"
