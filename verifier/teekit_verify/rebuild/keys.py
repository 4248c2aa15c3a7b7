"""Keys that a stranger's image is signed with and that are not in the project: nobody but their owner can make its bytes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import UnsupportedInputError, printable
from teekit_verify.rebuild.taken import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

# As mkosi's summary has them; what turns each off.
_SIGNED: dict[str, tuple[tuple[object, ...], str]] = {
    "SecureBoot": ((True,), "--secure-boot=no"),
    "SignExpectedPcr": ((True, "enabled"), "--sign-expected-pcr=no"),
    "Verity": (("signed",), "--verity=hash"),
}
_SIGNATURE = re.compile(r"\s*Verity\s*=\s*signature\s*")  # repart.d(5)


def require(main: dict[str, Any], source: str, root: Path) -> None:
    """`main` is the image in mkosi's summary, made in a sandbox where the project in `root` lies at `source`.

    Raises UnsupportedInputError for a signature by a key that is not there, before anything of the image is fetched.
    """
    for setting, (values, off) in _SIGNED.items():
        if main.get(setting) in values and not main.get(f"{setting}Key"):
            value = "yes" if main[setting] is True else str(main[setting])
            raise _error(f"{setting}={printable(value[:40])}", off)
    if main.get("Format") == "disk" and main.get("Verity") == "auto" and not main.get("VerityKey"):
        for name in _partitions(main, source, root):
            raise _error(f"Verity=signature in {name}", _SIGNED["Verity"][1])


def _error(setting: str, off: str) -> UnsupportedInputError:
    return UnsupportedInputError(
        f"the project has {setting}, and the key is not in it: only its owner can make these bytes",
        hint=f"Build it without that signature, by --mkosi-args {off}.",
    )


def _partitions(main: dict[str, Any], source: str, root: Path) -> Iterator[str]:
    """The definitions of partitions that hold a signature, by their names in the project."""
    for folder in main.get("RepartDirectories") or ():
        place = Path(str(folder))
        if not place.is_relative_to(source) or ".." in place.parts:
            continue
        for path in sorted((root / place.relative_to(source)).glob("*.conf")):
            if any(map(_SIGNATURE.fullmatch, lines(path))):
                yield printable(path.relative_to(root).as_posix())
