"""The only place that uses the network: a content-addressed download store, filled from several sources in order."""

from teekit_verify.core.download.faults import (
    DocumentError,
    DownloadError,
    LocalError,
    Missing,
    Reason,
    Refusal,
    RemoteFile,
)
from teekit_verify.core.download.network import Network
from teekit_verify.core.download.patience import Patience
from teekit_verify.core.download.proxies import Proxies
from teekit_verify.core.download.store import CACHE, DownloadStore

__all__ = [
    "CACHE",
    "DocumentError",
    "DownloadError",
    "DownloadStore",
    "LocalError",
    "Missing",
    "Network",
    "Patience",
    "Proxies",
    "Reason",
    "Refusal",
    "RemoteFile",
]
