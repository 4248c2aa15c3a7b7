"""quote.service and attestation.service of the devtools profile: where the machine gives no quotes, the dummy ones that scripts/test_local.sh serves.

They say that they are dummies, and nothing verifies them. No other profile has this file.
"""

from __future__ import annotations

import sys

from teekit_guest import attestation, fetch, quote_service, tsm
from teekit_guest.refusal import Refused

SERVER = "http://10.0.2.2:8080"
SECONDS = 30.0


def quote(report_data: bytes, server: str = SERVER) -> tsm.Quote:
    """A real quote where there can be one."""
    try:
        return tsm.quote(report_data)
    except tsm.NoTsm:
        answer = fetch.get(f"{server}/attest/{report_data.hex()}", seconds=SECONDS, most_bytes=tsm.MOST_BYTES)
    if answer.status != fetch.OK or len(answer.body) > tsm.MOST_BYTES:
        raise Refused(f"{server} gives no dummy quote: it answered {answer.status} with {len(answer.body)} bytes")
    return tsm.Quote("dummy", answer.body)


def main(service: str) -> int:
    return {"quote": quote_service.serve, "attestation": attestation.serve}[service](quote)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
