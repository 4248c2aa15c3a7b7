"""Why two artifacts differ, for people and as JSON: the most telling differences first, on one screen, one line for each cause."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.explanation.tree import Kind, Leaf
from teekit_verify.record.json_report import render
from teekit_verify.report.layout import show_line, show_outcome, styled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.explanation.tree import Difference, Explanation
    from teekit_verify.report.console import Console, Text

EXPLANATION_SCHEMA = "teekit-verify/explanation/v1"
_SCREEN_LINES = 16
_LEAST = 4
_HEAD = 2
"""Where it is, and what differs."""
_MAX_LINE = 116
_MAX_EXCERPT = 2
_MAX_DIFFOSCOPE = 2
_MAX_NOTICES = 4
_MAX_NOTICE = 3 * _MAX_LINE
"""A sentence, which a terminal breaks: its end says what to do."""
_SIGNS = {"-": "red", "+": "green"}


def render_explanation(explanation: Explanation, status: ExitStatus) -> bytes:
    """What `explain --json` prints."""
    return render({"schema": EXPLANATION_SCHEMA, "exit_status": int(status)}, explanation)


def show_explanation(explanation: Explanation, out: Console, *, more: str = "--json") -> None:
    """The culprits in full as far as the screen goes, then their names; `more` is where all of them are."""
    if not explanation.differences:
        show_outcome(out, ExitStatus.HOLDS, "IDENTICAL: every byte of A and B is equal")
        _show_notices(explanation, out, more)
        return
    found = ordered(explanation)
    show_outcome(out, *_headline(explanation, found))
    groups = grouped(found)
    left, told = _SCREEN_LINES, 0
    for group in groups:
        lines = list(_lines(group.first))
        if len(group.leaves) > 1:
            lines.append((styled(f"and {len(group.leaves) - 1} more with this cause{group.words}, in {more}"), 6))
        if left < (_HEAD if group.cause else 1):  # a path alone says less than the name of its cause, below
            break
        lines = lines[: left if told else _SCREEN_LINES - _LEAST]  # the second is what nothing explains
        for line, indent in lines:
            show_line(out, line, indent=indent)
        left, told = left - len(lines), told + 1
    _show_rest(groups[told:], out, more)
    _show_notices(explanation, out, more)


def _show_notices(explanation: Explanation, out: Console, more: str) -> None:
    for notice in explanation.notices[:_MAX_NOTICES]:
        show_line(out, styled(f"note: {_cut(notice, _MAX_NOTICE)}", "yellow"))
    if len(explanation.notices) > _MAX_NOTICES:
        show_line(out, styled(f"note: {len(explanation.notices) - _MAX_NOTICES} more notes, in {more}", "yellow"))


def _headline(explanation: Explanation, found: Sequence[Leaf]) -> tuple[ExitStatus, str]:
    unread = sum(leaf.difference.kind is Kind.NOT_COMPARED for leaf in found)
    if not explanation.is_compared:
        return ExitStatus.NO_VERDICT, "NOT COMPARED: A and B have different bytes, and what they hold could not be read"
    count = len(found) - unread
    verb = "was" if unread == 1 else "were"
    places = "1 place" if count == 1 else f"{count} places, the most telling first"
    more = f"; {unread} more could not be read, and {verb} not compared" if unread else ""
    return ExitStatus.DOES_NOT_HOLD, f"DIFFERENT: A and B differ in {places}{more}"


def _show_rest(groups: Sequence[Group], out: Console, more: str) -> None:
    """What the screen has no room for: each cause by its name and count, so that none is overlooked."""
    causes = [f"{group.cause} ({group.count})" for group in groups if group.cause]
    if causes:
        show_line(out, styled(_cut(f"also {', '.join(causes)}"), "yellow"), indent=2)
    if count := sum(len(group.leaves) for group in groups):
        show_line(out, f"... and {count} more, in {more}", indent=2)


def _ends(differences: Iterable[Difference], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """The leaves; one field of many entries is one of them, with the first entry as its example."""
    for difference in differences:
        here = (*path, difference.name)
        if difference.children and difference.kind is not Kind.METADATA:
            yield from _ends(difference.children, here)
        elif difference.children:
            first = difference.children[0]
            yield Leaf(here, replace(difference, what=f"first {first.name}", a=first.a, b=first.b))
        else:
            yield Leaf(here, difference)


@dataclass(frozen=True, slots=True)
class Group:
    """Leaves with one cause, at least one; `cause` is empty for a leaf of no known cause, which is alone."""

    cause: str
    leaves: tuple[Leaf, ...]

    @property
    def first(self) -> Leaf:
        return self.leaves[0]

    @property
    def count(self) -> int:
        """Of the single differences: one field of many entries is as many."""
        return sum(leaf.difference.count for leaf in self.leaves)

    @property
    def words(self) -> str:
        """The count, where it says more than the number of leaves."""
        return f" ({self.count} in all)" if self.count != len(self.leaves) else ""


def ordered(explanation: Explanation) -> list[Leaf]:
    """The leaves: those with a known cause first, then the deepest ones."""
    return sorted(_ends(explanation.differences), key=lambda leaf: (not leaf.difference.causes, -len(leaf.path)))


def grouped(found: Sequence[Leaf]) -> list[Group]:
    """The leaves by their causes; then those of no known cause, each by itself.

    The first changed content of no known cause is the second of all, code before all else: what cannot be explained must not be
    overlooked.
    """
    groups: dict[object, list[Leaf]] = {}
    for place, leaf in enumerate(found):
        causes = leaf.difference.causes
        groups.setdefault(causes[0].name if causes else place, []).append(leaf)
    rows = [Group(key if isinstance(key, str) else "", tuple(leaves)) for key, leaves in groups.items()]
    contents = [row for row in rows if not row.cause and row.first.difference.kind is Kind.CONTENT]
    unexplained = next((row for row in contents if row.first.difference.is_code), contents[0] if contents else None)
    if unexplained is not None and rows.index(unexplained) > 1:
        rows.remove(unexplained)
        rows.insert(1, unexplained)
    return rows


def _lines(leaf: Leaf) -> Iterator[tuple[Text, int]]:
    """Where it is, what differs, what usually causes it, and the beginning of the difference; each with its indent."""
    difference = leaf.difference
    yield styled(_cut(" > ".join(leaf.path[1:] or leaf.path)), "bold"), 2
    yield styled(_cut(difference.what)), 6
    for cause in difference.causes:
        advice = f" {cause.advice}" if cause.advice else ""
        yield styled(f"usually {cause.name}: {cause.usually}.{advice}", "yellow"), 6
    if difference.a or difference.b:
        yield styled(_cut(f"A {difference.a or 'nothing'}")), 6
        yield styled(_cut(f"B {difference.b or 'nothing'}")), 6
    for line in difference.excerpt[:_MAX_EXCERPT]:
        yield styled(_cut(line), f"mono {_SIGNS.get(line[:1], '')}"), 6
    for line in _of_diffoscope(difference):
        yield styled(_cut(f"diffoscope: {line}"), _SIGNS.get(line[:1], "")), 6


def _of_diffoscope(difference: Difference) -> list[str]:
    """The first lines of its that changed, which the excerpt does not show."""
    changed = [line for line in difference.diffoscope if line[:1] in _SIGNS and line not in difference.excerpt]
    return changed[:_MAX_DIFFOSCOPE]


def _cut(line: str, most: int = _MAX_LINE) -> str:
    return line if len(line) <= most else f"{line[: most - 3]}..."
