"""The names of the steps that make builds, which reports have too: a page that asks for them looks here."""

from __future__ import annotations

MADE = {name: f"build {name}" for name in ("A", "B")}
REUSED = {name: f"build {name} of an earlier run, reused as it is" for name in MADE}
SIDE_BY_SIDE = "build A and B side by side"
BUILDS = frozenset({*MADE.values(), *REUSED.values(), SIDE_BY_SIDE})
