"""How long whole processes take, from the first key press to the last byte: python tests/bench/start.py [--runs 15]

Wall time and processor time (which says more on a machine that others use) of each command, the best of the runs, beside an
interpreter that does nothing, and beside hashlib for `measure`. For `measure`, hashlib's own process hashes the file once in
SHA-256 and once in SHA-384.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "verifier")]

from builders.tdvf import build_tdvf  # noqa: E402
from builders.uki import build_uki, kernel  # noqa: E402

MIB = 1 << 20
HASHED = (
    "import hashlib, sys; d = open(sys.argv[1], 'rb').read(); hashlib.sha256(d).digest(); hashlib.sha384(d).digest()"
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--keep", type=Path, help="leave the files that are measured in this folder")
    arguments = parser.parse_args()
    runs = arguments.runs
    assets = TESTS / "assets/eventlogs"
    with tempfile.TemporaryDirectory() as folder:
        small, large, firmware = (Path(folder) / name for name in ("37.efi", "105.efi", "OVMF.fd"))
        _write_uki(small, 37 * MIB)
        _write_uki(large, 105 * MIB)
        firmware.write_bytes(build_tdvf())
        if arguments.keep is not None:
            shutil.copytree(folder, arguments.keep, dirs_exist_ok=True)
        verify = [sys.executable, "-I", "-c", _start()]
        commands = {
            "nothing": [sys.executable, "-I", "-c", "pass"],
            "--version": [*verify, "--version"],
            "quote": [*verify, "quote", str(assets / "gcp-cos113-quote.bin")],
            "replay": [*verify, "replay", str(assets / "gcp-cos113-ccel-data.bin")],
            "MRTD": [*verify, "measure", str(firmware)],
            "measure 37 MiB": [*verify, "measure", str(small)],
            "hashlib 37 MiB": [sys.executable, "-I", "-c", HASHED, str(small)],
            "measure 105 MiB": [*verify, "measure", str(large)],
            "hashlib 105 MiB": [sys.executable, "-I", "-c", HASHED, str(large)],
        }
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                found[name].append(_run(command))
    _print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; best of {runs}, seconds")
    for name, times in found.items():
        _print(f"{name:>16}  wall {min(wall for wall, _ in times):.3f}  processor {min(work for _, work in times):.3f}")


def _start() -> str:
    path = str(TESTS.parent / "verifier")
    return f"import sys; sys.path.insert(0, {path!r}); from teekit_verify.cli.app import entry_point; entry_point()"


def _run(command: list[str]) -> tuple[float, float]:
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=False, capture_output=True)
    wall, after = time.perf_counter() - start, os.times()
    return wall, after.children_user + after.children_system - before.children_user - before.children_system


def _write_uki(path: Path, size_bytes: int) -> None:
    chance = random.Random(1)  # noqa: S311 - test data
    code = size_bytes * 12 // 100
    linux, initrd = kernel(payload=chance.randbytes(code)), chance.randbytes(size_bytes - code)
    path.write_bytes(build_uki(sections=[(".cmdline", b"quiet"), (".linux", linux), (".initrd", initrd)]))


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main()
