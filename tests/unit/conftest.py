"""The one fixture that many folders need: an environment for builds with stand-ins for mkosi."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.tools import require

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("bwrap")
    return rebuilds.make_tree(tmp_path_factory.mktemp("environment") / "tree")
