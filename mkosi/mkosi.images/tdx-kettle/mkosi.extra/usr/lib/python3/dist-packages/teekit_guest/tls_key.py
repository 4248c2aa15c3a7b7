"""`python3 -m teekit_guest.tls_key CERTIFICATE FILE`: writes into FILE what nginx says of its own key to attestation.service.

Before each start of nginx, from the certificate it is about to serve: so whatever nginx answers a connection, it says of the key that this connection has.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from pathlib import Path

from .files import write_atomically

SECONDS = 30


def main(arguments: list[str]) -> int:
    certificate, target = arguments
    write_atomically(Path(target), f"proxy_set_header X-Teekit-Tls-Key {digest(Path(certificate))};\n".encode())
    return 0


def digest(certificate: Path) -> str:
    """SHA-256 of the SubjectPublicKeyInfo (RFC 5280, section 4.1), DER, of the first certificate in the file."""
    argv = ["/usr/bin/openssl", "x509", "-in", str(certificate), "-noout", "-pubkey"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    lines = done.stdout.splitlines()
    if lines[0] != "-----BEGIN PUBLIC KEY-----" or lines[-1] != "-----END PUBLIC KEY-----":
        raise ValueError("openssl gives no public key")
    return hashlib.sha256(base64.b64decode("".join(lines[1:-1]), validate=True)).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
