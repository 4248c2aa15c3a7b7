"""Keys in files: private ones that sign (also by an SSH agent, `ssh`), and public ones that a reader has pinned. Nothing is trusted by default.

Three kinds: Ed25519 (RFC 8032), ECDSA over P-256 with SHA-256 and deterministic nonces (FIPS 186-5, RFC 6979), and RSA of 2048 to
4096 bits with SHA-256, padded by PKCS #1 v1.5 (RFC 8017, section 8.2), so that the same key and bytes always give the same signature.
ECDSA signatures are DER, as OpenSSL writes and reads them. RSA signatures padded by PSS (section 8.1) are accepted too: some hardware
makes no others.
"""

from __future__ import annotations

import hashlib
import re
import stat
from datetime import date
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.reference.signing import ssh
from teekit_verify.reference.signing.ssh import AgentKey

if TYPE_CHECKING:
    from pathlib import Path

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_MAX_KEY_BYTES = 16 << 10
_MAX_KEYS = 1000
_KINDS = "Only Ed25519, ECDSA P-256 and RSA keys are used."
_RSA_BITS = range(2048, 4097)
_LEAST_EXPONENT = 1 << 16
"""FIPS 186-5, appendix A.1.1."""
_LABEL = re.compile(rb"^-----BEGIN ([A-Z0-9 ]{1,40})-----\s*$", re.MULTILINE)
_EXPIRES = re.compile(r"Expires: ([0-9]{4}-[0-9]{2}-[0-9]{2})")
_OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}")


@frozen
class SigningKey:
    """A private key. `id` is that of its public half."""

    private: PrivateKey | AgentKey
    id: str

    def sign(self, data: bytes) -> bytes:
        """64 bytes for Ed25519, DER for ECDSA, as long as its modulus for RSA; deterministic, but for ECDSA by an agent.

        Raises TeekitError where an agent does not sign, or another key did.
        """
        if isinstance(self.private, AgentKey):
            return self._by_agent(self.private, data)
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.private.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))

    def _by_agent(self, private: AgentKey, data: bytes) -> bytes:
        signature = private.sign(data)
        if not TrustedKey("", private.public, self.id).made(signature, data):
            raise TeekitError(f"the SSH agent's signature is not by {private.where}", hint="Name the right key.")
        return signature


