"""A rebuild killed at any moment: the next one needs no help, and none ever gives a verdict from half-written files.

TEEKIT_KILLS=30 kills more often, TEEKIT_SEED chooses other moments.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from builders import rebuilds
from builders.rebuilds import Miniature
from builders.tools import require

KILLS = int(os.environ.get("TEEKIT_KILLS", "6"))
SEED = os.environ.get("TEEKIT_SEED", "teekit")
# Writes its artifacts in pieces, with pauses, and leaves other things lying around.
SLOWLY = """\
mkdir -p /work/scratch/tree; mkdir -m 0 /work/scratch/tree/closed
for place in 1 2 3 4 5 6; do
    head -c 1000 image.efi >"$output/tdx-debian-base.efi"; sleep 0.03
done
"""


@pytest.fixture
def miniature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Miniature.make(tmp_path)


def verdict(miniature: Miniature) -> str | None:
    """That of the report, if there is one. It is whole, and so are the artifacts it names."""
    if not miniature.report.exists():
        return None
    content = json.loads((miniature.report / "report.json").read_text())
    image = (miniature.project.mkosi / "image.efi").read_bytes()
    assert (miniature.report / "artifacts" / "tdx-debian-base.efi").read_bytes() == image
    return str(content["verdict"])


def nothing_is_left(miniature: Miniature) -> None:
    rebuilds.no_processes_of(miniature.workspace)
    assert str(miniature.folder) not in Path("/proc/self/mounts").read_text()


def seconds_of(argv: list[str]) -> float:
    """How long a rebuild takes that nobody disturbs."""
    begin = time.monotonic()
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 1
    return time.monotonic() - begin


@pytest.mark.parametrize("arguments", [(), ("--parallel",)])
def test_killed_at_any_moment(miniature: Miniature, tree: Path, arguments: tuple[str, ...]) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the moments are to be repeatable
    miniature.build_with(SLOWLY, before=True)
    argv = miniature.script(tree, *arguments)
    whole_seconds = seconds_of(argv)
    shutil.rmtree(miniature.report)
    seen: list[str | None] = []
    parts = [chance.uniform(0.05, 1.2) for _ in range(KILLS)]
    # One at least is killed in its middle. On a busy machine the first may have taken long, and all others be through before.
    while parts or None not in seen:
        part = parts.pop() if parts else 2.0 ** -len(seen)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
            try:
                assert started.wait(part * whole_seconds) == 1
            except subprocess.TimeoutExpired:
                started.send_signal(signal.SIGKILL)
        seen.append(verdict(miniature))
        shutil.rmtree(miniature.report, ignore_errors=True)
    assert set(seen) <= {None, "UNREFERENCED"}
    completed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert completed.returncode == 1, completed.stderr
    assert verdict(miniature) == "UNREFERENCED"
    nothing_is_left(miniature)
    assert [path.name for path in miniature.workspace.iterdir()] == [".teekit-workspace"]


# Runs a command on a small disk, and once more when the disk has grown. Arguments: kilobytes, where, the command.
TWICE = """\
mount -t tmpfs -o "size=$1k" tmpfs "$2" && shift 2
"$@"; echo "ended with $?"
mount -o remount,size=10000k "$WORKSPACE"
"$@"; echo "ended with $?"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("kilobytes", [4, 8, 12, 16, 24, 32, 48])
def test_a_disk_that_is_full(miniature: Miniature, tree: Path, kilobytes: int) -> None:
    """Wherever it happens, there is no verdict, and a message in words; with room the next run needs no help."""
    miniature.workspace.mkdir()
    miniature.build_with('head -c 20000 /dev/zero >"$output/big" && rm "$output/big"\n', before=True)
    argv = [require("unshare"), "--mount", "sh", "-c", TWICE, "sh", str(kilobytes), str(miniature.workspace)]
    completed = subprocess.run(
        [*argv, *miniature.script(tree)],
        env={**os.environ, "WORKSPACE": str(miniature.workspace)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in completed.stdout.splitlines() if line.startswith("ended")] == [
        "ended with 2",
        "ended with 1",
    ], completed.stderr
    assert "internal error" not in completed.stderr
    assert "No space left on device" in completed.stderr or ": failed in" in completed.stderr
    assert verdict(miniature) == "UNREFERENCED"
