"""Whether anything is on record of a firmware: asked before what is on record is parsed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.files import read_bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.digest import Digest
    from teekit_verify.prediction.gcp_facts import GcpFacts

GCP_FACTS = Path(__file__).parents[1] / "data" / "platforms" / "gcp.json"
"""In a checkout through a link to reference/platforms; in a wheel its files."""
_MOST_BYTES = 16 << 20


def facts_about(digests: Iterable[Digest]) -> GcpFacts | None:
    """The facts if they say something of one of these digests: most firmware is not Google's, and reading them takes as long as
    measuring it. Raises TeekitError.
    """
    if GCP_FACTS.is_file():
        text = read_bounded(GCP_FACTS, _MOST_BYTES, "recorded facts")
        if not any(digest.hex.encode() in text for digest in digests):
            return None
    from teekit_verify.prediction.gcp_facts import load_gcp

    return load_gcp()
