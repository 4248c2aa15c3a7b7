"""The only place that uses the network: a content-addressed download store, filled from several sources in order."""

from __future__ import annotations

import http.client
import os
import queue
import re
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from teekit_verify import __version__
from teekit_verify.core.digest import Digest, digest_file
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 30.0  # without a byte
_SLOWEST_BYTES_PER_SECOND = 4096  # over a whole file; 8 of them share a line
_ATTEMPTS = 3  # at one source, while each brings something
_PARALLEL = 8
_OUT_OF_RANGE = 416


class DownloadError(TeekitError):
    """No source has the file, or none that has it gave the expected bytes."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file, known by its bytes: `name` is for people, `urls` are tried in order (http, https or file)."""

    name: str
    size_bytes: int
    digest: Digest
    urls: tuple[str, ...]


class DownloadStore:
    """Files named after their digest in one folder; a file under its final name was complete and checked when written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
        """Where a file with this digest is, or would be."""
        return self._root / digest.algorithm.value / digest.hex

    def verified(self, file: RemoteFile) -> Path | None:
        """The stored file, its bytes hashed again; None if it is absent. A damaged file is removed."""
        path = self.path(file.digest)
        if not path.is_file():
            return None
        if path.stat().st_size == file.size_bytes and digest_file(path, file.digest.algorithm) == file.digest:
            return path
        path.unlink()
        return None

    def missing(self, files: Iterable[RemoteFile]) -> list[RemoteFile]:
        """Those that are not there whole; every one that is gets hashed."""
        return [file for file in files if self.verified(file) is None]

    def fetch(self, files: Iterable[RemoteFile], *, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring every file into the store. `progress` is told the files done and their number.

        Waits for another run that fills the same store. Raises DownloadError naming the first file no source could
        give, and how many more there are.
        """
        different = {file.digest: file for file in files}.values()
        with exclusive(self._root / "lock"):
            wanted = self.missing(different)
            done = len(different) - len(wanted)
            failures: dict[int, DownloadError] = {}
            with closing(_in_parallel(self._try_fetch, wanted)) as results:
                for position, failure in results:
                    done += 1
                    if failure is not None:
                        failures[position] = failure
                    if progress is not None:
                        progress(done, len(different))
        if failures:
            first = failures[min(failures)]
            more = f" ({len(failures) - 1} more files are missing too)" if len(failures) > 1 else ""
            raise DownloadError(first.message + more, hint=first.hint)

    def _try_fetch(self, file: RemoteFile, stop: threading.Event) -> DownloadError | None:
        problems = []
        for url in file.urls:
            problem = self._ask(url, file, stop)
            if problem is None:
                return None
            problems.append(printable(f"{url}: {problem}"))
        tried = "".join(f"\n  tried {problem}" for problem in problems) or "\n  there is no source to ask"
        return DownloadError(
            f"{file.name} ({file.digest}) could not be downloaded{tried}",
            hint="Name a mirror with --mirror, or a snapshot archive with --snapshot-archive, or make a new lock.",
        )

    def _ask(self, url: str, file: RemoteFile, stop: threading.Event) -> str | None:
        """Ask one source, and again after it brought a part, or showed that a part from before was of no use.

        None if the file is there now, else what is wrong, in words.
        """
        part = _part(self.path(file.digest))
        problem = ""
        for _ in range(_ATTEMPTS):
            before = _size(part)
            try:
                self._fetch_from(url, file, stop)
            except (OSError, ValueError, http.client.HTTPException, DownloadError) as error:
                problem = str(error)
            else:
                return None
            brought, discarded = _size(part) > before, before and not _size(part)
            if stop.is_set() or not (brought or discarded):
                break
        return problem

    def _fetch_from(self, url: str, file: RemoteFile, stop: threading.Event) -> None:
        final = self.path(file.digest)
        final.parent.mkdir(parents=True, exist_ok=True)
        part = _part(final)
        _resume(url, part, file.size_bytes, stop)
        found = digest_file(part, file.digest.algorithm)
        if found != file.digest:
            part.unlink()
            raise DownloadError(f"its bytes have {found}, expected {file.digest}")
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(final)


