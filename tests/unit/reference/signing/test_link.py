"""In-toto links: one of Arch Linux's rebuilder as it was published, and securesystemslib as the reader of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]

from builders import documents, keys
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing import link

# kpcyrd/repro-threshold, test_data/reproducible-archlinux.pub and the key id that its own test expects of it
ARCH_KEY = bytes.fromhex("4b35c11c804ad0d6b673f68224527cdcddf3eea891002ebdb6acd6eb04aee2a9")
ARCH_KEY_ID = "1ae6d32cb5bb8a98312106de28e50af7e09a9b294d51df459537908ac1288b8f"
# The fields of test_data/filesystem-2025.10.12-1-any.in-toto.link, in which `materials` and `products` have the same form
ARCH_FIELDS = {"_type", "name", "materials", "products", "environment", "byproducts", "command"}

PRODUCTS = {"tdx-debian.efi": documents.sha256("uki"), "tdx-debian.manifest": documents.sha256("manifest")}
MATERIALS = {"inputs": documents.sha256("inputs")}
LINK: dict[str, Any] = json.loads(link.sign_link("rebuild base + gcp", MATERIALS, PRODUCTS, keys.signing_key("alice")))


def test_the_key_id_is_that_of_in_toto() -> None:
    public = ed25519.Ed25519PublicKey.from_public_bytes(ARCH_KEY)
    assert link.key_id(public) == ARCH_KEY_ID


def test_the_key_is_written_as_rebuilderd_publishes_it() -> None:
    """kpcyrd/repro-threshold, test_data/reproducible-archlinux.pub: the reader of links takes no other form."""
    body = b"MCwwBwYDK2VwBQADIQBLNcEcgErQ1rZz9oIkUnzc3fPuqJEALr22rNbrBK7iqQ=="
    published = b"-----BEGIN PUBLIC KEY-----\r\n" + body + b"\r\n-----END PUBLIC KEY-----\r\n"
    assert link.public_pem(ed25519.Ed25519PublicKey.from_public_bytes(ARCH_KEY)) == published


def _verify(name: str, signed: dict[str, Any]) -> None:
    (signature,) = LINK["signatures"]
    key = SSlibKey.from_crypto(load_pem_public_key(keys.public_pem(name)), keyid=signature["keyid"])
    canonical: str = encode_canonical(signed)  # type: ignore[assignment]
    key.verify_signature(Signature(signature["keyid"], signature["sig"]), canonical.encode())


def test_securesystemslib_verifies_a_link() -> None:
    _verify("alice", LINK["signed"])
    for name, signed in (("bob", LINK["signed"]), ("alice", LINK["signed"] | {"name": "rebuild gcp"})):
        with pytest.raises(UnverifiedSignatureError):
            _verify(name, signed)


def test_it_has_the_fields_of_a_published_link() -> None:
    signed = LINK["signed"]
    assert signed.keys() == ARCH_FIELDS
    assert (signed["_type"], signed["environment"], signed["byproducts"], signed["command"]) == ("link", None, {}, [])
    assert signed["products"] == {name: {"sha256": digest.hex} for name, digest in PRODUCTS.items()}
    assert signed["materials"] == {"inputs": {"sha256": MATERIALS["inputs"].hex}}


@pytest.mark.parametrize("name", ["a\x1b.efi", 'a".efi', "a\\.efi", "a\n.efi"])
def test_names_that_readers_write_differently_are_refused(name: str) -> None:
    with pytest.raises(TeekitError, match="cannot stand in a link"):
        link.sign_link("rebuild", MATERIALS, {name: documents.sha256("uki")}, keys.signing_key("alice"))


def test_only_ed25519_keys_sign_links() -> None:
    with pytest.raises(TeekitError, match="signed with an Ed25519 key"):
        link.sign_link("rebuild", MATERIALS, PRODUCTS, keys.signing_key("alice", "p256"))
