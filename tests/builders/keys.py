"""Keys for tests. They are made from a name, so that a test's files are the same every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from teekit_verify.reference.signing.keys import PrivateKey, SigningKey, TrustedKey, key_id


def private_key(name: str, kind: str = "ed25519") -> PrivateKey:
    seed = hashlib.sha256(name.encode()).digest()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    return ec.derive_private_key(int.from_bytes(seed) >> 1, ec.SECP256R1())


def signing_key(name: str, kind: str = "ed25519") -> SigningKey:
    private = private_key(name, kind)
    return SigningKey(private, key_id(private.public_key()))


def trusted_key(name: str, kind: str = "ed25519") -> TrustedKey:
    public = private_key(name, kind).public_key()
    return TrustedKey(name, public, key_id(public))


def public_pem(name: str, kind: str = "ed25519") -> bytes:
    return private_key(name, kind).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(name: str, kind: str = "ed25519") -> bytes:
    return private_key(name, kind).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write_private(folder: Path, name: str, kind: str = "ed25519") -> Path:
    path = folder / f"{name}.key.pem"
    path.write_bytes(private_pem(name, kind))
    path.chmod(0o600)
    return path


def pin(folder: Path, *names: str) -> Path:
    """A folder of trusted keys: NAME.pem for each name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.pem").write_bytes(public_pem(name))
    return folder