def size_of(url: str, *, most_bytes: int) -> int:
    """How many bytes a source says a file has, of which only the digest is known. Raises DownloadError."""
    try:
        with _open(url, 0) as response:
            promised = response.headers.get("Content-Length", "")
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise DownloadError(f"{url}: {error}") from error
    if not re.fullmatch(r"[0-9]{1,15}", promised) or not 0 < int(promised) <= most_bytes:
        raise DownloadError(f"{url} has '{printable(promised[:80])}' bytes, expected 1 to {most_bytes}")
    return int(promised)


def _part(final: Path) -> Path:
    return final.with_name(f"{final.name}.part")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _resume(url: str, part: Path, size_bytes: int, stop: threading.Event) -> None:
    """Go on with a partial download (or start one), never taking more than `size_bytes`."""
    have = _size(part)
    if have > size_bytes:
        part.unlink()
        have = 0
    if have == size_bytes:
        return
    try:
        response = _open(url, have)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _OUT_OF_RANGE:
            part.unlink(missing_ok=True)
        raise
    with response:
        continues = bool(have) and response.status == http.client.PARTIAL_CONTENT
        if continues and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise DownloadError("it answers with another range than it was asked for")
        _require_length(response, size_bytes, already=have if continues else 0)
        with part.open("ab" if continues else "wb") as stream:
            _copy(response, stream, size_bytes, stop)
    if _size(part) != size_bytes:
        raise DownloadError(f"the connection ended after {_size(part)} of {size_bytes} bytes")


def _open(url: str, have: int) -> Any:
    """The response of an http, https or file address; errors and redirects are dealt with, other schemes refused."""
    headers = {"User-Agent": f"teekit-verify/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.OpenerDirector()  # not the usual one, which also knows ftp and data addresses
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.FileHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener.open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS)  # noqa: S310


class _Redirects(urllib.request.HTTPRedirectHandler):
    """A server may send us to another one, but not to this machine's files."""

    def redirect_request(  # noqa: PLR0917 - urllib calls it like this
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            fp.close()
            raise DownloadError(f"it redirects to {newurl}, which is no http or https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_length(response: Any, size_bytes: int, *, already: int) -> None:
    """Another length is another file: better known before its bytes are mixed with those of the right one."""
    promised = response.headers.get("Content-Length", "")
    if promised.isdecimal() and already + int(promised) != size_bytes:
        raise DownloadError(f"it has {already + int(promised)} bytes, expected {size_bytes}")


def _copy(response: Any, stream: IO[bytes], size_bytes: int, stop: threading.Event) -> None:
    deadline = time.monotonic() + _TIMEOUT_SECONDS + size_bytes / _SLOWEST_BYTES_PER_SECOND
    while chunk := response.read1(_CHUNK_BYTES):
        if stop.is_set():
            raise DownloadError("interrupted")
        if stream.tell() + len(chunk) > size_bytes:
            stream.truncate(0)
            raise DownloadError(f"it sends more than the expected {size_bytes} bytes")
        stream.write(chunk)
        if time.monotonic() > deadline:
            raise DownloadError(f"it sent {stream.tell()} of {size_bytes} bytes in {_TIMEOUT_SECONDS:.0f} s and more")


def _in_parallel(
    work: Callable[[RemoteFile, threading.Event], DownloadError | None], files: Sequence[RemoteFile]
) -> Generator[tuple[int, DownloadError | None], None, None]:
    """Each file's position and outcome, as they come.

    The threads are daemons that are told to stop but not waited for: Ctrl-C must not wait for a server that is silent.
    """
    waiting: queue.SimpleQueue[tuple[int, RemoteFile]] = queue.SimpleQueue()
    results: queue.SimpleQueue[tuple[int, DownloadError | BaseException | None]] = queue.SimpleQueue()
    stop = threading.Event()

    def worker() -> None:
        while not stop.is_set():
            try:
                position, file = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results.put((position, work(file, stop)))
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                results.put((position, error))

    for pair in enumerate(files):
        waiting.put(pair)
    for _ in range(min(_PARALLEL, len(files))):
        threading.Thread(target=worker, daemon=True).start()
    try:
        for _ in files:
            position, outcome = results.get()
            if outcome is not None and not isinstance(outcome, DownloadError):
                raise outcome
            yield position, outcome
    finally:
        stop.set()
