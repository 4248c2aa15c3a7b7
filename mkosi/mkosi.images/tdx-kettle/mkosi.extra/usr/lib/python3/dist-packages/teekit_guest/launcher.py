"""kettle-launcher.service: lays out the app of manifest i for kettle i, if its bytes are those the manifest names.

The kettles themselves are units (kettle@i.service and its database, sqld@i.service), which systemd starts where it finds a
file READY (kettle@i.path). So this service, which downloads what strangers wrote, has nothing to say to systemd.
"""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from . import app, fetch, layout, log, manifest, settings
from .files import write_atomically
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .manifest import Manifest

READY, FAILED = "ready", "failed"  # see kettle@.path and kettle-failed@.service
HEALTH = "/.kettle/health"  # see runtime/worker.js
HEALTH_SECONDS = 15.0
ANSWER_SECONDS = 180.0
PAUSE_SECONDS = 0.2


def main() -> int:
    """0 when every kettle that was asked for answers."""
    files = (layout.KETTLE_LOG, logging.INFO), (layout.KETTLE_ERROR_LOG, logging.ERROR)
    with log.opened("kettle-launcher", *files) as logger:
        try:
            wanted = wanted_manifests(settings.read(layout.ENVIRONMENT_FILE), layout.DEFAULT_MANIFEST)
        except Refused as refusal:
            logger.error("refused: %s; no kettle is started", refusal)
            log.announce(f"no kettle is started: {refusal}")
            return 1
        # Side by side: a slow server of one app is not to keep the others waiting.
        with ThreadPoolExecutor(len(wanted)) as threads:
            started = list(threads.map(lambda numbered: _start(logger, *numbered), enumerate(wanted)))
        return 0 if all(started) else 1


def wanted_manifests(told: Mapping[str, str], default: Path) -> list[Callable[[], Manifest]]:
    """One for each kettle; calling it gives the manifest, or raises. Without any metadata, the image's own."""
    value = told.get("MANIFEST")
    if value is None:
        return [lambda: manifest.parse(default.read_bytes())]
    return [lambda part=part: manifest.decode(part) for part in manifest.split(value.encode())]  # type: ignore[misc]


def _start(logger: logging.Logger, kettle: int, wanted: Callable[[], Manifest]) -> bool:
    try:
        lay_out(kettle, app.load(wanted()))
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


def lay_out(kettle: int, content: bytes) -> None:
    """What kettle@i.service reads, and then what starts it. The folder's group is the kettle's, and nobody else reads it."""
    path = layout.app(kettle)
    # With what the launcher's umask leaves of it: nothing for others.
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content, 0o640)
    write_atomically(layout.KETTLE_FOLDERS / str(kettle) / READY, b"", 0o640)


def wait_until_it_answers(kettle: int) -> None:
    """Until the app is initialised and its database there. (A port alone says nothing: workerd listens before it loads.)"""
    until, error_log = time.monotonic() + ANSWER_SECONDS, layout.STATE_FOLDERS / str(kettle) / "kettle-error.log"
    while time.monotonic() < until:
        if (layout.KETTLE_FOLDERS / str(kettle) / FAILED).exists():
            raise Refused(f"its service has failed, see {error_log}")
        try:
            url = f"http://127.0.0.1:{layout.port(kettle)}{HEALTH}"
            if fetch.get(url, seconds=HEALTH_SECONDS, most_bytes=1024).status == fetch.OK:
                return
        except fetch.Unreachable:
            pass
        time.sleep(PAUSE_SECONDS)
    raise Refused(f"no good answer on port {layout.port(kettle)} in {ANSWER_SECONDS:g} s, see {error_log}")


if __name__ == "__main__":
    sys.exit(main())
