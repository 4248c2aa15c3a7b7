"""For all tests: nothing that hypothesis does depends on how busy the machine is.

That hostile input makes little work is counted, not timed (tests/unit/test_fuzz_smoke.py).
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# The parent is hypothesis's own choice: under CI the same examples in every run.
settings.register_profile(
    "any machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
