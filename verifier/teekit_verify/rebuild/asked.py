"""Files asked for, and not fetched: whether some source still has each. Their bytes are looked at when they are fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.download import DocumentError
from teekit_verify.core.download.faults import Reason
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.core.download import DownloadStore, RemoteFile


def lost(files: Iterable[RemoteFile], store: DownloadStore) -> Iterator[tuple[RemoteFile, Reason]]:
    """Those that no source has, or says it has with another size. GONE only if every source was asked and says so."""
    for file in files:
        reasons = []
        for url in file.urls:
            reason = _reason(url, file, store)
            if reason is None:
                break
            reasons.append(reason)
        else:
            yield file, _worst(reasons)


def _reason(url: str, file: RemoteFile, store: DownloadStore) -> Reason | None:
    try:
        return None if store.size_of(url, most_bytes=file.size_bytes) == file.size_bytes else Reason.OTHER_BYTES
    except DocumentError as error:
        return error.missing.reason
    except TeekitError:  # it says another size, or none
        return Reason.OTHER_BYTES


def _worst(reasons: list[Reason]) -> Reason:
    for reason in (Reason.UNREACHABLE, Reason.OTHER_BYTES):
        if reason in reasons:
            return reason
    return Reason.GONE
