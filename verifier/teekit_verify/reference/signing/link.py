r"""in-toto links (in-toto specification 0.9, section 4.3), as rebuilderd makes them and repro-threshold counts them.

The signature is over canonical JSON (OLPC): keys sorted, no spaces, in strings only `"` and `\` escaped. An id of a key is the SHA-256 of
the canonical JSON of its description, as in-toto-rs computes it. Their readers of this take Ed25519 keys only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teekit_verify.core.errors import TeekitError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from teekit_verify.core.digest import Digest
    from teekit_verify.reference.signing.keys import SigningKey


_WITH_NULL = bytes.fromhex("302c300706032b65700500032100")
"""What stands before the 32 bytes: SEQUENCE, SEQUENCE, OID 1.3.101.112, NULL, BIT STRING."""


def public_of(key: SigningKey) -> ed25519.Ed25519PublicKey:
    """Raises TeekitError for a key of another kind."""
    public = key.private.public_key()
    if not isinstance(public, ed25519.Ed25519PublicKey):
        raise TeekitError(
            "a link is signed with an Ed25519 key: its readers take no other", hint="Name an Ed25519 key."
        )
    return public


def sign_link(name: str, materials: Mapping[str, Digest], products: Mapping[str, Digest], key: SigningKey) -> bytes:
    """A signed link. Its fields are those that rebuilderd writes. Raises TeekitError for another kind of key."""
    public = public_of(key)
    for text in (name, *materials, *products):
        if not text.isprintable() or '"' in text or "\\" in text:
            raise TeekitError(f"{printable(text[:80])!r} cannot stand in a link: its readers disagree about such names")
    signed: dict[str, object] = {
        "_type": "link",
        "name": name,
        "materials": _hashes(materials),
        "products": _hashes(products),
        "environment": None,
        "byproducts": {},
        "command": [],
    }
    signature = {"keyid": key_id(public), "sig": key.sign(_canonical(signed)).hex()}
    return json.dumps({"signatures": [signature], "signed": signed}, ensure_ascii=False).encode() + b"\n"


def key_id(public: ed25519.Ed25519PublicKey) -> str:
    """What in-toto calls the key: another id than that of `keys.key_id`."""
    described = {
        "keytype": "ed25519",
        "scheme": "ed25519",
        "keyid_hash_algorithms": ["sha256", "sha512"],
        "keyval": {"public": public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()},
    }
    return hashlib.sha256(_canonical(described)).hexdigest()


def public_pem(public: ed25519.Ed25519PublicKey) -> bytes:
    """The key as rebuilderd publishes it, and as repro-threshold asks for it: its AlgorithmIdentifier has a NULL as parameters, which RFC 8410, section 3, forbids."""
    body = base64.b64encode(_WITH_NULL + public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return f"-----BEGIN PUBLIC KEY-----\r\n{body}\r\n-----END PUBLIC KEY-----\r\n".encode()


def _hashes(files: Mapping[str, Digest]) -> dict[str, dict[str, str]]:
    return {name: {"sha256": digest.hex} for name, digest in files.items()}


def _canonical(plain: object) -> bytes:
    """OLPC, for texts in which nothing is escaped, and without numbers."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
