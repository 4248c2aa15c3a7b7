"""What is inside an envelope: a DSSE envelope, a Sigstore bundle (v0.1 to v0.3) with one, or GitHub's answer with one bundle.

secure-systems-lab/dsse (envelope.md); sigstore/protobuf-specs (sigstore_bundle.proto: `dsseEnvelope`); GitHub's REST API for attestations. No
signature is verified, and who reads what is inside says so.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.plain_json import load_plain

if TYPE_CHECKING:
    from teekit_verify.reference.formats.base import Source

_IN_TOTO = "application/vnd.in-toto+json"
NOT_CHECKED = (
    "signature",
    "DSSE envelope: the signature is not checked, so the file is only as good as the way it came",
)


def inside(source: Source) -> Source | None:
    """The in-toto statement in it, as a file of its own. None for what is no such envelope, or holds something else."""
    envelope = _envelope(source.json)
    payload = None if envelope is None else envelope.get("payload")
    if envelope is None or envelope.get("payloadType") != _IN_TOTO or not isinstance(payload, str):
        return None
    try:
        data = base64.b64decode(payload, validate=True)
        return replace(source, where=f"{source.where}: payload", data=data, json=load_plain(data))
    except (binascii.Error, ValueError):
        return None


def _envelope(value: object) -> dict[str, object] | None:
    if not isinstance(value, dict):
        return None
    attestations = value.get("attestations")
    if isinstance(attestations, list) and len(attestations) == 1 and isinstance(attestations[0], dict):
        return _envelope(attestations[0].get("bundle"))
    inner = value.get("dsseEnvelope", value)
    return inner if isinstance(inner, dict) else None
