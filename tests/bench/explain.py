"""How long it takes to name the culprits, and how much memory: python tests/bench/explain.py [--mib 105] [--runs 3]

Two UKIs of that size whose initrds (zstd, 88 % of the UKI, about half of what they unpack to) differ in two small files.
`teekit-verify explain` runs in a process of its own, with diffoscope and without. Wall time, and the peak of the
process's memory (ru_maxrss, which is that of the largest of it and what it waited for).
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "verifier")]

from builders.cpio import DIRECTORY, Entry, write_entry  # noqa: E402
from builders.uki import build_uki, kernel  # noqa: E402

MIB = 1 << 20
BARS = {"seconds": 4.0, "MiB": 400.0}
CULPRITS = ("var/cache/ldconfig/aux-cache", "var/log/alternatives.log")
_FILES = 6800


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=105)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="leave the two UKIs in this folder")
    parser.add_argument("--make", type=Path, help="only make the two UKIs, in this folder")
    arguments = parser.parse_args()
    if arguments.make:
        for side in "AB":
            _write_uki(arguments.make / f"{side}.efi", arguments.mib * MIB, side)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep or Path(name)
        # In another process: a child's peak begins with the memory of the process that it was forked from.
        subprocess.run([sys.executable, __file__, "--mib", str(arguments.mib), "--make", folder], check=True)
        paths = [folder / f"{side}.efi" for side in "AB"]
        results = [_measured(paths, *options, runs=arguments.runs) for options in ((), ("--no-diffoscope",))]
        return 0 if all(results) else 1


def _write_uki(path: Path, size_bytes: int, side: str) -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    linux = kernel(payload=chance.randbytes(size_bytes * 12 // 100))
    plain = path.with_suffix(".cpio")
    with plain.open("wb") as stream:
        _write_cpio(stream, size_bytes * 88 // 100, chance, side)
    subprocess.run(["zstd", "-q", "-3", "-T0", "--rm", "-f", str(plain)], check=True)
    compressed = plain.with_suffix(".cpio.zst")
    path.write_bytes(
        build_uki(sections=[(".cmdline", b"quiet"), (".linux", linux), (".initrd", compressed.read_bytes())])
    )
    compressed.unlink()


def _write_cpio(stream: io.BufferedWriter, compressed_bytes: int, chance: random.Random, side: str) -> None:
    """Every file is random in its first half, and repeats that: it packs to half its size."""
    for number in range(_FILES):
        half = chance.randbytes(compressed_bytes // _FILES)
        piece = io.BytesIO()
        write_entry(piece, Entry(f"usr/lib/d{number // 100}/file{number}", half + half), number)
        if number % 100 == 0:
            write_entry(piece, Entry(f"usr/lib/d{number // 100 + 1}", mode=DIRECTORY | 0o755), number)
        stream.write(piece.getvalue())
    last = io.BytesIO()
    cache = bytearray(random.Random(2).randbytes(20_000))  # noqa: S311 - test data
    cache[5000:5004] = {"A": b"\x11\x22\x33\x61", "B": b"\x81\x95\x35\x61"}[side]
    write_entry(last, Entry(CULPRITS[0], bytes(cache)), _FILES)
    minute = {"A": 10, "B": 17}[side]
    log = "".join(f"update-alternatives 2026-11-23 04:{minute}:{second:02}: link group awk\n" for second in range(60))
    write_entry(last, Entry(CULPRITS[1], log.encode()), _FILES + 1)
    write_entry(last, Entry("TRAILER!!!", mode=0), 0)
    stream.write(last.getvalue())


def _measured(paths: list[Path], *options: str, runs: int) -> bool:
    argv = [sys.executable, "-m", "teekit_verify", "explain", *options, *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "verifier")}
    seconds, peaks, output = [], [], ""
    for _ in range(runs):
        start = time.perf_counter()
        with tempfile.TemporaryFile("w+") as stream:
            child = subprocess.Popen(argv, stdout=stream, stderr=subprocess.DEVNULL, env=environment)
            _, _, usage = os.wait4(child.pid, 0)
            child.returncode = 0  # it was waited for
            seconds.append(time.perf_counter() - start)
            peaks.append(usage.ru_maxrss / 1024)
            stream.seek(0)
            output = stream.read()
    named = all(culprit in output for culprit in CULPRITS)
    sizes = ", ".join(f"{path.stat().st_size / MIB:.0f} MiB" for path in paths)
    sys.stdout.write(
        f"{sizes} {' '.join(options)}: {statistics.median(seconds):.2f} s (bar {BARS['seconds']}), {max(peaks):.0f} MiB "
        f"(bar {BARS['MiB']}), culprits named: {named}, load {os.getloadavg()[0]:.1f}\n"
    )
    return named and statistics.median(seconds) <= BARS["seconds"] and max(peaks) <= BARS["MiB"]


if __name__ == "__main__":
    sys.exit(main())
