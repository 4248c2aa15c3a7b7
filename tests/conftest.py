"""For all tests: they do not depend on how busy the machine is, nor on how the suite was started.

That hostile input makes little work is counted, not timed (tests/unit/test_fuzz_smoke.py).
"""

from __future__ import annotations

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# The parent is hypothesis's own choice: under CI the same examples in every run.
settings.register_profile(
    "any machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# In the background (`&`, nohup) a shell ignores some of these, and so would we, and what tests start and interrupt.
for _number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(_number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.pthread_sigmask(signal.SIG_SETMASK, [])

# What a caller set for other work (a hook of git among them) would change the files that tests make and the words they read.
os.umask(0o022)
for _name in list(os.environ):
    if _name in ("LANGUAGE", "SOURCE_DATE_EPOCH", "TAR_OPTIONS") or _name.startswith(("LC_", "GIT_")):
        del os.environ[_name]
os.environ["LANG"] = "C.UTF-8"


def pytest_collection_finish() -> None:
    """What 9,000 collected tests are made of stays; every collection of garbage (pefile asks for one each) would go through it."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With TEEKIT_NO_SKIPS, a test that was skipped has failed: where everything is there, it would hide a missing package."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("TEEKIT_NO_SKIPS") and reporter is not None and reporter.stats.get("skipped") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
