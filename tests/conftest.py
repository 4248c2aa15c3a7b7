"""For all tests: hostile input gets two seconds, the bound the project promises, whatever else the machine is doing."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("promise", deadline=2000)
settings.load_profile("promise")
