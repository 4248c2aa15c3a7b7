"""Statements in DSSE envelopes and Sigstore bundles: read, and the signature named as not checked."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.formats import load_published

STATEMENT = Path(__file__).parents[2] / "assets" / "formats" / "tinfoil-statement.json"


def envelope(payload: bytes, kind: str = "application/vnd.in-toto+json") -> dict[str, Any]:
    """secure-systems-lab/dsse, envelope.md."""
    return {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"keyid": "", "sig": "AA=="}],
    }


def bundle(inner: dict[str, Any]) -> dict[str, Any]:
    """sigstore/protobuf-specs, sigstore_bundle.proto, in its JSON form."""
    material = {"certificate": {"rawBytes": "AA=="}, "tlogEntries": []}
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return {"mediaType": kind, "verificationMaterial": material, "dsseEnvelope": inner}


def written(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "statement.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("carrier", ["envelope", "bundle", "github"])
def test_what_is_inside_counts(tmp_path: Path, carrier: str) -> None:
    document = envelope(STATEMENT.read_bytes())
    if carrier != "envelope":
        document = bundle(document)
    if carrier == "github":
        document = {"attestations": [{"bundle": document, "repository_id": 1}]}
    (found,) = load_published(written(tmp_path, document)).values
    (expected,) = load_published(STATEMENT).values
    assert found.platforms == expected.platforms
    assert found.not_compared[0] == (
        "signature",
        "DSSE envelope: the signature is not checked, so the file is only as good as the way it came",
    )
    assert found.not_compared[1:] == expected.not_compared


@pytest.mark.parametrize(
    "document",
    [
        envelope(b"not JSON"),
        envelope(b"{}"),
        envelope(STATEMENT.read_bytes(), "text/plain"),
        {**envelope(STATEMENT.read_bytes()), "payload": "!"},
        {"attestations": [{"bundle": bundle(envelope(STATEMENT.read_bytes()))}] * 2},
        bundle({}),
    ],
)
def test_other_envelopes_are_no_reference(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(TeekitError, match="is not a reference file of a known format"):
        load_published(written(tmp_path, document))


def test_a_statement_inside_is_read_as_strictly(tmp_path: Path) -> None:
    statement = json.loads(STATEMENT.read_text())
    statement["predicate"]["tdx_measurement"]["rtmr1"] = "00"
    path = written(tmp_path, envelope(json.dumps(statement).encode()))
    with pytest.raises(TeekitError, match=r"statement\.json: payload: .*rtmr1"):
        load_published(path)
