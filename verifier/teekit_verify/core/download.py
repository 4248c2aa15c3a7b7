"""The only place that uses the network: a content-addressed download store, filled from several sources in order."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from teekit_verify import __version__
from teekit_verify.core.digest import Digest, digest_file
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 60
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
    """Files named after their SHA-256 in one folder; a file under its final name was complete and checked when written."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, digest: Digest) -> Path:
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
        return [file for file in files if self.verified(file) is None]

    def fetch(self, files: Sequence[RemoteFile], *, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring every file into the store. `progress` is told the files done and their number.

        Raises DownloadError naming the first file no source could give, and how many more there are.
        """
        wanted = self.missing(files)
        done = len(files) - len(wanted)
        failures: list[DownloadError] = []
        with ThreadPoolExecutor(_PARALLEL) as pool:
            try:
                for failure in pool.map(self._try_fetch, wanted):
                    done += 1
                    if failure is not None:
                        failures.append(failure)
                    if progress is not None:
                        progress(done, len(files))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if failures:
            more = f" ({len(failures) - 1} more files are missing too)" if len(failures) > 1 else ""
            raise DownloadError(failures[0].message + more, hint=failures[0].hint)

    def _try_fetch(self, file: RemoteFile) -> DownloadError | None:
        problems = []
        for url in file.urls:
            try:
                self._fetch_from(url, file)
            except (OSError, http.client.HTTPException, DownloadError) as error:
                problems.append(f"{url}: {error}")
            else:
                return None
        tried = "".join(f"\n  tried {problem}" for problem in problems) or "\n  there is no source to ask"
        return DownloadError(
            f"{file.name} ({file.digest}) could not be downloaded{tried}",
            hint="Name a mirror with --mirror, or a snapshot archive with --snapshot-archive, or make a new lock.",
        )

    def _fetch_from(self, url: str, file: RemoteFile) -> None:
        final = self.path(file.digest)
        final.parent.mkdir(parents=True, exist_ok=True)
        part = final.with_name(f"{final.name}.part")
        _resume(url, part, file.size_bytes)
        found = digest_file(part, file.digest.algorithm)
        if found != file.digest:
            part.unlink()
            raise DownloadError(f"its bytes have {found}, expected {file.digest}")
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(final)


def _resume(url: str, part: Path, size_bytes: int) -> None:
    """Go on with a partial download (or start one), never taking more than `size_bytes`."""
    have = part.stat().st_size if part.exists() else 0
    if have > size_bytes:
        part.unlink()
        have = 0
    if have == size_bytes:
        return
    headers = {"User-Agent": f"teekit-verify/{__version__}"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme is checked where URLs are made
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == _OUT_OF_RANGE:
            with suppress(FileNotFoundError):
                part.unlink()
        raise
    with response, part.open("ab" if have and response.status == http.client.PARTIAL_CONTENT else "wb") as stream:
        _copy(response, stream, size_bytes)
    if part.stat().st_size != size_bytes:
        raise DownloadError(f"the file has {part.stat().st_size} bytes, expected {size_bytes}")


def _copy(response: http.client.HTTPResponse, stream: BinaryIO, size_bytes: int) -> None:
    while chunk := response.read(_CHUNK_BYTES):
        if stream.tell() + len(chunk) > size_bytes:
            raise DownloadError(f"the source sends more than the expected {size_bytes} bytes")
        stream.write(chunk)