@frozen
class TrustedKey:
    """A pinned public key. It is accepted until the end of the day `expires` (UTC); None is for ever."""

    owner: str
    public: PublicKey
    id: str
    expires: date | None = None

    def made(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made `signature` over exactly `data`."""
        if isinstance(self.public, rsa.RSAPublicKey):
            return any(_made_by_rsa(self.public, signature, data, how) for how in _RSA_PADDINGS)
        try:
            if isinstance(self.public, ed25519.Ed25519PublicKey):
                self.public.verify(signature, data)
            else:
                self.public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    def expired(self, on: date) -> bool:
        """Whether `on` is after the last day of the key; never if it has none."""
        return self.expires is not None and on > self.expires


_RSA_PADDINGS = (padding.PKCS1v15(), padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO))


def _made_by_rsa(public: rsa.RSAPublicKey, signature: bytes, data: bytes, how: padding.AsymmetricPadding) -> bool:
    try:
        public.verify(signature, data, how, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def public_pem(public: PublicKey) -> bytes:
    """As `openssl pkey -pubout` writes it."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(public: PublicKey) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo in DER, in hexadecimal: a hint which key to try, never a proof."""
    return hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def is_encrypted(path: Path) -> bool:
    """Whether a private key can only be read with a passphrase (RFC 5958, section 3; RFC 1421, section 4.6.1.1). Raises TeekitError."""
    data = _read(path)
    return b"ENCRYPTED PRIVATE KEY" in _LABEL.findall(data) or b"Proc-Type: 4,ENCRYPTED" in data


def load_signing_key(path: Path, passphrase: bytes | None = None, agent: Path | None = None) -> SigningKey:
    """Raises TeekitError for anything but a private key of the three kinds. `passphrase` is for one that is encrypted.

    A public key of OpenSSH's stands for the private one that the agent at the socket `agent` has.
    """
    data = _read(path)
    if ssh.is_public(data):
        return _of_agent(path, data, agent)
    if b"PUBLIC KEY-----" in data:
        raise TeekitError(f"{path}: is a public key", hint="Name the private key to sign with.")
    encrypted = is_encrypted(path)
    if encrypted and not passphrase:
        raise TeekitError(
            f"{path}: the private key is encrypted", hint="Name the file of its passphrase: --passphrase-file."
        )
    try:
        if ssh.PRIVATE_LABEL in _LABEL.findall(data):
            key: object = ssh.load_private(data, str(path))
        else:
            key = load_pem_private_key(data, password=passphrase if encrypted else None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        if encrypted:
            raise TeekitError(
                f"{path}: the private key cannot be decrypted with this passphrase", hint="Check the passphrase."
            ) from error
        raise TeekitError(f"{path}: is not a private key in a PEM file", hint=_KINDS) from error
    if not isinstance(key, PrivateKey):
        raise _other_kind(path, key)
    _require_strong(path, key)
    return SigningKey(key, key_id(key.public_key()))


def _of_agent(path: Path, data: bytes, agent: Path | None) -> SigningKey:
    public, blob = ssh.load_public(data, str(path))
    if not isinstance(public, PublicKey):
        raise _other_kind(path, public)
    _require_strong(path, public)
    return SigningKey(AgentKey(public, blob, agent, str(path)), key_id(public))


def readable_by_others(path: Path) -> bool:
    """Whether the group or everybody may read or write the file. A public key is for everybody."""
    return not ssh.is_public(_read(path)) and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def load_trusted_keys(directory: Path) -> tuple[TrustedKey, ...]:
    """The public keys `OWNER.pem` (or `OWNER.anything.pem`, for an owner with several) in a folder, sorted by file name.

    Other files are left alone. Raises TeekitError for a folder without keys, for a .pem file that is not one public key
    of the three kinds, and for a key that is pinned twice: it would have two names.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == ".pem")
    except OSError as error:
        raise TeekitError(
            f"{directory}: cannot be read: {error.strerror}", hint="Name a folder of public keys with --trusted-keys."
        ) from error
    if not paths:
        raise TeekitError(
            f"{directory}: has no public keys (OWNER.pem)", hint="Put the keys you trust there; none is built in."
        )
    if len(paths) > _MAX_KEYS:
        raise TeekitError(f"{directory}: has more than {_MAX_KEYS} keys")
    keys: dict[str, TrustedKey] = {}
    for path in paths:
        key = load_trusted_key(path)
        if key.id in keys:
            raise TeekitError(
                f"{path}: is the same key as another one of {keys[key.id].owner}", hint="Pin every key once."
            )
        keys[key.id] = key
    return tuple(keys.values())


def load_trusted_key(path: Path) -> TrustedKey:
    """One of these files. Raises TeekitError."""
    owner = path.name.split(".")[0]
    if not _OWNER.fullmatch(owner):
        raise TeekitError(
            f"{path}: the owner's name {printable(owner)!r} must be 1 to 64 letters, digits, '-' or '_'",
            hint="Rename the file to OWNER.pem.",
        )
    data = _read(path)
    labels = _LABEL.findall(data)
    if any(b"PRIVATE" in label for label in labels):
        raise TeekitError(f"{path}: is a private key", hint="Keep it secret; put its public half here.")
    if labels != [b"PUBLIC KEY"]:
        found = " and ".join(label.decode() for label in labels[:3]) or "none"
        raise TeekitError(f"{path}: expected one PEM block 'PUBLIC KEY', found {found}", hint=_KINDS)
    expires = _expiry(path, data[: data.index(b"-----BEGIN")])
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TeekitError(f"{path}: is not a public key: it cannot be decoded", hint=_KINDS) from error
    if not isinstance(key, PublicKey):
        raise _other_kind(path, key)
    _require_strong(path, key)
    return TrustedKey(owner, key, key_id(key), expires)


def _expiry(path: Path, heading: bytes) -> date | None:
    """`Expires: 2027-12-31` above the PEM block (RFC 7468, section 2, allows text there). A misspelt line must not be lost."""
    lines = [line for line in heading.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    if not lines:
        return None
    found = _EXPIRES.fullmatch(lines[0].strip())
    try:
        if found and len(lines) == 1:
            return date.fromisoformat(found[1])
    except ValueError:
        pass  # no such day
    raise TeekitError(
        f"{path}: expected nothing or 'Expires: YYYY-MM-DD' above the key, found {printable(lines[0][:80])!r}",
        hint="Correct the line, or take it out.",
    )


def _require_strong(path: Path, key: PublicKey | PrivateKey) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) and key.curve.name != "secp256r1":
        raise TeekitError(f"{path}: is a key on the curve {key.curve.name}", hint=_KINDS)
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey) else key
    if isinstance(public, rsa.RSAPublicKey):
        _require_strong_rsa(path, public)


def _require_strong_rsa(path: Path, key: rsa.RSAPublicKey) -> None:
    if key.key_size not in _RSA_BITS:
        raise TeekitError(
            f"{path}: is an RSA key of {key.key_size} bits, expected {_RSA_BITS[0]} to {_RSA_BITS[-1]}",
            hint="Make another key.",
        )
    if key.public_numbers().e < _LEAST_EXPONENT:
        raise TeekitError(
            f"{path}: is an RSA key with the public exponent {key.public_numbers().e}, expected 65537 or more",
            hint="Make another key.",
        )


def _other_kind(path: Path, key: object) -> TeekitError:
    name = type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey").lstrip("_")
    return TeekitError(f"{path}: is an {name} key", hint=_KINDS)


def _read(path: Path) -> bytes:
    return read_bounded(path, _MAX_KEY_BYTES, "a key")
