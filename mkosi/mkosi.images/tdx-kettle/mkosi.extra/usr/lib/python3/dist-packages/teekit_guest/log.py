"""Where services write what they do: the journal (standard error), a file in /var/log, and the serial console."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def opened(name: str, *files: tuple[Path, int]) -> Iterator[logging.Logger]:
    """A logger on standard error and, from the level given beside it, on each file that can be opened."""
    log = logging.getLogger(name)
    log.setLevel(logging.INFO)
    log.propagate = False
    _add(log, logging.StreamHandler(sys.stderr), "%(message)s")
    for path, level in files:
        try:
            handler = logging.FileHandler(path)
        except OSError as error:
            log.warning("%s cannot be written: %s", path, error.strerror)
            continue
        handler.setLevel(level)
        _add(log, handler, "%(asctime)s %(name)s: %(message)s")
    try:
        yield log
    finally:
        for opened in list(log.handlers):
            log.removeHandler(opened)
            opened.close()


def _add(log: logging.Logger, handler: logging.Handler, form: str) -> None:
    handler.setFormatter(logging.Formatter(form))
    log.addHandler(handler)


def announce(line: str) -> None:
    """One line on the serial console, which is standard output of the services' units."""
    # The newline before ends a half-written message of the kernel.
    sys.stdout.write(f"\nteekit: {line}\n")
    sys.stdout.flush()
