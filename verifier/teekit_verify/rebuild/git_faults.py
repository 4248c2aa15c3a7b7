"""Which failures of `git fetch` may pass by themselves. Git says in words alone what went wrong; with LC_ALL=C they are these.

Sources: git's http.c, remote-curl.c, fetch-pack.c, upload-pack.c and builtin/fetch.c. What is not known here may pass: asking again costs seconds.
"""

from __future__ import annotations

import re

_LASTING = re.compile(
    r"The requested URL returned error: (?!408|429)4[0-9]{2}"
    r"|remote error: "  # the server itself says no, "upload-pack: not our ref" for one
    r"|couldn't find remote ref "
    r"|Server does not allow request for unadvertised object "
    r"|repository '[^\n]*' not found"
    r"|Authentication failed for "
    r"|could not read (Username|Password) "
    r"|transport '[^\n]*' not allowed"
    r"|SSL certificate problem|certificate verif"
    r"|fsck error|fatal: bad object"
    r"|No space left on device|File too large|out of memory|unable to create|cannot (create|open|mkdir)"
    r"|did not finish within |bwrap: |is not installed"  # ours: the whole fetch has had its time, or cannot begin
)
_NETWORK = re.compile(r"(https?|git)://")


def may_pass(address: str, message: str) -> bool:
    """Whether another attempt may go well; `message` has the last lines of git's standard error."""
    return _NETWORK.match(address) is not None and _LASTING.search(message) is None
