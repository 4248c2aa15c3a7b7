"""A range of subordinate ids that nobody has yet (subuid(5), subgid(5)), to advise."""

from __future__ import annotations

import pwd
from pathlib import Path

from teekit_verify.rebuild.sandbox import FIRST_ID, ID_COUNT

FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
_FIRST = 100_000  # login.defs(5), SUB_UID_MIN
_LINE_FIELDS = 3


def advice(user_id: int) -> str:
    """The command that gives the user such a range."""
    first = free_range()
    ids = f"{first}-{first + ID_COUNT - 1}"
    return f"usermod --add-subuids {ids} --add-subgids {ids} {_name(user_id)}"


def free_range() -> int:
    """The first id of `ID_COUNT` that are in no line of either file, and that no user has."""
    first = _FIRST
    for begin, end in sorted([*_taken(), *((user.pw_uid, user.pw_uid + 1) for user in pwd.getpwall())]):
        if begin < first + ID_COUNT and first < end:
            first = end
    # Root's builds have the ids from there on; whoever has subordinate ids up to there has to choose by hand.
    return first if first + ID_COUNT <= FIRST_ID else _FIRST


def _taken() -> list[tuple[int, int]]:
    """Begin and end (exclusive) of every range."""
    ranges: list[tuple[int, int]] = []
    for path in FILES:
        lines = path.read_text().splitlines() if path.is_file() else []
        ranges += [
            (int(fields[1]), int(fields[1]) + int(fields[2]))
            for fields in (line.split(":") for line in lines)
            if len(fields) == _LINE_FIELDS and fields[1].isdecimal() and fields[2].isdecimal()
        ]
    return ranges


def _name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)
