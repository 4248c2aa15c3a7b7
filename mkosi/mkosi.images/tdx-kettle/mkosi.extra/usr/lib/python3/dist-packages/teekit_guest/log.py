"""Where services write what they do: the journal (standard error), a file in /var/log, and the serial console."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def start(name: str, *files: tuple[Path, int]) -> logging.Logger:
    """A logger on standard error and, from the level given beside it, on each file that can be opened."""
    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.propagate = False
    # Once for each call of a service's main(), which tests make more than one of.
    log.handlers.clear()
    journal = logging.StreamHandler(sys.stderr)
    journal.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(journal)
    for path, level in files:
        try:
            handler = logging.FileHandler(path)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error.strerror)
            continue
        handler.setLevel(level)
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
        log.addHandler(handler)
    return log


def announce(line: str) -> None:
    """One line on the serial console, which is standard output of the services' units."""
    # The newline before ends a half-written message of the kernel.
    sys.stdout.write(f"\nteekit: {line}\n")
    sys.stdout.flush()
