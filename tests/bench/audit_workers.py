"""How throughput grows with the workers of an audit: `python tests/bench/audit_workers.py [RELEASES [SECONDS]]`.

1, 2 and 4 processes audit the same releases in the same folders, each time from nothing. A build is a stand-in that sleeps for SECONDS, as one on a machine
of its own would not be felt here; all else (git, sandboxes, hashing, prediction, signing, locks) is done in earnest, on this machine. Prints releases in an hour.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "verifier"), str(Path(__file__).parents[1])]

import pytest  # noqa: E402

from builders import audits, rebuilds  # noqa: E402

SLEEPS = "sleep {}\n"


def seconds_of(argv: list[str], workers: int) -> float:
    began = time.monotonic()
    started = [subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(workers)]
    assert [process.wait() for process in started] == [0] * workers
    return time.monotonic() - began


def main(releases: int, build_seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        place = Path(folder)
        tree = rebuilds.make_tree(place / "tree")
        miniature = rebuilds.isolated(place / "made", tree, patch)
        names = [f"r{number}" for number in range(releases)]
        with redirect_stdout(sys.stderr):
            audits.publish(miniature, *names, build=SLEEPS.format(build_seconds) + audits.MAKES)
        key = audits.make_key(place / "keys", "alice")
        one = None
        for workers in (1, 2, 4):
            statements = place / f"statements-{workers}"
            statements.mkdir()
            argv = miniature.script(tree, *audits.options(miniature, "alice", statements, key), command="audit")
            seconds = seconds_of(argv, workers)
            assert len(list(statements.glob("r*/alice.intoto.jsonl"))) == releases
            shutil.rmtree(miniature.folder / "audit-alice")
            one = one or seconds
            speed = f"{3600 * releases / seconds:.0f} releases/h, {one / seconds:.2f} x"
            sys.stdout.write(f"{workers} workers: {seconds:.1f} s, {speed}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8, float(sys.argv[2]) if len(sys.argv) > 2 else 8)
