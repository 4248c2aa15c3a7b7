"""Where the source of a rebuild came from, as its report says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ChangeKind(Enum):
    """How a file differs from the commit. ADDED: git does not know it."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is not that of the commit; as text it is a line of `Origin.changes`."""

    kind: ChangeKind
    path: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.path}"


@dataclass(frozen=True, slots=True)
class Origin:
    """`repository` is None for a checkout on this host, `commit` for a folder that git knows nothing of.

    `tag` is the name that was asked for and resolved to `commit`; `signed_by` says whose signature it has, if that was
    checked, and is empty otherwise. `changes` are files that are not those of the commit: `changed mkosi/base.conf`.
    """

    repository: str | None
    commit: str | None
    tag: str | None = None
    signed_by: str = ""
    changes: tuple[str, ...] = ()
