"""What every entry point is held to: only our errors escape, within 2 s of processor time and 1 GiB, and no file is written but nameless ones."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_SECONDS = 2.0
MAX_BYTES = 1 << 30
_ACTIONS = ("os.mkdir", "os.rename", "os.remove", "os.truncate", "os.symlink", "os.link", "subprocess.", "socket.")


class FindingError(BaseException):
    """An input on which an entry point broke its promise. No `except Exception` below may swallow it."""


class _Watch:
    """Notes what the audit hook sees; a hook cannot be taken away again, so this one is told when to look."""

    def __init__(self) -> None:
        self.active = False
        self.installed = False
        self.seen: list[str] = []

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.active:
            return
        if event == "open":
            flags = arguments[2]
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            # What is opened in a folder's place is a nameless file in it (O_TMPFILE), which goes with its descriptor; a number is that of a
            # file that was opened before, under its name.
            place = arguments[0]
            if writes and not isinstance(place, int) and not (isinstance(place, str) and Path(place).is_dir()):
                self.seen.append(f"{event} {arguments[0]!r}")
        elif event.startswith(_ACTIONS):
            self.seen.append(f"{event} {arguments!r}"[:200])


_WATCH = _Watch()


def check(entry: Callable[[bytes], None], data: bytes, *, seconds: float = MAX_SECONDS) -> bool:
    """Run the entry point once. Whether it took the input; raises FindingError (or what escaped) if it broke a promise."""
    if not _WATCH.installed:
        sys.addaudithook(_WATCH.hook)
        _WATCH.installed = True
    signal.signal(signal.SIGPROF, lambda *_: _too_slow(seconds))
    _WATCH.seen.clear()
    _WATCH.active = True
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        entry(data)
        accepted = True
    except TeekitError as error:
        accepted = False
        _require_clean(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        _WATCH.active = False
    if time.process_time() - start > seconds:  # a single call that no signal interrupts
        _too_slow(seconds)
    if _WATCH.seen:
        raise FindingError(f"touched the outside: {_WATCH.seen}")
    return accepted


def _too_slow(seconds: float) -> None:
    raise FindingError(f"took more than {seconds} s of processor time")


def _require_clean(error: TeekitError) -> None:
    """Messages go to terminals: no control characters in them but line ends, and not without bound."""
    text = f"{error.message}{error.hint or ''}"
    if not text.replace("\n", "").isprintable():
        raise FindingError(f"a message with control characters: {text!r}") from error
    if len(text) > 10_000:
        raise FindingError(f"a message of {len(text)} characters: {text[:200]!r}") from error


@contextmanager
def bounded_memory() -> Iterator[None]:
    """At most 1 GiB of address space more than now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MAX_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
