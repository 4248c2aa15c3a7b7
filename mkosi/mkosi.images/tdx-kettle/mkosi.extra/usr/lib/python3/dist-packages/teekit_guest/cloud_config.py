"""cloud-config.service: asks the cloud's metadata service what to run, and writes /etc/kettle/cloud-config.env.

The host decides what the answers are, so they are checked here, once, before any other service sees them: what is not as
it should be is refused in one line of the log. The file holds only letters that mean nothing to systemd or a shell.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import hostnames, layout, log, manifest
from .fetch import NobodyListens, Unreachable
from .files import write_atomically
from .metadata import SERVICES, Metadata, NotThisOne, Service
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from logging import Logger

DMI = Path("/sys/class/dmi/id")
# For the network to come up, too: nothing else waits for it.
SECONDS = 60.0
PAUSE_SECONDS = 1.0
REFUSALS = 3  # connections refused: the network is up, and nobody is there


@dataclass(frozen=True, slots=True)
class Clock:
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def main() -> int:
    """Always 0 unless the file cannot be written: without metadata, the image's own kettle runs."""
    with log.opened("cloud-config", (layout.CLOUD_CONFIG_LOG, logging.INFO)) as logger:
        found = discover(candidates(SERVICES, DMI), logger, Clock())
        # For the group kettle-config; a manifest is its tenant's business.
        write_atomically(layout.ENVIRONMENT_FILE, environment(found, logger).encode(), 0o640)
    return 0


def candidates(services: Sequence[Service], dmi: Path) -> list[Service]:
    """The service of the machine the firmware names, or all of them where it names none we know."""
    names = {_text(dmi / "sys_vendor"), _text(dmi / "product_name")}
    named = [service for service in services if names & set(service.vendors)]
    return named or list(services)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def discover(services: Sequence[Service], logger: Logger, clock: Clock) -> Metadata | None:
    """The first service that answers, asked in turn until SECONDS are over. None when no service is there."""
    until = clock.now() + SECONDS
    left = list(services)
    refused = dict.fromkeys(services, 0)
    while left and clock.now() < until:
        for service in list(left):
            try:
                return _asked(service, logger)
            except NotThisOne as refusal:
                logger.info("%s: not its metadata service: %s", service.provider, refusal)
                left.remove(service)
            except Unreachable as refusal:
                logger.info("%s: %s", service.provider, refusal)
                refused[service] += isinstance(refusal, NobodyListens)
                if refused[service] == REFUSALS:
                    left.remove(service)
        clock.sleep(PAUSE_SECONDS)
    logger.info("no metadata service: the image's own manifest is used")
    return None


def _asked(service: Service, logger: Logger) -> Metadata:
    try:
        found = service.ask(service.base)
    except (NotThisOne, Unreachable):
        raise
    except Refused as refusal:
        # Somebody set something, so the image's own manifest is not what is wanted.
        logger.error("%s: refused: %s; no kettle is started", service.provider, refusal)
        return Metadata(service.provider, manifest=b"", hostname=None)
    logger.info("%s: metadata service found at %s", service.provider, service.base)
    return found


def environment(found: Metadata | None, logger: Logger) -> str:
    """The lines of cloud-config.env. MANIFEST is missing where none was set, and empty where what was set is refused."""
    if found is None:
        return "CLOUD_PROVIDER=none\n"
    lines = [f"CLOUD_PROVIDER={found.provider}"]
    if found.manifest is None:
        logger.info("no manifest set: the image's own is used")
    else:
        lines.append(f"MANIFEST={_manifests(found.manifest, logger)}")
    if found.hostname is not None:
        lines += [f"HOSTNAME_CONFIG={names}" for names in [_hostnames(found.hostname, logger)] if names]
    return "".join(f"{line}\n" for line in lines)


def _manifests(value: bytes, logger: Logger) -> str:
    try:
        parts = manifest.split(value)
    except Refused as refusal:
        logger.error("refused: %s; no kettle is started", refusal)
        return ""
    for kettle, part in enumerate(parts):
        _say_what_it_is(kettle, part, logger)
    # Refused ones as well: what was given is measured, and the launcher refuses them once more.
    return manifest.encode([manifest.given(part) for part in parts])


def _say_what_it_is(kettle: int, part: bytes, logger: Logger) -> None:
    try:
        decoded = manifest.decode(part)
    except Refused as refusal:
        logger.error("manifest %d refused: %s; kettle %d is not started", kettle, refusal, kettle)
        return
    logger.info("manifest %d: app %s, SHA-256 %s", kettle, ascii(decoded.app), decoded.sha256)


def _hostnames(value: bytes, logger: Logger) -> str:
    try:
        names = hostnames.parse(value)
    except Refused as refusal:
        logger.error("hostname refused: %s; no HTTPS", refusal)
        return ""
    logger.info("hostnames: %s", ", ".join(names))
    return ",".join(names)


if __name__ == "__main__":
    sys.exit(main())
