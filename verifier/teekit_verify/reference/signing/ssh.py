"""Keys as OpenSSH keeps them: private ones in its own format, and those that an agent holds, which may be in hardware.

An agent signs bytes as they are (draft-ietf-sshm-ssh-agent, section 3.6; RFC 8332 and RFC 5656 for the signatures), so what it makes is
an ordinary signature by an ordinary key: it is put into the form that keys in PEM files give, and checked before it is used.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from teekit_verify.core import local_socket
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes, SSHPublicKeyTypes

_PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey

PRIVATE_LABEL = b"OPENSSH PRIVATE KEY"
_MAGIC = b"openssh-key-v1\x00"
_SIGN_REQUEST, _SIGN_RESPONSE, _FAILURE = 13, 14, 5
_RSA_SHA2_256 = 2
"""A flag of the request: without it an agent signs over SHA-1."""
_MOST_BYTES = 16 << 10
_SECONDS = 120
"""Somebody may have to touch a token, or to type a PIN."""
_IN_HARDWARE = b"sk-"
"""FIDO tokens sign what they make of the bytes, and not the bytes."""


def is_public(data: bytes) -> bool:
    """Whether it is a line as in id_ed25519.pub."""
    return data.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-"))


def load_private(data: bytes, where: str) -> SSHPrivateKeyTypes:
    """Raises TeekitError for one that is encrypted: OpenSSH derives its keys by bcrypt, which an agent has and we do not."""
    if _cipher(data) != b"none":
        raise TeekitError(
            f"{where}: is encrypted as OpenSSH does it",
            hint="Add it to an agent (ssh-add), and name its public half: FILE.pub.",
        )
    try:
        return load_ssh_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TeekitError(f"{where}: is not a private key of OpenSSH's", hint="Name the key to sign with.") from error


def _cipher(data: bytes) -> bytes:
    """PROTOCOL.key of OpenSSH: the name of the cipher is the first field. What cannot be read has none."""
    lines = [line for line in data.splitlines() if line and not line.startswith(b"-----")]
    try:
        binary = base64.b64decode(b"".join(lines))
    except binascii.Error:
        return b"none"
    if not binary.startswith(_MAGIC):
        return b"none"
    size = int.from_bytes(binary[len(_MAGIC) :][:4])
    return binary[len(_MAGIC) + 4 :][:size]


def load_public(data: bytes, where: str) -> tuple[SSHPublicKeyTypes, bytes]:
    """The key of such a line, and its binary form, by which an agent knows it. Raises TeekitError."""
    kind, _, rest = data.strip().partition(b" ")
    if kind.startswith(_IN_HARDWARE):
        raise TeekitError(
            f"{where}: is a key of a FIDO token, whose signatures are not over the bytes themselves",
            hint="Use a key of another kind: Ed25519, ECDSA P-256 or RSA.",
        )
    blob = rest.split(b" ")[0]
    try:
        return load_ssh_public_key(kind + b" " + blob), base64.b64decode(blob, validate=True)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TeekitError(
            f"{where}: is not a public key of OpenSSH's: it cannot be decoded", hint="Name the .pub file."
        ) from error


@frozen
class AgentKey:
    """A private key that the agent behind `socket` has (None: there is none); `blob` is the public half as SSH writes it. `where` names the file."""

    public: _PublicKey
    blob: bytes
    socket: Path | None
    where: str

    def public_key(self) -> _PublicKey:
        return self.public

    def sign(self, data: bytes) -> bytes:
        """As `SigningKey.sign` gives it, not checked; by ECDSA another one each time. Raises TeekitError where the agent does not."""
        flags = _RSA_SHA2_256 if isinstance(self.public, rsa.RSAPublicKey) else 0
        request = bytes([_SIGN_REQUEST]) + _string(self.blob) + _string(data) + flags.to_bytes(4)
        answer = self._ask(request)
        if answer[:1] != bytes([_SIGN_RESPONSE]):
            raise TeekitError(
                f"the SSH agent does not sign with {self.where}", hint="Add the key: ssh-add FILE. See ssh-add -l."
            )
        kind, signature = _fields(_fields(answer[1:], 1)[0], 2)
        return self._plain(kind, signature)

    def _ask(self, request: bytes) -> bytes:
        if self.socket is None:
            raise TeekitError(
                f"{self.where}: is a public key, and there is no SSH agent that has the private one",
                hint="Start ssh-agent and set SSH_AUTH_SOCK, or name a private key.",
            )
        try:
            return local_socket.exchange(self.socket, request, most_bytes=_MOST_BYTES, timeout_seconds=_SECONDS)
        except OSError as error:
            raise TeekitError(
                f"the SSH agent at {printable(str(self.socket))} does not answer: {error}",
                hint="Start one, and set SSH_AUTH_SOCK.",
            ) from error

    def _plain(self, kind: bytes, signature: bytes) -> bytes:
        """RFC 8709, section 6; RFC 8332, section 3; RFC 5656, section 3.1.2."""
        expected = b"ecdsa-sha2-nistp256"
        if isinstance(self.public, ed25519.Ed25519PublicKey):
            expected = b"ssh-ed25519"
        elif isinstance(self.public, rsa.RSAPublicKey):
            expected = b"rsa-sha2-256"
        if kind != expected:
            raise TeekitError(
                f"the SSH agent signs by {printable(kind[:40].decode(errors='replace'))}, expected {expected.decode()}"
            )
        if isinstance(self.public, ec.EllipticCurvePublicKey):
            r, s = (int.from_bytes(number) for number in _fields(signature, 2))
            return encode_dss_signature(r, s)
        return signature


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _fields(data: bytes, count: int) -> list[bytes]:
    """So many strings of RFC 4251, section 5, and nothing else."""
    found, place = [], 0
    for _ in range(count):
        size = int.from_bytes(data[place : place + 4])
        found.append(data[place + 4 : place + 4 + size])
        place += 4 + size
    if place != len(data):
        raise TeekitError("the SSH agent's answer cannot be read: it has another length than it says")
    return found
