"""What `rebuild` costs beyond its builds: python tests/bench/rebuild.py [--image base] [--kernel debian] [--runs 1]

- ratio: the wall time of `teekit-verify rebuild`, against mkosi alone twice, each in the same sandbox with the processors of
  its build, and a SHA-256 of every package and artifact. Environment and packages are there before either begins.
- warm start: entering the pinned environment, which is checked byte for byte, and leaving it again.

They take turns. Run it on a calm machine; exit status 1 says that a bar was missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

CHECKOUT = Path(__file__).parents[2]
sys.path[:0] = [str(CHECKOUT / "verifier")]

from teekit_verify.cli.options.shared import SNAPSHOT_ARCHIVE, profiles_of, provision  # noqa: E402
from teekit_verify.core.digest import digest_file  # noqa: E402
from teekit_verify.rebuild import lock, run  # noqa: E402
from teekit_verify.rebuild.images import find_target  # noqa: E402
from teekit_verify.rebuild.sandbox import PACKAGES, Sandbox  # noqa: E402
from teekit_verify.rebuild.variation import Conditions, conditions  # noqa: E402
from teekit_verify.rebuild.workspace import Workspace, remove  # noqa: E402

if TYPE_CHECKING:
    from teekit_verify.rebuild.build import Plan

BARS = {"ratio": 1.05, "warm start seconds": 2.0}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", default="base")
    parser.add_argument("--kernel", choices=("debian", "source"), default="debian")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--warm-only", action="store_true", help="measure only the warm start")
    arguments = parser.parse_args()
    found = {"warm start seconds": statistics.median(_timed("env", "shell", "true") for _ in range(5))}
    if not arguments.warm_only:
        with tempfile.TemporaryDirectory(dir=CHECKOUT.parent) as folder:
            found |= _compared(Path(folder), arguments)
    return _report(found)


def _compared(folder: Path, arguments: argparse.Namespace) -> dict[str, float]:
    place = Workspace(folder / "workspace")
    with place.locked():
        plan = _plan(place, arguments)
        pairs = []
        for _ in range(arguments.runs):
            bare = sum(_bare(plan, varied, folder / "bare") for varied in _both())
            names = ("--image", arguments.image, "--kernel", arguments.kernel)
            places = ("--workspace", str(folder / "other"), "--output", str(folder / "report"))
            pairs.append((_timed("rebuild", *names, *places, accept=(0, 1)), bare))
            _print(f"  rebuild {pairs[-1][0]:.1f} s, mkosi twice and hashing {bare:.1f} s")
    return {
        "rebuild seconds": statistics.median(ours for ours, _ in pairs),
        "bare seconds": statistics.median(theirs for _, theirs in pairs),
        "ratio": statistics.median(ours / theirs for ours, theirs in pairs),
    }


def _plan(place: Workspace, arguments: argparse.Namespace) -> Plan:
    bringing = provision(CHECKOUT, None, SNAPSHOT_ARCHIVE)
    locked = lock.load(bringing.project.image_lock)
    return run.prepare(find_target(arguments.image, profiles_of(arguments.kernel, None)), bringing, place, locked)


def _both() -> tuple[Conditions, Conditions]:
    varied = conditions("none,+num_cpus" if len(os.sched_getaffinity(0)) > 1 else "none")
    return varied.first, varied.second


def _bare(plan: Plan, varied: Conditions, folder: Path) -> float:
    """mkosi with its defaults in the sandbox, and a pass over what went in and came out."""
    for name in ("output", "scratch", "cache", "package-cache"):
        (folder / name).mkdir(parents=True)
    for path in (folder, *folder.iterdir()):
        if varied.user_group is not None:
            os.chown(path, varied.user_group, varied.user_group)
    sandbox = Sandbox(
        root=plan.environment.root,
        binds={"/work": folder},
        read_only_binds={PACKAGES: plan.package_folder, "/source": plan.project.mkosi},
        processors=varied.num_cpus,
        first_id=varied.user_group,
    )
    options = {"output-directory": "output", "workspace-directory": "scratch", "cache-directory": "cache"}
    command = plan.target.mkosi(
        "/source",
        "--force",
        *(f"--{option}=/work/{name}" for option, name in options.items()),
        "--package-cache-dir=/work/package-cache",
        f"--package-directory={PACKAGES}",
        "build",
    )
    began = time.monotonic()
    sandbox.run(command, timeout_seconds=4 * 3600, log=folder.with_suffix(".log"))
    for path in (*plan.package_folder.iterdir(), *(folder / "output" / name for name in plan.target.artifacts)):
        digest_file(path)
    seconds = time.monotonic() - began
    remove(folder)
    return seconds


def _timed(*arguments: str, accept: tuple[int, ...] = (0,)) -> float:
    """The wall time of one of our commands, as a user starts it."""
    argv = [sys.executable, "-I", "-m", "teekit_verify", *arguments]
    began = time.monotonic()
    completed = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, check=False)
    if completed.returncode not in accept:
        sys.stderr.write(completed.stderr.decode())
        raise SystemExit(2)
    return time.monotonic() - began


def _report(found: dict[str, float]) -> int:
    _print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors, {shutil.disk_usage(CHECKOUT).free >> 30} GiB free"
    )
    for name, value in found.items():
        bar = f"  (bar: {BARS[name]})" if name in BARS else ""
        _print(f"{name:>20} {value:8.3f}{bar}")
    return 1 if any(found[name] > bar for name, bar in BARS.items() if name in found) else 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
