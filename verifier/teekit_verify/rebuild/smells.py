"""What an auditor should look at in the source of an image: places where something unpinned or unchecked can come in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Smell:
    """One place. `line` counts from 1, and is 0 where the whole file, or what it lacks, is meant. `text` is that line."""

    name: str
    path: str
    line: int
    text: str
    why: str
