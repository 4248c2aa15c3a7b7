"""Asking a live machine who it is."""

from __future__ import annotations

import os

from teekit_verify.appraisal.guest.live import LiveGuest
from teekit_verify.core.download import Proxies
from teekit_verify.core.download import guest_channel as channel
from teekit_verify.core.errors import TeekitError
from teekit_verify.evidence.guest_answer import NONCE_BYTES, PATH, parse_guest_answer


def ask_guest(url: str, *, nonce: bytes, proxies: Proxies | None = None) -> LiveGuest:
    """The answer of a machine at `https://HOST` or `http://HOST:3000`, over a connection of its own.

    `nonce`: 32 bytes that were never used before: secrets.token_bytes(32). Proxies are those of the environment, unless they are given.
    Certificates need no authority: the key of the connection has to be the one that the quote names.

    Raises TeekitError where there is no answer in a minute and a half, or one that is not an attestation.
    """
    if len(nonce) != NONCE_BYTES:
        raise TeekitError(
            f"nonce: expected {NONCE_BYTES} bytes, found {len(nonce)}", hint="Use secrets.token_bytes(32)."
        )
    address = channel.parse_guest_address(url)
    chosen = Proxies.from_environment(os.environ) if proxies is None else proxies
    reply = channel.ask_guest(address, f"{PATH}?nonce={nonce.hex()}", chosen)
    return LiveGuest(str(address), nonce, reply.tls_key_sha256, parse_guest_answer(reply.body), reply.not_vouched_for)
