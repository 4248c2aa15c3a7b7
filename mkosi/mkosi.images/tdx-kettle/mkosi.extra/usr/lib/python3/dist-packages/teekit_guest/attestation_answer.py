"""What attestation.service answers: docs/app-identity.md has every field."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from . import fetch, layout, tpm, tsm
from .refusal import Refused
from .tpm_quote import Attester

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from logging import Logger
    from pathlib import Path

# Apart from what an app can ask for (identity.DOMAIN): whatever that is, no quote over it looks like one over this.
DOMAIN = b"teekit guest report data v1\0"
NONCE_BYTES = KEY_BYTES = 32
# Azure: the quote of the paravisor's TD, over the TD's report that is in the HCL report.
AZURE_QUOTES = "http://169.254.169.254/acc/tdquote"
TD_REPORT = slice(32, 32 + 1024)
AZURE_SECONDS = 10.0
MOST_AZURE_BYTES = 64 * 1024
# Of an event log: EV_NO_ACTION, and what its first event holds.
_NO_ACTION, _SPEC_ID = 3, b"Spec ID Event03\0"
_EVENT_OFFSET, _ALGORITHMS_OFFSET, _MOST_ALGORITHMS = 32, 60, 16


def report_data(nonce: bytes, tls_key: bytes | None) -> bytes:
    """64 bytes for the platform to sign. `tls_key` is the SHA-256 of nginx's public key, None over plain HTTP."""
    if len(nonce) != NONCE_BYTES or (tls_key is not None and len(tls_key) != KEY_BYTES):
        raise Refused(f"a nonce and a digest of {NONCE_BYTES} bytes each are expected")
    return hashlib.sha512(DOMAIN + nonce + (tls_key or bytes(KEY_BYTES))).digest()


@dataclass(frozen=True, slots=True)
class Kept:
    """What does not change any more in this boot: teekit-measure.service was done before this service started."""

    runtime_log: str
    manifests: tuple[bytes, ...]
    hostnames: str
    ccel: bytes | None
    tpm_log: bytes | None

    @classmethod
    def read(cls) -> Self:
        paths = [layout.given_manifest(number) for number in range(layout.KETTLES)]
        return cls(
            layout.RUNTIME_LOG.read_text(),
            tuple(path.read_bytes() for path in paths if path.exists()),
            layout.HOSTNAMES.read_text(),
            _boot_log(layout.CCEL_COPY),
            _boot_log(layout.TPM_LOG_COPY),
        )


class Machine:
    """`quote` makes a TDX quote; `attester` a TPM's, where there is a TPM."""

    def __init__(self, kept: Kept, quote: Callable[[bytes], tsm.Quote], attester: Attester | None) -> None:
        self._kept, self._quote, self._attester = kept, quote, attester
        self._azure: bytes | None = None

    @classmethod
    @contextmanager
    def opened(cls, quote: Callable[[bytes], tsm.Quote], logger: Logger) -> Iterator[Self]:
        with ExitStack() as stack:
            attester = None
            if tpm.is_there():
                try:
                    attester = Attester(stack.enter_context(tpm.opened()))
                except Refused as refusal:
                    logger.error("no quotes of the TPM: %s", refusal)
            yield cls(Kept.read(), quote, attester)

    def answer(self, nonce: bytes, tls_key: bytes | None) -> dict[str, object]:
        """Raises Refused where there is no quote of any kind."""
        data = report_data(nonce, tls_key)
        tdx, quoted = self._tdx(data), self._tpm(data)
        if tdx is None and quoted is None:
            raise Refused("this machine gives no quotes")
        return {
            "version": 1,
            "nonce": nonce.hex(),
            "tls_key_sha256": None if tls_key is None else tls_key.hex(),
            "report_data": data.hex(),
            "tdx": tdx,
            "tpm": quoted,
            "runtime_log": self._kept.runtime_log,
            "manifests": [_base64(manifest) for manifest in self._kept.manifests],
            "hostnames": self._kept.hostnames.split(",") if self._kept.hostnames else [],
        }

    def _tdx(self, data: bytes) -> dict[str, object] | None:
        try:
            quote = self._quote(data).content
        except tsm.NoTsm:
            found = self._paravisors()
            if found is None:
                return None
            quote = found
        return {"quote": _base64(quote), "ccel": _base64(self._kept.ccel)}

    def _paravisors(self) -> bytes | None:
        """On Azure, asked for once: it is over the same report all the time, and says nothing about a nonce."""
        report = None if self._attester is None else self._attester.key.report
        if self._azure is None and report is not None:
            self._azure = azure_quote(report)
        return self._azure

    def _tpm(self, data: bytes) -> dict[str, object] | None:
        if self._attester is None:
            return None
        try:
            quote = self._attester.quote(hashlib.sha256(data).digest())
        except Refused:
            return None
        key = self._attester.key
        return {
            "message": _base64(quote.message),
            "signature": _base64(quote.signature),
            "ak_public": _base64(key.public),
            "ak_certificate": _base64(key.certificate),
            "event_log": _base64(self._kept.tpm_log),
            "hcl_report": _base64(key.report),
            "pcrs": {quote.bank: {str(number): value.hex() for number, value in sorted(quote.pcrs.items())}},
        }


