"""For all tests: hostile input gets two seconds, the bound the project promises, whatever else the machine is doing."""

from __future__ import annotations

from hypothesis import settings

# The parent is hypothesis's own choice: under CI the same examples in every run.
settings.register_profile("promise", parent=settings.default, deadline=2000)
settings.load_profile("promise")
