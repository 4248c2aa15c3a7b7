"""External programs that tests use as oracles."""

from __future__ import annotations

import os
import shutil

import pytest


def require(program: str) -> str:
    """The program's absolute path. Without it the test is skipped, or fails where CI is set: there it must be installed."""
    path = shutil.which(program)
    if path is None:
        message = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path
