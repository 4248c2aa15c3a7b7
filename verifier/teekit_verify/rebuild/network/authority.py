"""A certificate authority that lives as long as one build: its key is in memory, and signs for the names that the build asks."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_NAME, _SERVER = (
    x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"teekit-verify: {what} of one build")])
    for what in ("authority", "a server")
)
# Valid whatever a build takes the time to be: some scripts set a clock back, and the key dies with the build.
_FROM, _UNTIL = (
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(2049, 12, 31, tzinfo=UTC),
)
_MOST_HOSTS = 200


class Authority:
    """Threads may share it. `certificate` is PEM, for the programs of the build."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._own = self._signed(_NAME, self._key.public_key(), authority=True)
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def certificate(self) -> bytes:
        return self._own.public_bytes(serialization.Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """For the server's side of a connection to this host."""
        with self._lock:
            found = self._contexts.pop(host, None) or self._made(host)
            self._contexts[host] = found
            while len(self._contexts) > _MOST_HOSTS:
                self._contexts.popitem(last=False)
            return found

    def _made(self, host: str) -> ssl.SSLContext:
        leaf = self._signed(_SERVER, self._leaf_key.public_key(), host=host)
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        with tempfile.TemporaryDirectory(prefix="teekit-network-") as folder:  # ssl reads keys from files only
            place = Path(folder, "leaf.pem")
            place.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + key)
            context.load_cert_chain(place)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, host: str = "", authority: bool = False
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(_NAME, subject, key, x509.random_serial_number(), _FROM, _UNTIL)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True)
            .add_extension(_usage(authority=authority), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if host:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
