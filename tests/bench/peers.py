"""How long our commands take beside those of other programs: python tests/bench/peers.py PAIRS.json [--runs 9]

PAIRS.json is a list of pairs, each run in turns, as whole processes:

    [{"name": "37 MiB, measured-boot", "ours": ["measure", "37.efi"], "peer": ["./measured-boot", "37.efi", "out.json", "--direct-uki"]}]

Printed are medians in seconds: wall time, processor time (which says more on a machine that others use), and the ratios of
pairs. docs/testing.md says how the peers are built, and what was found. `tests/bench/start.py --keep DIR` leaves UKIs to measure.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

OURS = [sys.executable, "-I", "-m", "teekit_verify"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    _print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; medians of {arguments.runs} pairs, seconds")
    for pair in json.loads(arguments.pairs.read_text(encoding="utf-8")):
        both = [(_run([*OURS, *pair["ours"]]), _run(pair["peer"])) for _ in range(arguments.runs + 1)][1:]
        for at, what in enumerate(("wall", "processor")):
            ours, peer = (statistics.median(run[which][at] for run in both) for which in (0, 1))
            ratio = statistics.median(run[0][at] / max(run[1][at], 0.001) for run in both)
            _print(f"{pair['name']:>28}  {what:>9}  ours {ours:.3f}  peer {peer:.3f}  ratio {ratio:.2f}")


def _run(command: list[str]) -> tuple[float, float]:
    """Wall and processor time. A peer that cannot be started ends the run: its time would be a good one."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode not in {0, 2}:  # `quote` without collateral ends with 2
        raise SystemExit(f"{command}: ended with {done.returncode}: {done.stderr.decode(errors='replace')[:300]}")
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