def azure_quote(report: bytes, url: str = AZURE_QUOTES) -> bytes | None:
    """azure-cvm-tooling (az-tdx-vtpm, imds.rs): the report and the quote are in base64, without padding, of the other alphabet."""
    asked = json.dumps({"report": base64.urlsafe_b64encode(report[TD_REPORT]).decode().rstrip("=")}).encode()
    try:
        answer = fetch.post(url, asked, seconds=AZURE_SECONDS, most_bytes=MOST_AZURE_BYTES)
        if answer.status != fetch.OK or len(answer.body) > MOST_AZURE_BYTES:
            return None
        text = json.loads(answer.body)["quote"]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (Refused, ValueError, TypeError, KeyError, RecursionError):
        return None


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _boot_log(path: Path) -> bytes | None:
    try:
        return boot_log(path.read_bytes())
    except OSError:
        return None


def boot_log(content: bytes) -> bytes | None:
    """As much of it as is an event log; None where it does not begin as one. Where in memory the log is, ACPI tables say, which are the
    host's: what they lead to may be a secret, and this answer goes to everybody.
    """
    try:
        end, sizes = _first_event(content)
    except (struct.error, ValueError):
        return None
    try:
        while True:
            end = _end_of_event(content, end, sizes)
    except (struct.error, ValueError):
        return content[:end]


def _first_event(content: bytes) -> tuple[int, Mapping[int, int]]:
    """Where it ends, and the bytes of a digest by algorithm (PC Client Platform Firmware Profile 1.06, 10.2.1 and 10.4.5.1)."""
    kind, size, signature, count = struct.unpack_from("<4xI20xI16s8xI", content)
    if (kind, signature) != (_NO_ACTION, _SPEC_ID) or not 1 <= count <= _MOST_ALGORITHMS:
        raise ValueError
    *sizes, vendor_bytes = struct.unpack_from(f"<{2 * count}HB", content, _ALGORITHMS_OFFSET)
    end = _ALGORITHMS_OFFSET + 4 * count + 1 + vendor_bytes
    if end != _EVENT_OFFSET + size or end > len(content):
        raise ValueError
    return end, dict(zip(sizes[::2], sizes[1::2], strict=True))


def _end_of_event(content: bytes, start: int, sizes: Mapping[int, int]) -> int:
    """TCG_PCR_EVENT2 (10.2.2)."""
    size: int
    register, digests = struct.unpack_from("<I4xI", content, start)
    if register >= tpm.PCRS or not 1 <= digests <= len(sizes):
        raise ValueError
    end = start + 12
    for _ in range(digests):
        (algorithm,) = struct.unpack_from("<H", content, end)
        if algorithm not in sizes:
            raise ValueError
        end += 2 + sizes[algorithm]
    (size,) = struct.unpack_from("<I", content, end)
    end += 4 + size
    if end > len(content):
        raise ValueError
    return end
