"""What Intel publishes about a quote's platform."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from teekit_verify.appraisal.guest.policy import parse_time, read_root
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.quote import read_quote
from teekit_verify.reference import intel_pcs

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from teekit_verify.reference.intel_pcs import Fetched


def fetch_collateral(
    quote: Path,
    *,
    at: datetime | str,
    pccs: str | None = None,
    trusted_root: Path | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Revocation lists, TCB info and QE identity of the quote's platform, from Intel's service or a PCCS (its address).

    `at`: the time at which they must be valid, or as 2026-02-03T04:05:06Z. `trusted_root`: a PEM file in place of Intel's root.
    `pause` waits for so many seconds where the service asks for it. Uses the network.

    Raises TeekitError for a quote that cannot be read, and for answers that are not Intel's, of another platform or another time.
    """
    moment = parse_time(at) if isinstance(at, str) else at
    service = intel_pcs.Service() if pccs is None else intel_pcs.cached(pccs)
    chain = parse_signature(read_quote(quote)).chain
    return intel_pcs.fetch_collateral(intel_pcs.Question(chain, read_root(trusted_root), moment, service, pause))
