"""How long measuring takes, against hashing the same bytes with hashlib: python tests/bench/measure.py [--mib 100] [--runs 7]

Pairs run in turns, each part in a process of its own, and the median of the ratios counts:

- registers: finding a mapped UKI's parts and predicting all registers, against hashlib hashing what they need, once per
  needed digest, on 2 threads, longest first: SHA-256 and SHA-384 of the Authenticode stream of the UKI, of that of the
  kernel, of every measured section, and of the initrd as the kernel gets it (here it is its section, so the same digest).
- document: `measure_file`, which adds the file's own SHA-256 and the JSON document's values, against the same and the
  SHA-256 of the file.

The "work ratio" is that of processor time: it says little of 2 threads, and is steady on a machine that others use.

A UKI is 12 % kernel and 88 % initrd, which is what a UKI of Debian with 100 MB looks like.

Memory: the peak of a process that only measures. Pages of the mapped file are the page cache's, shared and clean, and
come and go as the kernel likes; they are in RSS but not in RssAnon, which is what the process itself takes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "verifier")]

from builders.tdvf import BFV, CFV, EXTEND, build_tdvf  # noqa: E402
from builders.tdvf import Row as FirmwareRow  # noqa: E402
from builders.uki import build_uki, kernel  # noqa: E402
from teekit_verify.artifacts.boot_artifact import open_boot_artifact  # noqa: E402
from teekit_verify.artifacts.tdvf import parse_tdvf  # noqa: E402
from teekit_verify.artifacts.uki import open_uki  # noqa: E402
from teekit_verify.prediction.image import measure_file  # noqa: E402
from teekit_verify.prediction.mrtd import PageOrder, mrtd  # noqa: E402
from teekit_verify.prediction.platforms import subject_of  # noqa: E402

MIB = 1 << 20
BARS = {"registers ratio": 1.25, "document ratio": 1.25, "MRTD seconds": 0.3, "anonymous MiB": 200.0}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=100)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--one", choices=ONE, help="time one of a pair, for a child process")
    parser.add_argument("--uki", type=Path)
    arguments = parser.parse_args()
    if arguments.one:
        _print(json.dumps(ONE[arguments.one](arguments.uki)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "image.efi"
        _write_uki(path, arguments.mib * MIB)
        return _report(_compared(path, arguments.runs) | {"MRTD seconds": mrtd_seconds()} | _child("memory", path))


def _write_uki(path: Path, size_bytes: int) -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    code = size_bytes * 12 // 100
    linux = kernel(payload=chance.randbytes(code))
    initrd = b"".join(chance.randbytes(min(MIB, size_bytes - code - at)) for at in range(0, size_bytes - code, MIB))
    path.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", linux), (".initrd", initrd)]))


def _compared(path: Path, runs: int) -> dict[str, float]:
    """Medians of runs that take turns; the first pair only warms the page cache."""
    found: dict[str, float] = {}
    for what in ("registers", "document"):
        children = [(_child(what, path), _child(f"hashlib-{what}", path)) for _ in range(runs + 1)]
        pairs = [(ours["seconds"], theirs["seconds"]) for ours, theirs in children]
        work = [ours["processor seconds"] / theirs["processor seconds"] for ours, theirs in children[1:]]
        for ours, theirs in pairs[1:]:
            _print(f"  {what} {ours:.3f} s, hashlib {theirs:.3f} s, ratio {ours / theirs:.3f}")
        found |= {
            f"{what} seconds": statistics.median(ours for ours, _ in pairs[1:]),
            f"{what} by hashlib": statistics.median(theirs for _, theirs in pairs[1:]),
            f"{what} ratio": statistics.median(ours / theirs for ours, theirs in pairs[1:]),
            f"{what} work ratio": statistics.median(work),
        }
    return found


def _child(what: str, path: Path) -> dict[str, float]:
    argv = [sys.executable, __file__, "--one", what, "--uki", str(path)]
    found: dict[str, float] = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return found


def registers(path: Path) -> dict[str, float]:
    start = _clocks()
    with open_boot_artifact(path) as boot:
        subject_of(boot)
    return _since(start)


def document(path: Path) -> dict[str, float]:
    start = _clocks()
    measure_file(path)
    return _since(start)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> dict[str, float]:
    wall, processor = _clocks()
    return {"seconds": wall - start[0], "processor seconds": processor - start[1]}


def plain(path: Path, *, whole: bool) -> dict[str, float]:
    with open_uki(path) as uki:  # where the bytes are is not part of the comparison
        stream = [(span.start, span.stop) for span in uki.image.authenticode_spans()]
        linux, initrd = uki.named(".linux")[0].content, uki.named(".initrd")[0].content
        small = [uki.named(".cmdline")[0].content]
    # the stand-in for a kernel has no certificates: all of it but 12 bytes is in its Authenticode stream
    parts = [stream, [(linux.start, linux.stop)], [(linux.start, linux.stop)], [(initrd.start, initrd.stop)]]
    parts += [[(span.start, span.stop)] for span in small]
    jobs = [(name, part) for part in parts for name in ("sha256", "sha384")]
    if whole:
        jobs.append(("sha256", [(0, path.stat().st_size)]))
    jobs.sort(key=lambda job: sum(stop - start for start, stop in job[1]) * (2 if job[0] == "sha256" else 3))
    began = _clocks()
    with path.open("rb") as stream_, mmap.mmap(stream_.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda job: _hashed(view, *job), reversed(jobs)))
        view.release()
    return _since(began)


def _hashed(view: memoryview, name: str, spans: list[tuple[int, int]]) -> bytes:
    state = hashlib.new(name)
    for start, stop in spans:
        state.update(view[start:stop])
    return state.digest()


def memory(path: Path) -> dict[str, float]:
    """The highest RssAnon seen every 2 ms while measuring, and the peak of the whole RSS as Linux keeps it."""
    highest, done = 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            highest = max(highest, _status("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    measure_file(path)
    done.set()
    watcher.join()
    return {"anonymous MiB": max(highest, _status("RssAnon")) / 1024, "peak RSS MiB": _status("VmHWM") / 1024}


def _status(field: str) -> int:
    """Of this process, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def mrtd_seconds() -> float:
    """The slower of the two page orders, for 4 MiB of which all code is measured."""
    size, variables = 4 * MIB, 0x84000
    rows = [
        FirmwareRow(variables, size - variables, (1 << 32) - size + variables, size - variables, BFV, EXTEND),
        FirmwareRow(0, variables, (1 << 32) - size, variables, CFV),
    ]
    firmware = parse_tdvf(build_tdvf(rows, size=size))
    found = []
    for order in PageOrder:
        for _ in range(5):
            start = time.perf_counter()
            mrtd(firmware, order)
            found.append((order, time.perf_counter() - start))
    return max(statistics.median(seconds for kind, seconds in found if kind is order) for order in PageOrder)


ONE: dict[str, Callable[[Path], dict[str, float]]] = {
    "registers": registers,
    "hashlib-registers": lambda path: plain(path, whole=False),
    "document": document,
    "hashlib-document": lambda path: plain(path, whole=True),
    "memory": memory,
}


def _report(found: dict[str, float]) -> int:
    _print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for name, value in found.items():
        bar = f"  (bar: {BARS[name]})" if name in BARS else ""
        _print(f"{name:>20} {value:8.3f}{bar}")
    return 1 if any(found[name] > bar for name, bar in BARS.items()) else 0


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
