"""What many folders need: a host with room, and an environment for builds with stand-ins for mkosi."""

from __future__ import annotations

import shutil
from collections import namedtuple
from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.tools import require
from teekit_verify.rebuild import host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024 - what shutil returns


@pytest.fixture(scope="session", autouse=True)
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Disks and memory are not short on this host, whatever else runs there; a test of a short one says so itself."""
    meminfo = tmp_path_factory.mktemp("host") / "meminfo"
    meminfo.write_text("MemTotal: 64000000 kB\nMemAvailable: 64000000 kB\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "MEMINFO", meminfo)
        patch.setattr(shutil, "disk_usage", lambda _: _Usage(10**12, 10**11, 9 * 10**11))
        yield


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once, as it takes seconds: nobody changes it, and sandboxes cannot."""
    require("bwrap")
    return rebuilds.make_tree(tmp_path_factory.mktemp("environment") / "tree")
