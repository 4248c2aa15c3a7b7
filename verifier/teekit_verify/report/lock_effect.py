"""What `lock diff --reports` says of the image: registers that moved, and which package each changed file comes from."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import printable
from teekit_verify.rebuild.attribution import Reason
from teekit_verify.rebuild.effect import Move

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.rebuild.attribution import ChangedPart
    from teekit_verify.rebuild.effect import Effect, RegisterMove

_MAX_SHOWN = 20
_MOVES = {
    Move.SAME: "as before",
    Move.CHANGED: "CHANGED",
    Move.OPEN: "not known from the image alone",
    Move.NEW: "new in the second report",
    Move.GONE: "only in the first report",
}
_REASONS = {
    Reason.PACKAGE: "the package's own",
    Reason.EDITED: "the package's, edited by the build as before",
    Reason.DERIVED: "made of them",
    Reason.UNEXPLAINED: "NOT EXPLAINED by any package that changed",
}


def summary(effect: Effect) -> str:
    """One sentence about the whole."""
    if effect.parts is None:
        return f"{effect.image}: files were not compared, as only reports with their artifacts have them"
    if not effect.parts:
        return f"{effect.image}: not a byte of the UKI changed"
    count = len(effect.unexplained)
    explained = (
        f"all {len(effect.parts)} changes"
        if not count
        else f"{len(effect.parts) - count} of {len(effect.parts)} changes"
    )
    words = f"{effect.image}: {explained} in the UKI come from packages that changed"
    if not effect.is_whole:
        words += f"; {len(effect.not_fetched)} of these packages are not here, so the others are not settled"
    return words


def lines(effect: Effect) -> Iterator[str]:
    """For the terminal, without the summary."""
    for move, registers in by_move(effect).items():
        for register in registers:
            yield _register(register, move)
    if effect.environment_changed:
        yield "the build environment changed as well"
    for (packages, reason, by), parts in by_packages(effect.parts or ()).items():
        yield f"{packages or 'no package'}: {_REASONS[reason]}{f' by {by}' if by else ''}: {_places(parts)}"
    if effect.not_fetched:
        yield f"not in the download cache: {_some(effect.not_fetched)}"


def _register(register: RegisterMove, move: Move) -> str:
    causes = f": {', '.join(register.causes)}" if register.causes else ""
    return f"{register.platform} {register.register}: {_MOVES[move]}{causes}"


def by_move(effect: Effect) -> dict[Move, list[RegisterMove]]:
    """What changed first."""
    order = (Move.CHANGED, Move.NEW, Move.GONE, Move.OPEN, Move.SAME)
    return {move: found for move in order if (found := [one for one in effect.registers if one.move is move])}


def by_packages(parts: Iterable[ChangedPart]) -> dict[tuple[str, Reason, str], list[ChangedPart]]:
    """What is not explained first."""
    grouped: defaultdict[tuple[str, Reason, str], list[ChangedPart]] = defaultdict(list)
    for part in parts:
        grouped[", ".join(part.packages), part.reason, part.by].append(part)
    return dict(
        sorted(grouped.items(), key=lambda one: (one[0][1] is not Reason.UNEXPLAINED, one[0][0], one[0][1].value))
    )


def _places(parts: Iterable[ChangedPart]) -> str:
    return _some([_place(part) for part in parts])


def _place(part: ChangedPart) -> str:
    return f"{part.path or part.section} ({', '.join(aspect.value for aspect in part.aspects)})"


def _some(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {more} more" if more > 0 else "")


def as_markdown(effect: Effect) -> list[str]:
    """Names of files are foreign text: they stand between backquotes."""
    made = ["", "### Effect", "", f"{code(summary(effect))}.", ""]
    if effect.environment_changed:
        made += ["The build environment changed as well.", ""]
    made += ["| platform | register | | because of |", "|---|---|---|---|"]
    for move, registers in by_move(effect).items():
        made += [
            f"| {code(one.platform)} | {code(str(one.register))} | {_MOVES[move]} | {', '.join(map(code, one.causes))} |"
            for one in registers
        ]
    if effect.parts:
        made += ["", "| package | | changed in the image |", "|---|---|---|"]
    for (packages, reason, by), parts in by_packages(effect.parts or ()).items():
        shown = f"{_REASONS[reason]}{f' by {by}' if by else ''}"
        made.append(f"| {code(packages) if packages else ''} | {shown} | {code(_places(parts))} |")
    if effect.not_fetched:
        made += ["", f"Not in the download cache: {code(_some(effect.not_fetched))}."]
    return made


def code(text: str) -> str:
    """Between backquotes, in one line and one cell of a table."""
    return f"`{printable(text).replace('`', chr(39)).replace('|', '/')}`"


def as_document(effect: Effect) -> dict[str, Any]:
    return {
        "image": effect.image,
        "is_whole": effect.is_whole,
        "environment_changed": effect.environment_changed,
        "source_files": list(effect.source_files),
        "other_artifacts": list(effect.other_artifacts),
        "not_fetched": list(effect.not_fetched),
        "registers": [
            {
                "platform": one.platform,
                "register": str(one.register),
                "move": one.move.value,
                "causes": list(one.causes),
            }
            for one in effect.registers
        ],
        "parts": None if effect.parts is None else [_part(part) for part in effect.parts],
    }


def _part(part: ChangedPart) -> dict[str, Any]:
    return {
        "section": part.section,
        "path": printable(part.path),
        "aspects": [aspect.value for aspect in part.aspects],
        "reason": part.reason.value,
        "packages": list(part.packages),
        "by": part.by,
    }
