"""What rebuilders say of a package, in words: nothing reads them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.documents.rebuilt_packages import PackageStanding

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.documents.built import Package
    from teekit_verify.documents.rebuilt_packages import RebuiltInputs

STANDINGS = {
    PackageStanding.GOOD: "GOOD",
    PackageStanding.BAD: "BAD",
    PackageStanding.UNKNOWN: "not rebuilt yet",
    PackageStanding.NOT_LISTED: "not listed",
}


def rebuilders_say(said: RebuiltInputs | None) -> Callable[[Package], str]:
    """Of each package that was asked about."""
    others = {} if said is None else {(one.name, one.version, one.architecture): one.standing for one in said.not_good}
    return lambda package: STANDINGS[
        others.get((package.name, package.version, package.architecture), PackageStanding.GOOD)
    ]
