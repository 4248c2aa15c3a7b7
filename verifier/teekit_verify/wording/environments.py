"""Which pinned environment was taken, and why, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.rebuild.environments import Because

if TYPE_CHECKING:
    from teekit_verify.rebuild.environments import EnvironmentChosen


def environment_words(chosen: EnvironmentChosen) -> str:
    """`mkosi-27: mkosi.conf says MinimumVersion=26`."""
    wanted = chosen.wanted
    asks = "" if wanted is None else f"{printable(wanted.file)} says {printable(wanted.setting)}"
    return f"{printable(chosen.name)}: {_why(chosen.because, asks)}"


def _why(because: Because, asks: str) -> str:
    match because:
        case Because.ASKED:
            return "named with --environment" + (f"; {asks}" if asks else "")
        case Because.WANTED:
            return asks
        case Because.DEFAULT:
            return "nothing asks for a newer mkosi"
        case Because.OWN:
            return "that of the images of this repository"
