"""Whether anything is on record of a firmware: asked before what is on record is parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.digest import Digest

GCP_FACTS = Path(__file__).parents[1] / "data" / "platforms" / "gcp.json"
"""In a checkout through a link to reference/platforms; in a wheel its files."""
_MOST_BYTES = 16 << 20


def may_be_known(digests: Iterable[Digest]) -> bool:
    """Whether the facts say something of one of these digests: most firmware is not Google's, and reading them takes as long as
    measuring it. True where there are no facts: reading them says so. Raises TeekitError.
    """
    if not GCP_FACTS.is_file():
        return True
    text = read_bounded(GCP_FACTS, _MOST_BYTES, "recorded facts")
    return any(digest.hex.encode() in text for digest in digests)
