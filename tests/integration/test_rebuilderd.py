"""rebuilderd 0.28 of Debian's on loopback: what it makes of our backend, and of a worker that is killed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from builders import rebuilderd, rebuilderd_daemon, rebuilds
from builders.network import own_network
from builders.tools import require
from teekit_verify.cli.app import main

if TYPE_CHECKING:
    from pathlib import Path

    from builders.rebuilderd_daemon import Daemon
    from builders.rebuilds import Miniature

pytestmark = pytest.mark.slow
_SECONDS = 1200


@pytest.fixture
def programs(tmp_path: Path) -> rebuilderd_daemon.Programs:
    """Before anything is made to see no mirror but its own."""
    return rebuilderd_daemon.fetch_programs(tmp_path / "programs")


def listed(miniature: Miniature, served: Path, address: str, *releases: str) -> str:
    """What `rebuilderd sync` prints of these releases."""
    folder = miniature.folder / "listed"
    folder.mkdir(exist_ok=True)
    for name in releases:
        (folder / name).symlink_to(miniature.project.references / "releases" / name)
    words = ["rebuilderd", "sync", "--references", str(folder), "--source", str(miniature.project.root)]
    words += ["-o", str(served / "jobs"), "--jobs-url", f"{address}/jobs", "--artifacts-url", f"{address}/artifacts"]
    with redirect_stdout(StringIO()) as printed:
        assert main(words) == 0
    return printed.getvalue()


def wait_until_built(daemon: Daemon, *releases: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while any("UNKWN" in daemon.states()[release] for release in releases):
        assert time.monotonic() < deadline, daemon.states()
        time.sleep(0.5)


def test_good_bad_a_cheat_and_a_killed_worker(
    programs: rebuilderd_daemon.Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("bwrap")
    tree = rebuilds.make_tree(tmp_path / "tree")
    (tmp_path / "miniature").mkdir()
    miniature = rebuilds.isolated(tmp_path / "miniature", tree, monkeypatch)
    served, own = tmp_path / "served", tmp_path / "daemon"
    for folder in (served, own):
        folder.mkdir()
    rebuilderd.publish(miniature, served, "good", "killed")
    rebuilderd.publish(miniature, served, "cheat", build=rebuilderd.CHEATS)
    rebuilderd.publish_falsely(miniature, served, "cheat")
    argv = miniature.script(tree, command="rebuilderd")
    backend = [*argv[:4], "backend", *argv[4:], "--vary", "none"]
    with ExitStack() as stack:
        stack.enter_context(own_network())
        address = stack.enter_context(rebuilderd_daemon.serving(served))
        daemon = stack.enter_context(rebuilderd_daemon.running(programs, own))
        daemon.sync(listed(miniature, served, address, "killed"))
        with daemon.worker("w1", backend) as worker:
            rebuilds.wait_for(own / "w1/teekit-verify/killed", worker)
            os.kill(worker.pid, signal.SIGKILL)
        daemon.sync(listed(miniature, served, address, "good", "cheat"))
        stack.enter_context(daemon.worker("w2", backend))
        stack.enter_context(daemon.worker("w3", backend))
        wait_until_built(daemon, "good", "cheat")
        assert daemon.states() == {"good": {"GOOD"}, "cheat": {"BAD"}, "killed": {"UNKWN"}}
        assert rebuilderd.report_in(daemon.log("good"))["verdict"] == "REPRODUCED"
        assert rebuilderd.report_in(daemon.log("cheat"))["verdict"] == "MISMATCH"
        assert "-not what the source gives" in daemon.diffoscope("cheat", rebuilderd.MANIFEST)
        link = daemon.attestation("good", rebuilderd.UKI)["signed"]
        assert list(link["materials"]) == ["good.job.json"]
        assert list(link["products"]) == [rebuilderd.UKI]
    rebuilds.no_processes_of(miniature.folder)
