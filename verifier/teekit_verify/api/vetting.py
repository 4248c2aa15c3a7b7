"""What others say about the packages that an image or its environment is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.packages import appraise_packages, debian_packages
from teekit_verify.core import files
from teekit_verify.rebuild import lock
from teekit_verify.reference import rebuilderd
from teekit_verify.reference.rebuilderd import Listing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.appraisal.packages import RebuiltPackages


def vet_packages(
    locks: Sequence[Path], *, rebuilders: Sequence[str] = (), lists: Sequence[Path] = (), unknown_allowed: bool = False
) -> RebuiltPackages:
    """What rebuilders say of each package of Debian in the locks.

    `rebuilders` are addresses of rebuilderd, which are asked over the network; `lists` are saved answers of one. `unknown_allowed`: it
    is enough that some are good and none is bad. Raises TeekitError for locks and lists that cannot be read, and rebuilders that do not
    answer.
    """
    locked = [package for file in locks for package in lock.load(file).packages]
    names = frozenset(package.name for package in debian_packages(locked))
    listings = [rebuilderd.fetch(address, names) for address in rebuilders]
    for file in lists:
        data = files.read_bounded(file, rebuilderd.MAX_LIST_BYTES, rebuilderd.WHAT)
        listings.append(Listing(str(file), rebuilderd.parse_list(data, str(file), names)))
    return appraise_packages(locked, listings, unknown_allowed=unknown_allowed)
