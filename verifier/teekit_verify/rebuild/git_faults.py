"""Which failures of `git fetch` may pass by themselves. Git says in words alone what went wrong; with LC_ALL=C they are these.

Sources: git's http.c, remote-curl.c, fetch-pack.c, upload-pack.c and builtin/fetch.c. What is not known here may pass: asking again costs seconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.core.errors import ToolFailedError

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
    r"|^bwrap: ",  # the sandbox's: git did not begin
    re.MULTILINE,
)
_NETWORK = re.compile(r"(https?|git)://")


def may_pass(address: str, failure: ToolFailedError) -> bool:
    """Whether another attempt may go well. A git that was stopped has had the time of the whole fetch."""
    said = "\n".join(failure.output)
    return not failure.stopped and _NETWORK.match(address) is not None and _LASTING.search(said) is None


def is_dumb(failure: ToolFailedError) -> bool:
    """Whether the server only holds files, and so cannot give a part of a history (git's remote-curl.c)."""
    return any("dumb http transport" in line for line in failure.output)
