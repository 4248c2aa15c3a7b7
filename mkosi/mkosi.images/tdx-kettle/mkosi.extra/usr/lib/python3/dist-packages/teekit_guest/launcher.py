"""kettle-launcher.service: starts kettle i with the app of manifest i, if its bytes are those the manifest names.

The kettles themselves are units (kettle@i.service and its database, sqld@i.service); this lays out what they read.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from . import app, fetch, layout, log, manifest
from .files import write_atomically
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .manifest import Manifest

HEALTH = "/.kettle/health"  # see runtime/worker.js
HEALTH_SECONDS = 15.0
ANSWER_SECONDS = 180.0
PAUSE_SECONDS = 0.2


def main() -> int:
    """0 when every kettle that was asked for answers."""
    files = (layout.KETTLE_LOG, logging.INFO), (layout.KETTLE_ERROR_LOG, logging.ERROR)
    with log.opened("kettle-launcher", *files) as logger:
        try:
            wanted = wanted_manifests(os.environ, layout.DEFAULT_MANIFEST)
        except Refused as refusal:
            logger.error("refused: %s; no kettle is started", refusal)
            log.announce(f"no kettle is started: {refusal}")
            return 1
        # Side by side: a slow server of one app is not to keep the others waiting.
        with ThreadPoolExecutor(len(wanted)) as threads:
            started = list(threads.map(lambda numbered: _start(logger, *numbered), enumerate(wanted)))
        return 0 if all(started) else 1


def wanted_manifests(environment: Mapping[str, str], default: Path) -> list[Callable[[], Manifest]]:
    """One for each kettle; calling it gives the manifest, or raises. Without any metadata, the image's own."""
    value = environment.get("MANIFEST")
    if value is None:
        return [lambda: manifest.parse(default.read_bytes())]
    return [lambda part=part: manifest.decode(part) for part in manifest.split(value.encode())]  # type: ignore[misc]


def _start(logger: logging.Logger, kettle: int, wanted: Callable[[], Manifest]) -> bool:
    try:
        content = app.load(wanted())
        lay_out(layout.KETTLE_FOLDERS / str(kettle), kettle, content)
        _systemctl("start", f"kettle@{kettle}.service")
        wait_until_it_answers(kettle)
    except Refused as refusal:
        logger.error("kettle %d is not started: %s", kettle, refusal)
        log.announce(f"kettle {kettle} is not started: {refusal}")
        return False
    except Exception as error:
        logger.exception("kettle %d is not started", kettle)
        log.announce(f"kettle {kettle} is not started: {type(error).__name__}")
        return False
    logger.info("kettle %d answers on port %d", kettle, layout.port(kettle))
    log.announce(f"kettle {kettle} answers on port {layout.port(kettle)}")
    return True


def lay_out(folder: Path, kettle: int, content: bytes) -> None:
    """The files kettle@i.service and sqld@i.service read."""
    (folder / "app").mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "app" / "app.js", content)
    ports = f"PORT={layout.port(kettle)}\nDATABASE_PORT={layout.database_port(kettle)}\n"
    write_atomically(folder / "environment", ports.encode())


def wait_until_it_answers(kettle: int) -> None:
    """Until the app is initialised and its database there. (A port alone says nothing: workerd listens before it loads.)"""
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        if _systemctl("is-failed", f"kettle@{kettle}.service", check=False) == 0:
            raise Refused(f"its service has failed, see {layout.KETTLE_ERROR_LOG}")
        try:
            url = f"http://127.0.0.1:{layout.port(kettle)}{HEALTH}"
            if fetch.get(url, seconds=HEALTH_SECONDS, most_bytes=1024).status == fetch.OK:
                return
        except fetch.Unreachable:
            pass
        time.sleep(PAUSE_SECONDS)
    raise Refused(
        f"no good answer on port {layout.port(kettle)} in {ANSWER_SECONDS:g} s, see {layout.KETTLE_ERROR_LOG}"
    )


def _systemctl(*arguments: str, check: bool = True) -> int:
    done = subprocess.run(
        ["systemctl", "--quiet", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if check and done.returncode != 0:
        raise Refused(f"systemctl {arguments[0]} failed: {' '.join(done.stderr.split())}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
