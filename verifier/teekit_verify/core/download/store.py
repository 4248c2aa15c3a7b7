"""The download store: files named after their digest in one folder, checked when they come and when they are used."""

from __future__ import annotations

import http
import os
import re
import threading
import time
from contextlib import closing
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.download.faults import (
    DocumentError,
    DownloadError,
    Fault,
    LocalError,
    Missing,
    Reason,
    RemoteFile,
    of_this_machine,
)
from teekit_verify.core.download.network import Answer, Network
from teekit_verify.core.download.patience import Patience
from teekit_verify.core.download.rounds import Rounds, Waiting
from teekit_verify.core.download.sources import Job, Try
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import exclusive
from teekit_verify.core.url import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_T = TypeVar("_T")
CACHE = "cache"
"""What served a file that was in the store already."""
_CHUNK_BYTES = 1 << 18
_SHOWN = 80


class DownloadStore:
    """A file under its final name was complete and checked when written."""

    def __init__(self, root: Path, network: Network | None = None, patience: Patience | None = None) -> None:
        self._root = root
        self._network = network or Network()
        self._patience = patience or Patience()

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

    def fetch(
        self,
        files: Iterable[RemoteFile],
        *,
        progress: Callable[[int, int], None] | None = None,
        waiting: Callable[[Waiting], None] | None = None,
    ) -> dict[Digest, str]:
        """Bring every file into the store; what served each: an address as it can be shown, or CACHE.

        `progress` is told the files done and their number, `waiting` what takes long. Waits for another run that fills the
        same store. Raises DownloadError for what no source gave, after all else has come, and LocalError at once.
        """
        different = {file.digest: file for file in files}
        with exclusive(self._root / "lock"):
            wanted = self.missing(different.values())
            served = dict.fromkeys(different, CACHE)
            done = len(different) - len(wanted)
            missing: dict[int, Missing] = {}
            jobs = [Job.of(file, self._patience, self._network.health) for file in wanted]
            with closing(Rounds(jobs, self._ask, self._have).outcomes(waiting or _nobody)) as outcomes:
                for outcome in outcomes:
                    if outcome.error is not None:
                        raise outcome.error
                    done += 1
                    if outcome.served is None:
                        missing[outcome.position] = jobs[outcome.position].missing
                    else:
                        served[jobs[outcome.position].file.digest] = shown(outcome.served)
                    if progress is not None:
                        progress(done, len(different))
        if missing:
            raise DownloadError([missing[position] for position in sorted(missing)])
        for digest, source in served.items():
            self._network.served.setdefault(digest, source)  # what came from somewhere is in the cache the next time
        return served

    def document(self, url: str, most_bytes: int, *, accept: str = "*/*") -> bytes:
        """A small file that no digest is known of. Raises TeekitError; DocumentError where the source is at fault."""
        return self._told(url, most_bytes, accept, lambda answer: _whole(answer, most_bytes, shown(url)))

    def size_of(self, url: str, *, most_bytes: int) -> int:
        """How many bytes a source says a file has, of which only the digest is known. Raises TeekitError, as `document` does."""
        return self._told(url, most_bytes, "*/*", lambda answer: _promised(answer, most_bytes, shown(url)))

    def _told(self, url: str, most_bytes: int, accept: str, take: Callable[[Answer], _T]) -> _T:
        digest = Digest.of(Algorithm.SHA256, url.encode())
        job = Job.of(RemoteFile(shown(url), most_bytes, digest, (url,)), self._patience, self._network.health)
        while True:
            one, due = job.next(time.monotonic())
            if one is None:
                raise DocumentError(job.missing)
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                with self._network.asked(url, {"Accept": accept}, self._patience.silence) as answer:
                    return take(answer)
            except Fault as fault:
                job.failed(
                    one,
                    fault,
                    grew=False,
                    discarded=False,
                    asked_seconds=self._patience.silence,
                    now=time.monotonic(),
                )

    def _have(self, job: Job) -> int:
        return _size(_part(self.path(job.file.digest)))

    def _ask(self, one: Try, job: Job, seconds: float, stop: threading.Event) -> None:
        """Bring the file from one source. Raises Fault."""
        file, final = job.file, self.path(job.file.digest)
        with of_this_machine(final):
            final.parent.mkdir(parents=True, exist_ok=True)
        part = _part(final)
        looks = self._resume(one, file, part, seconds, stop)
        with of_this_machine(part):
            found = digest_file(part, file.digest.algorithm)
            if found != file.digest:
                part.unlink()
        if found != file.digest:
            raise _other_bytes(f"its bytes have {found}, expected {file.digest}", looks)
        with of_this_machine(final):
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.replace(final)
        self._network.health.finishes(one.source)

    def _resume(self, one: Try, file: RemoteFile, part: Path, seconds: float, stop: threading.Event) -> _Looks:
        """Go on with a partial download (or start one), never taking more than its size. What the answer looks like."""
        have = _size(part)
        with of_this_machine(part):
            if have > file.size_bytes:
                part.unlink()
                have = 0
        if have == file.size_bytes and have:
            return _Looks.AS_ASKED
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            with self._network.asked(one.url, headers, seconds) as answer:
                return self._take(answer, one, file, part, have=have, stop=stop)
        except Fault as fault:
            if fault.status is not None:
                self._network.health.answers(one.source)
            if have and fault.status == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                with of_this_machine(part):
                    part.unlink(missing_ok=True)
            raise

    def _take(
        self, answer: Answer, one: Try, file: RemoteFile, part: Path, *, have: int, stop: threading.Event
    ) -> _Looks:
        continues = bool(have) and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        looks = _Looks.of(answer)
        if continues and not answer.headers.get("content-range", "").startswith(f"bytes {have}-"):
            with of_this_machine(part):
                part.unlink()
            raise Fault(Reason.UNREACHABLE, "it answers with another range than it was asked for", passing=True)
        _require_length(answer, file, already=have if continues else 0, looks=looks)
        self._copy(answer, one, file, part, continues=continues, stop=stop)
        if (size := _size(part)) != file.size_bytes:
            raise Fault(
                Reason.UNREACHABLE, f"the connection ended after {size} of {file.size_bytes} bytes", passing=True
            )
        return looks

    def _copy(
        self, answer: Answer, one: Try, file: RemoteFile, part: Path, *, continues: bool, stop: threading.Event
    ) -> None:
        latest = time.monotonic() - answer.after_seconds
        deadline = time.monotonic() + self._patience.answer_seconds(file.size_bytes)
        with of_this_machine(part):
            stream = part.open("ab" if continues else "wb")
        with stream:
            while chunk := answer.stream.read(_CHUNK_BYTES):
                before, latest = latest, time.monotonic()
                self._network.health.answers(one.source, latest - before)  # an answer's head alone is no sign of life
                if stop.is_set():
                    raise Fault(Reason.UNREACHABLE, "interrupted")
                with of_this_machine(part):
                    if stream.tell() + len(chunk) > file.size_bytes:
                        stream.truncate(0)
                        raise _other_bytes(
                            f"it sends more than the expected {file.size_bytes} bytes", _Looks.of(answer)
                        )
                    stream.write(chunk)
                if latest > deadline:
                    sent = (
                        f"it sent {stream.tell()} of {file.size_bytes} bytes in {self._patience.silence:.0f} s and more"
                    )
                    raise Fault(Reason.UNREACHABLE, sent, passing=True, slow=True)
            with of_this_machine(part):
                stream.flush()


