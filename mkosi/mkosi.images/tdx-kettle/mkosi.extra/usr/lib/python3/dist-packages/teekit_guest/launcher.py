"""kettle-launcher.service: gets the app of manifest i for kettle i, if its bytes are those the manifest names.

What it got, it leaves in layout.GIVEN: teekit-measure.service measures it, and copies it to where the kettles run it. They are units
(kettle@i.service and its database, sqld@i.service), which systemd starts where it finds a file of that service's. So this one, which
downloads what strangers wrote, has nothing to say to systemd, and can change nothing any more of what runs.
"""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import app, fetch, hostnames, layout, log, manifest, settings
from .files import write_atomically
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .manifest import Manifest

HEALTH = "/.kettle/health"  # see runtime/worker.js
HEALTH_SECONDS = 15.0
ANSWER_SECONDS = 180.0
MEASURING_SECONDS = 200.0  # longer than teekit-measure.service may take
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Wanted:
    """`given` are the bytes of a manifest, whatever they are; `manifest` reads them, or raises."""

    given: bytes
    manifest: Callable[[], Manifest]


def main() -> int:
    """0 when every kettle that was asked for answers."""
    files = (layout.KETTLE_LOG, logging.INFO), (layout.KETTLE_ERROR_LOG, logging.ERROR)
    with log.opened("kettle-launcher", *files) as logger:
        try:
            told = settings.read(layout.ENVIRONMENT_FILE)
            wanted = wanted_manifests(told, layout.DEFAULT_MANIFEST)
        except Refused as refusal:
            logger.error("refused: %s; no kettle is started", refusal)
            log.announce(f"no kettle is started: {refusal}")
            return 1
        if not wanted:
            logger.error("no kettle is started: what the metadata has as manifest was refused")
            log.announce("no kettle is started: what the metadata has as manifest was refused")
        # Side by side: a slow server of one app is not to keep the others waiting for longer than itself.
        with ThreadPoolExecutor(max(1, len(wanted))) as threads:
            there = list(threads.map(lambda numbered: _laid_out(logger, *numbered), enumerate(wanted)))
            hand_over([one.given for one in wanted], hostnames_of(told, logger))
            if not wait_until_measured(logger):
                return 1
            kettles = [kettle for kettle, is_there in enumerate(there) if is_there]
            answering = list(threads.map(lambda kettle: _answers(logger, kettle), kettles))
        return 0 if wanted and all(there) and all(answering) else 1


def wanted_manifests(told: Mapping[str, str], default: Path) -> list[Wanted]:
    """One for each kettle. Without any metadata, the image's own; none where what was set is refused as a whole."""
    value = told.get("MANIFEST")
    if value is None:
        try:
            text = default.read_bytes()
        except OSError as error:
            raise Refused(f"{default} cannot be read: {error.strerror}") from None
        return [Wanted(text, lambda: manifest.parse(text))]
    if not value:
        return []
    return [_wanted(part) for part in manifest.split(value.encode(), settings.MOST_BYTES)]


def _wanted(part: bytes) -> Wanted:
    return Wanted(manifest.given(part), lambda: manifest.decode(part))


def hostnames_of(told: Mapping[str, str], logger: logging.Logger) -> bytes:
    """Those HTTPS will be for, with commas between."""
    try:
        value = told.get("HOSTNAME_CONFIG", "")
        return ",".join(hostnames.parse(value.encode())).encode() if value else b""
    except Refused as refusal:
        logger.error("hostname refused: %s; no HTTPS", refusal)
        return b""


def _laid_out(logger: logging.Logger, kettle: int, wanted: Wanted) -> bool:
    """Whether the app of this kettle is there to be measured."""
    with _told_if_not(logger, kettle) as done:
        write_atomically(layout.GIVEN / f"app-{kettle}", app.load(wanted.manifest()), 0o640)
        done.append(kettle)
    return bool(done)


def _answers(logger: logging.Logger, kettle: int) -> bool:
    with _told_if_not(logger, kettle) as done:
        wait_until_it_answers(kettle)
        logger.info("kettle %d answers on port %d", kettle, layout.port(kettle))
        log.announce(f"kettle {kettle} answers on port {layout.port(kettle)}")
        done.append(kettle)
    return bool(done)


@contextmanager
def _told_if_not(logger: logging.Logger, kettle: int) -> Iterator[list[int]]:
    """What goes wrong with one kettle is its own trouble."""
    try:
        yield []
    except Refused as refusal:
        logger.error("kettle %d is not started: %s", kettle, refusal)
        log.announce(f"kettle {kettle} is not started: {refusal}")
    except Exception as error:
        logger.exception("kettle %d is not started", kettle)
        log.announce(f"kettle {kettle} is not started: {type(error).__name__}")


def hand_over(manifests: Sequence[bytes], names: bytes) -> None:
    """To teekit-measure.service, which measures all of it before anything starts."""
    for number, given in enumerate(manifests):
        write_atomically(layout.GIVEN / f"manifest-{number}", given, 0o640)
    write_atomically(layout.GIVEN / "hostnames", names, 0o640)
    write_atomically(layout.GIVEN / layout.COMPLETE, b"", 0o640)


def wait_until_measured(logger: logging.Logger) -> bool:
    """Then the copies of the apps have gone where the kettles run them, and ours are only in the way."""
    until = time.monotonic() + MEASURING_SECONDS
    while not layout.MEASURED.exists():
        late = time.monotonic() > until
        if late or layout.NOT_MEASURED.exists():
            logger.error("no kettle is started: nothing was measured, see the journal of teekit-measure.service")
            if late:
                # Whoever keeps that service waiting, a TPM say, keeps it from saying so itself.
                log.announce("no kettle is started: nothing was measured in time")
            return False
        time.sleep(PAUSE_SECONDS)
    for path in layout.GIVEN.glob("app-*"):
        path.unlink()
    return True


def wait_until_it_answers(kettle: int) -> None:
    """Until the app is initialised and its database there. (A port alone says nothing: workerd listens before it loads.)"""
    until, error_log = time.monotonic() + ANSWER_SECONDS, layout.STATE_FOLDERS / str(kettle) / "kettle-error.log"
    while time.monotonic() < until:
        if (layout.FAILED_FOLDER / str(kettle)).exists():
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
