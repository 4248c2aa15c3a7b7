"""Which packages a project takes from Debian's backports: those that its own pins name, and what only backports have.

A project says so where apt itself would read it (apt_preferences(5)), in `mkosi.sandbox/etc/apt/preferences.d/`. Other pins are
not for the archives that locks are made from, and are passed over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.rebuild.suites import TRIXIE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.rebuild.suites import Suite

_FOLDER = "mkosi.sandbox/etc/apt/preferences.d"
_MAX_FILES = 100
_MAX_BYTES = 64 << 10
_PIN = re.compile(r"release\s+n\s*=\s*(\S+)")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,100}")  # Debian Policy, 5.6.1
_PRIORITY = 990  # above that of a suite that is not pinned, 500


def pinned(mkosi: Path, suite: Suite = TRIXIE) -> tuple[str, ...]:
    """The names of packages that a project's `mkosi/` pins to backports, sorted. Raises TeekitError for what is no name."""
    if suite.backports is None:
        return ()
    return tuple(sorted({name for path in _files(mkosi / _FOLDER) for name in _names(path, suite.backports)}))


def preferences(names: tuple[str, ...], suite: Suite = TRIXIE) -> str:
    """The same for apt: one stanza, nothing if there is no name."""
    if not names or suite.backports is None:
        return ""
    return f"Package: {' '.join(names)}\nPin: release n={suite.backports}\nPin-Priority: {_PRIORITY}\n"


def _files(folder: Path) -> list[Path]:
    """As apt_preferences(5) says: no ending, or `.pref`."""
    if not folder.is_dir():
        return []
    found = sorted(path for path in folder.iterdir() if path.suffix in {"", ".pref"} and path.is_file())
    if len(found) > _MAX_FILES:
        raise TeekitError(f"{folder} has more than {_MAX_FILES} files", hint="Put the pins into one file.")
    return found


def _names(path: Path, suite: str) -> Iterator[str]:
    text = read_bounded(path, _MAX_BYTES, "a file of pins").decode(errors="replace")
    plain = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", plain):
        fields = {
            name.lower(): value.strip() for name, value in re.findall(r"^([A-Za-z-]+):(.*)$", stanza, re.MULTILINE)
        }
        pin = _PIN.fullmatch(fields.get("pin", ""))
        if pin is None or pin[1] != suite:
            continue
        for name in fields.get("package", "").split():
            if not _NAME.fullmatch(name):
                raise TeekitError(
                    f"{path}: '{printable(name[:100])}' is not a plain name of a package",
                    hint=f"Name each package that is to come from {suite}.",
                )
            yield name