def _nobody(_: Waiting) -> None:
    """Nobody wants to know."""


def _part(final: Path) -> Path:
    return final.with_name(f"{final.name}.part")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise LocalError(f"{path}: cannot be read: {error.strerror}", hint="Make the cache readable.") from error


class _Looks(Enum):
    """What an answer says of itself, in words for when its bytes are others."""

    AS_ASKED = ""
    WEB_PAGE = "it answers with a web page, as captive portals and proxies do: "
    COMPRESSED = "it compresses what it sends, which was not asked for: "

    @classmethod
    def of(cls, answer: Answer) -> _Looks:
        if answer.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml")):
            return cls.WEB_PAGE
        if answer.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            return cls.COMPRESSED  # or says so of a file that is compressed, as some do for .gz
        return cls.AS_ASKED


def _other_bytes(detail: str, looks: _Looks) -> Fault:
    """Asked again, a few times: a mirror that is being updated, or a captive portal that was answered meanwhile."""
    return Fault(Reason.OTHER_BYTES, f"{looks.value}{detail}", passing=True)


def _require_length(answer: Answer, file: RemoteFile, *, already: int, looks: _Looks) -> None:
    """Another length is another file: better known before its bytes are mixed with those of the right one."""
    promised = answer.headers.get("content-length", "")
    if promised.isascii() and promised.isdecimal() and already + int(promised) != file.size_bytes:
        detail = f"it has {already + int(promised)} bytes, expected {file.size_bytes}"
        raise _other_bytes(detail, looks)


def _promised(answer: Answer, most_bytes: int, where: str) -> int:
    promised = answer.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", promised) or not 0 < int(promised) <= most_bytes:
        raise TeekitError(
            f"{where}: has '{printable(promised[:_SHOWN])}' bytes, expected 1 to {most_bytes}",
            hint="Check the address.",
        )
    return int(promised)


def _whole(answer: Answer, most_bytes: int, where: str) -> bytes:
    data = b""
    while chunk := answer.stream.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > most_bytes:
            raise TeekitError(f"{where}: has more than {most_bytes} bytes", hint="Check the address.")
    return data
