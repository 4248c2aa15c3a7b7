"""Who vouches for the tools that make an image, and for what it is compared with: whoever wrote both can have any verdict."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.rebuild.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.rebuild.lock import PackageLock

_MOST_REFERENCES = 1000


class EnvironmentFrom(Enum):
    """Whose the lock of the environment is. `PUBLISHED`: a reference of the program names it; `DEBIAN`: all of its packages
    are in Debian's signed index; `UNKNOWN`: whoever wrote the source chose the tools.
    """

    PROGRAM = "program"
    PUBLISHED = "published"
    DEBIAN = "debian"
    UNKNOWN = "unknown"


class ReferenceFrom(Enum):
    """Where a reference was taken from: the program's own folder, the folder of the source, or wherever the user said."""

    PROGRAM = "program"
    SOURCE = "source"
    NAMED = "named"


class UnknownEnvironmentError(TeekitError):
    """The environment of a commit is neither the program's nor shown to be Debian's."""


def own_project() -> Project | None:
    """The checkout that the program runs from, whatever folder one stands in; None where it was installed without one."""
    try:
        return Project.find(Path(__file__))
    except TeekitError:
        return None


def environment_from(
    locked: PackageLock, own: Project | None, is_debians: Callable[[PackageLock], bool]
) -> EnvironmentFrom:
    """`is_debians` is asked last: it fetches an index."""
    if own is not None:
        if locked in own.environments().values():
            return EnvironmentFrom.PROGRAM
        if locked.digest().hex in _published(own.references):
            return EnvironmentFrom.PUBLISHED
    return EnvironmentFrom.DEBIAN if is_debians(locked) else EnvironmentFrom.UNKNOWN


def _published(references: Path) -> set[str]:
    """The digests of environments' locks in the program's references; what cannot be read vouches for nothing."""
    found = set()
    for path in sorted(references.rglob("*.json"))[:_MOST_REFERENCES]:
        try:
            document: Any = codec.plain_json(codec.read_bounded(path), str(path))
            found.add(str(document["inputs"]["environment"]["lock_sha256"]))
        except (TeekitError, LookupError, TypeError):
            continue
    return found


def require_known(found: EnvironmentFrom, *, allowed: bool) -> None:
    """Raises UnknownEnvironmentError for tools that nobody vouches for, unless that was asked for."""
    if found is EnvironmentFrom.UNKNOWN and not allowed:
        raise UnknownEnvironmentError(
            "the commit's environment lock is not this program's, and its packages are not shown to be Debian's: whoever "
            "wrote the commit chose the tools that make the image",
            hint="Read the lock, and build with it by --allow-foreign-environment: the report will say so.",
        )


def reference_from(reference: Path, source: Path, own: Project | None, *, is_default: bool) -> ReferenceFrom:
    """`source` is the folder that the source was taken from; `is_default` where nobody named the reference: then it is that of
    the checkout which one stands in, or has named as the source.
    """
    place = reference.resolve()
    if own is not None and place.is_relative_to(own.root.resolve()):
        return ReferenceFrom.PROGRAM
    return ReferenceFrom.SOURCE if is_default or place.is_relative_to(source.resolve()) else ReferenceFrom.NAMED
