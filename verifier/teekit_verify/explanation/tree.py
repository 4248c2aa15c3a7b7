"""The tree of differences between two artifacts A and B: plain values, for reports to show.

Names and texts come from the artifacts and are shown as they are found: whoever prints them escapes them.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Kind(Enum):
    """In what respect A and B differ."""

    CONTENT = "content"
    PRESENCE = "presence"
    METADATA = "metadata"
    ORDER = "order"
    NOT_COMPARED = "not compared"
    """The bytes differ, and what they hold could not be read, so that nothing is known of it."""


@frozen
class Cause:
    """What such a difference usually comes from, never what it certainly comes from. `name` is short: "time stamp".

    `advice` is what an image's author can do about it; empty where there is no general answer.
    """

    name: str
    usually: str
    advice: str = ""


@frozen
class Difference:
    """One place where A and B differ.

    `name` is that of this level ("UKI section .initrd", "etc/machine-id"); `what` says it in words. `a` and `b` describe
    what either has there, empty where `what` or the children say it all. `excerpt` shows the first differences line by
    line, each line beginning with "-" (A), "+" (B) or " " (both). `diffoscope` holds lines of diffoscope's, if it ran.
    `count` is of how many it tells, where the children are only the first of them: one field of 939 entries. `is_code`: it is
    of what a processor or a shell runs. `section` is the PE section that this level is, as ".initrd"; empty where it is something else.
    """

    name: str
    kind: Kind
    what: str
    a: str = ""
    b: str = ""
    causes: tuple[Cause, ...] = ()
    excerpt: tuple[str, ...] = ()
    diffoscope: tuple[str, ...] = ()
    children: tuple[Difference, ...] = ()
    count: int = 1
    is_code: bool = False
    section: str = ""


@frozen
class Explanation:
    """What `explain A B` found. `differences` is empty exactly when every byte is equal.

    `notices` say what could not be looked into, and why: a tool that is missing, a limit that was reached.
    """

    a: str
    b: str
    differences: tuple[Difference, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_compared(self) -> bool:
        """Whether anything that differs could be read: otherwise there is no verdict on what A and B hold."""
        return not self.differences or any(
            leaf.difference.kind is not Kind.NOT_COMPARED for leaf in leaves(self.differences)
        )


@frozen
class Leaf:
    """A difference without children, and the names that lead to it, its own last."""

    path: tuple[str, ...]
    difference: Difference


def leaves(differences: Iterable[Difference], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """The ends of the tree, from first to last."""
    for difference in differences:
        here = (*path, difference.name)
        if difference.children:
            yield from leaves(difference.children, here)
        else:
            yield Leaf(here, difference)


def in_unicode(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    r"""The same tree with bytes that are no UTF-8, and half surrogate pairs, written as ``\udcff``: JSON has no place for them."""
    return tuple(
        replace(
            difference,
            name=_clean(difference.name),
            what=_clean(difference.what),
            section=_clean(difference.section),
            a=_clean(difference.a),
            b=_clean(difference.b),
            excerpt=tuple(map(_clean, difference.excerpt)),
            diffoscope=tuple(map(_clean, difference.diffoscope)),
            children=in_unicode(difference.children),
        )
        for difference in differences
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def attached(
    differences: Iterable[Difference], lines: Mapping[tuple[str, ...], tuple[str, ...]], path: tuple[str, ...] = ()
) -> tuple[Difference, ...]:
    """The same tree with lines of diffoscope's, given by path."""
    return tuple(
        replace(
            difference,
            diffoscope=lines.get((*path, difference.name), difference.diffoscope),
            children=attached(difference.children, lines, (*path, difference.name)),
        )
        for difference in differences
    )


def culprits(differences: Iterable[Difference]) -> list[Leaf]:
    """The leaves, those that say most first: with a known cause, then the deepest ones; otherwise in their order. What is told of
    many at once is one, not its examples.
    """
    return sorted(_told(differences), key=lambda leaf: (not leaf.difference.causes, -len(leaf.path)))


def _told(differences: Iterable[Difference], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    for difference in differences:
        here = (*path, difference.name)
        if difference.children and difference.count == 1:
            yield from _told(difference.children, here)
        else:
            yield Leaf(here, difference)
