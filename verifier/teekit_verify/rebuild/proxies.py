"""The proxies of this host: what the environment names, else what its apt is configured for."""

from __future__ import annotations

import os
import re
from functools import cache

from teekit_verify.core import process
from teekit_verify.core.download import Proxies
from teekit_verify.core.download.proxies import of_apt
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.url import shown

_SECONDS = 60
_SETTING = re.compile(r'^(Acquire::https?::Proxy[^ ]*) "([^"]*)";$', re.MULTILINE)


def proxies() -> Proxies:
    """For all that is fetched: packages, the index, git."""
    return Proxies.from_environment(os.environ).or_else(_of_apt())


@cache
def _of_apt() -> Proxies:
    """Nobody's, on a host without apt."""
    try:
        output = process.run(["apt-config", "dump"], timeout_seconds=_SECONDS).stdout.decode(errors="replace")
    except TeekitError:
        return Proxies()
    return of_apt(dict(_SETTING.findall(output)))


def through(address: str) -> str:
    """` (through the proxy ...)`, if the address is asked for through one; for messages of programs that do not say so."""
    try:
        proxy = proxies().for_url(address)
    except ValueError:
        return ""
    return f" (through the proxy {shown(proxy)})" if proxy else ""
