"""What differs between two publications, in words. Nothing reads them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.event_differences import left_out
from teekit_verify.appraisal.published_registers import State
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild.input_changes import Change
from teekit_verify.wording.meanings import more_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.appraisal.facts import EventDifference
    from teekit_verify.appraisal.publications import ArtifactChange, PublicationDiff, StatementChange
    from teekit_verify.appraisal.published_registers import RegisterChange, ValueMove
    from teekit_verify.rebuild.input_changes import InputChanges, PackageChange

_SHORT = 16
STATES = {
    State.SAME: "the same",
    State.IGNORED: "ignored",
    State.MOVED: "moved",
    State.VALUES: "other values are acceptable too, or no longer",
    State.GROUPS: "the same values, in other groups",
    State.POLICY: "asked for by one, ignored by the other",
    State.NEW: "only in B",
    State.GONE: "only in A",
    State.OPEN: "not known to one or both: not compared",
    State.BANKS: "the same in the banks that both have",
    State.UNMENTIONED: "one says nothing of it: not compared",
}
_CHANGES = {
    Change.NEW: "new",
    Change.GONE: "gone",
    Change.NEWER: "newer",
    Change.OLDER: "OLDER THAN BEFORE",
    Change.OTHER_BYTES: "other bytes",
    Change.OTHER_KIND: "another kind of file",
}


def conclusion(diff: PublicationDiff) -> str:
    """One sentence about the whole."""
    match diff.status:
        case ExitStatus.HOLDS:
            return "EQUAL: B publishes what A does"
        case ExitStatus.DOES_NOT_HOLD:
            return "DIFFERENT: B publishes something else than A"
        case ExitStatus.NO_VERDICT:
            return f"NOT COMPARED: {len(diff.undecided)} registers cannot be told to be equal, nothing else differs"


def source_lines(diff: PublicationDiff) -> Iterator[str]:
    """Commits and tags where they differ, withdrawals in any case."""
    old, new = diff.sides
    if diff.commit_changed:
        yield f"commit {old.commit or 'not stated'} -> {new.commit or 'not stated'}"
    for letter, side in (("A", old), ("B", new)):
        if side.withdrawn is not None:
            yield f"{letter} is WITHDRAWN: {side.withdrawn}"


def input_lines(changes: InputChanges) -> Iterator[str]:
    """Heading lines, without the items."""
    if changes.is_same:
        yield "inputs: the same"
        return
    if changes.environment_changed:
        yield "build environment: another one"
    count = len(changes.packages)
    yield f"packages: {count or 'none'} changed, {changes.same_packages} the same" + (
        "" if changes.lock_changed or not count else ", under the same digest of the lock"
    )
    yield f"source files: {len(changes.source_files) or 'none'} changed"


def package_words(change: PackageChange) -> str:
    """Without the name."""
    if change.change is Change.OTHER_BYTES:
        return f"{', '.join(change.new)}: {_CHANGES[change.change]} under the same version"
    versions = " -> ".join(", ".join(side) for side in (change.old, change.new) if side)
    return versions if change.change is Change.NEWER else f"{versions} ({_CHANGES[change.change]})"


def change_words(change: Change) -> str:
    return _CHANGES[change]


def artifact_words(change: ArtifactChange) -> str:
    old, new = change.old, change.new
    if old is None or new is None:
        return f"{change.name}: only in {'B' if old is None else 'A'}"
    sizes = (
        f"{old.size_bytes} bytes" if old.size_bytes == new.size_bytes else f"{old.size_bytes} -> {new.size_bytes} bytes"
    )
    return f"{change.name}: {sizes}, sha256 {old.sha256.hex[:_SHORT]}... -> {new.sha256.hex[:_SHORT]}..."


def statement_words(change: StatementChange) -> str:
    image = f"{change.image}: " if change.image else ""
    old, new = (", ".join(side) or "not stated" for side in (change.old, change.new))
    return f"{image}{change.name}: {old} -> {new}"


def register_words(change: RegisterChange) -> str:
    """`gcp RTMR2: moved`."""
    image = f"{change.image}: " if change.image else ""
    return f"{image}{change.platform} {change.register}: {STATES[change.state]}"


def move_lines(move: ValueMove, *, alone: bool) -> Iterator[str]:
    """The two values, then the events that lead to them. `alone`: there is no other value whose label would tell them apart."""
    old, new = (_value(label, value) for label, value in ((move.old_label, move.old), (move.new_label, move.new)))
    label = "" if alone else f" ({' -> '.join(dict.fromkeys(filter(None, (move.old_label, move.new_label))))})"
    yield f"{move.bank} {old} -> {new}{label}"
    if move.events:
        more = [more_events(count)] if (count := left_out(move.events)) else []
        yield f"events: {'; '.join([*map(_event, move.events), *more])}"


def _value(label: str | None, value: str) -> str:
    if label is None:
        return "none"
    return f"{value[:_SHORT]}..." if value else "not known"


def _event(event: EventDifference) -> str:
    """`2 content of section .linux`: its position in B, where B has it."""
    old, new = event.wanted, event.seen
    if old is None or new is None:
        there = old or new
        return f"{event.position} {there.description if there else ''} ({'new' if old is None else 'gone'})"
    was = "" if old.description == new.description else f" (was {old.description})"
    return f"{event.position} {new.description}{was}"
