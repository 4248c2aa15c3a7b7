r"""Files that systemd-stub picks up with a UKI (systemd-stub(7), "Companion Files"): addons, credentials, extensions.

They lie in `\EFI\...\NAME.efi.extra.d` beside the UKI, or for all UKIs in `\loader\addons`, `\loader\credentials` and
`\loader\extensions` ("shared" here). The stub goes by the end of a name, in upper or lower case; what it does not know stays where it is.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

MAX_FILE_BYTES = 1 << 28
MAX_FILES = 1000
_MAX_NAME_CHARACTERS = 255


class CompanionKind(Enum):
    """By the end of the name; the longer end counts."""

    ADDON = ".addon.efi"
    CREDENTIAL = ".cred"
    CONFEXT = ".confext.raw"
    EXTENSION = ".raw"


@frozen
class Companion:
    """One file. `shared`: it is for every UKI of the ESP."""

    name: str
    content: bytes
    shared: bool = False

    @property
    def kind(self) -> CompanionKind:
        """Raises TeekitError for a name that the stub passes over."""
        found = kind_of(self.name)
        if found is None:
            raise TeekitError(f"{printable(self.name)}: systemd-stub does not load a file of this name")
        return found


def kind_of(name: str) -> CompanionKind | None:
    """None for what the stub passes over: hidden names, names that are not ASCII, other ends."""
    if name.startswith(".") or not name.isascii() or len(name) > _MAX_NAME_CHARACTERS:
        return None
    return next((kind for kind in CompanionKind if name.lower().endswith(kind.value)), None)


def read_companions(paths: Iterable[Path], *, shared: bool = False) -> tuple[Companion, ...]:
    """Files, and what the stub would take of folders. Raises TeekitError for a file it would pass over, and for two of one name."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += [item for item in sorted(path.iterdir()) if item.is_file() and kind_of(item.name)]
        elif kind_of(path.name) is None:
            raise UnsupportedInputError(
                f"{path}: systemd-stub does not load a file of this name",
                hint=f"Give a name that ends in {', '.join(kind.value for kind in CompanionKind)}.",
            )
        else:
            files.append(path)
    require_different_names([path.name for path in files])
    return tuple(Companion(path.name, read_bounded(path, MAX_FILE_BYTES, "a companion file"), shared) for path in files)


def require_different_names(names: Sequence[str]) -> None:
    """Of one folder: FAT does not tell upper from lower case. Raises TeekitError."""
    if len(names) > MAX_FILES:
        raise UnsupportedInputError(f"{len(names)} files beside the UKI, at most {MAX_FILES} are read")
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise TeekitError(
                f"two files called {printable(name)} beside the UKI", hint="Give each file once, as it is on the ESP."
            )
        seen.add(name.lower())
