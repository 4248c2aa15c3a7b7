"""The certificates that the vTPMs of Google Compute Engine rest on, by the SHA-256 of their DER form.

Google publishes them at pki.goog/cloud_integrity/tpm_ek_root_1.crt and, since 2022, by its Certificate Authority Service, at the address in
the certificate of "EK/AK CA Intermediate". Both are in google/go-tpm-tools as well (server/ca-certs, 67670e5c), whose digests these are.
The certificates are not here: who asks brings them, with the authorities below them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography import x509

SHA256_OF_ROOTS = frozenset(
    {
        "9bd5285f8fb18502a7947e621ffd470266f49fcd3b73e19a190f690ad32a7caf",
        "594759594b9b61524f6c8ef668f7177f7b9066bc0674f2f49fe9e052be78beb2",
    }
)
"""tpm_ek_v1_cloud_host_root of 2018, and EK/AK CA Root of 2022."""


def roots_in(certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """Those of them that are Google's roots."""
    return tuple(item for item in certificates if item.fingerprint(SHA256()).hex() in SHA256_OF_ROOTS)
