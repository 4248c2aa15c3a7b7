"""The packages of a build against saved answers of rebuilders (`packages`), as reports and statements tell it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.packages import appraise_built
from teekit_verify.core import files
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.rebuilt_packages import Answer, NotGood, PackageStanding, RebuiltCounts, RebuiltInputs
from teekit_verify.reference import rebuilderd
from teekit_verify.reference.rebuilderd import Listing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from teekit_verify.documents.built import Package

_MOST_ANSWERS = 16


@dataclass(frozen=True, slots=True)
class SavedAnswers:
    """What rebuilders said, read from files."""

    answers: tuple[Answer, ...] = ()
    listings: tuple[Listing, ...] = ()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> SavedAnswers:
        """Raises TeekitError for what is no answer of a rebuilder's."""
        if len(paths) > _MOST_ANSWERS:
            raise TeekitError(f"expected at most {_MOST_ANSWERS} answers of rebuilders, found {len(paths)}")
        read = [_read(path) for path in paths]
        return cls(tuple(answer for answer, _ in read), tuple(listing for _, listing in read))

    def of(self, packages: Sequence[Package], foreign: Collection[Digest] = ()) -> RebuiltInputs | None:
        """What they say of these packages; None without an answer, or without a package.

        Of `foreign` ones, by digest, nobody who rebuilds Debian says anything: another's may have the same name and version.
        """
        if not self.answers or not packages:
            return None
        ours = [package for package in packages if package.sha256 not in foreign]
        theirs = [package for package in packages if package.sha256 in foreign]
        found = (*appraise_built(ours, self.listings), *appraise_built(theirs, ()))
        others = (item for item in found if item.standing is not PackageStanding.GOOD)
        count = Counter(item.standing for item in found)
        counts = RebuiltCounts(
            good=count[PackageStanding.GOOD],
            bad=count[PackageStanding.BAD],
            unknown=count[PackageStanding.UNKNOWN],
            not_listed=count[PackageStanding.NOT_LISTED],
            answers=self.answers,
        )
        return RebuiltInputs(
            counts, tuple(NotGood(item.name, item.version, item.architecture, item.standing) for item in others)
        )


def _read(path: Path) -> tuple[Answer, Listing]:
    data = files.read_bounded(path, rebuilderd.MAX_LIST_BYTES, rebuilderd.WHAT)
    answer = Answer(path.name, Digest.of(Algorithm.SHA256, data))
    return answer, Listing(path.name, rebuilderd.parse_list(data, str(path), None))
