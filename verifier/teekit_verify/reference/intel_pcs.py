"""What Intel publishes about a quote's platform, fetched from its Provisioning Certification Service or from a cache of it.

"Intel SGX and Intel TDX Provisioning Certification Service", version 4: "Get TDX TCB Info V4", "Get Quoting Enclave Identity
V4", "Get Revocation List V4" and "Get Root CA CRL"; a PCCS (intel/SGXDataCenterAttestationPrimitives, QuoteGeneration/pccs) answers
the same below its own address, and gives revocation lists as hexadecimal text. Issuer chains are headers, URL-encoded.
Nothing is handed out whose signature does not lead to the trusted root, or that is not of the given time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.download.answers import ServiceAnswer, ask
from teekit_verify.core.errors import NotAuthenticError, TeekitError, printable
from teekit_verify.core.url import decoded, require_address
from teekit_verify.evidence.certificates import common_name, load_certificates, load_revocations, p256_key, reading
from teekit_verify.evidence.collateral import Collateral, add
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.evidence.tcb_info import parse_qe_identity, parse_tcb_info
from teekit_verify.evidence.tcb_signing import require_current, require_signed, signing_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from cryptography import x509

    from teekit_verify.evidence.certificates import PckChain
    from teekit_verify.evidence.sgx_extension import Platform

_INTEL = "https://api.trustedservices.intel.com"
_INTEL_ROOT_LIST = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
_TDX, _SGX = "/tdx/certification/v4", "/sgx/certification/v4"
_TCB_CHAINS = ("tcb-info-issuer-chain", "sgx-tcb-info-issuer-chain")
_QE_CHAINS = ("sgx-enclave-identity-issuer-chain",)
_LIST_CHAINS = ("sgx-pck-crl-issuer-chain",)
_MAX_BYTES = 4 << 20
_OK, _NOT_FOUND, _BUSY = 200, 404, {429, 503}
_ATTEMPTS = 3
_LONGEST_PAUSE_SECONDS, _USUAL_PAUSE_SECONDS = 60, 5


class CollateralError(TeekitError):
    """The service has no collateral for this platform, or gave something else."""


@dataclass(frozen=True, slots=True)
class Service:
    """`base` is below which the service answers, `root_list` the address of the root's revocation list."""

    base: str = _INTEL
    root_list: str = _INTEL_ROOT_LIST


def cached(address: str) -> Service:
    """A PCCS, by its address with or without the path of its interface. Raises TeekitError for what is no address."""
    base = require_address(address, "--pccs")
    for path in (_SGX, _TDX):
        base = base.removesuffix(path)
    return Service(base, f"{base}{_SGX}/rootcacrl")


@dataclass(frozen=True, slots=True)
class Question:
    """The platform that is asked about, whom to trust, and the time at which answers must hold."""

    chain: PckChain
    root: x509.Certificate
    at: datetime
    service: Service
    pause: Callable[[float], None]
    """Waits for so many seconds; called where the service asks for it."""

    @property
    def platform(self) -> Platform:
        return read_platform(self.chain.leaf)

    @property
    def authority(self) -> str:
        """Which of Intel's two PCK CAs issued the certificate, as the service calls it."""
        return "platform" if "Platform" in common_name(self.chain.intermediate) else "processor"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files by name, as `quote --collateral` reads them; `next_update` is the earliest day on which one has to be replaced."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    next_update: datetime | None = None


def fetch_collateral(question: Question) -> Fetched:
    """All five. Raises NoAnswerError, CollateralError, NotAuthenticError, MalformedInputError."""
    service, fmspc = question.service, question.platform.fmspc.hex()
    info = _ask(question, f"{service.base}{_TDX}/tcb?fmspc={fmspc}", f"TCB info of FMSPC {fmspc}")
    identity = _ask(question, f"{service.base}{_TDX}/qe/identity", "QE identity")
    authority = question.authority
    pck = _ask(
        question, f"{service.base}{_SGX}/pckcrl?ca={authority}&encoding=der", f"revocation list of the {authority} CA"
    )
    root = _ask(question, service.root_list, "revocation list of the root")
    pck_list = _list(pck.body, question.chain.intermediate, question.at)
    root_list = _list(root.body, question.root, question.at)
    files = {
        f"tcb_info_{fmspc}.json": info.body,
        "qe_identity.json": identity.body,
        "tcb_signing_chain.pem": _chain(info, _TCB_CHAINS, "TCB info"),
        f"pck_crl_{authority}.der": pck_list.public_bytes(Encoding.DER),
        "root_ca_crl.der": root_list.public_bytes(Encoding.DER),
    }
    _chain(identity, _QE_CHAINS, "QE identity")
    _require_chain(pck)
    ends = _require_trusted(question, files, (pck_list, root_list))
    return Fetched(files, min(ends))


def _ask(question: Question, url: str, what: str) -> ServiceAnswer:
    """A good answer. Waits where the service says when to come back, up to a minute, three times in all."""
    answer = ask(url, _MAX_BYTES)
    for _ in range(_ATTEMPTS - 1):
        if answer.status not in _BUSY:
            break
        question.pause(_pause_seconds(answer, what))
        answer = ask(url, _MAX_BYTES)
    if answer.status == _OK:
        return answer
    reason = "it has none" if answer.status == _NOT_FOUND else f"it answers with HTTP status {answer.status}"
    code = answer.headers.get("error-code", "")
    raise CollateralError(
        f"{what}: {reason}{f' ({printable(code[:80])})' if code else ''}: {url}",
        hint="Ask a service that knows this platform (--pccs), or try again later.",
    )


def _pause_seconds(answer: ServiceAnswer, what: str) -> int:
    text = answer.headers.get("retry-after", str(_USUAL_PAUSE_SECONDS)).strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) > _LONGEST_PAUSE_SECONDS:  # noqa: PLR2004
        raise CollateralError(
            f"{what}: the service asks to come back later (Retry-After: {printable(text[:40])})", hint="Try again then."
        )
    return int(text)


def _chain(answer: ServiceAnswer, names: tuple[str, ...], what: str) -> bytes:
    """The issuer chain of a header as PEM, URL-decoded. Raises CollateralError."""
    text = next((answer.headers[name] for name in names if name in answer.headers), None)
    if text is None:
        raise CollateralError(f"{what}: the answer has no header {names[0]}", hint="Ask a service of version 4.")
    try:
        pem = decoded(text).encode("ascii")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise CollateralError(f"{what}: the header {names[0]} is not URL-encoded PEM") from error
    with reading(names[0], what):
        load_certificates(pem)
    return pem


def _require_chain(answer: ServiceAnswer) -> None:
    """The quote brings the PCK CA itself, but an answer without its chain is not the service's."""
    _chain(answer, _LIST_CHAINS, "revocation list of the PCK CA")


def _list(body: bytes, issuer: x509.Certificate, at: datetime) -> x509.CertificateRevocationList:
    """DER, PEM, or hexadecimal text as a PCCS has it; signed by its authority, and of the given time.

    Whether it names a certificate is for those to say who appraise the quote with it.
    """
    words = f"revocation list of {printable(common_name(issuer))}"
    data = body
    if not body.startswith((b"\x30", b"-----BEGIN")):
        try:
            data = bytes.fromhex(body.decode("ascii"))
        except (UnicodeDecodeError, ValueError) as error:
            raise CollateralError(f"{words}: the answer is neither DER, PEM nor hexadecimal text") from error
    with reading("revocation list", words):
        found = load_revocations(data)
    if found.issuer != issuer.subject or not found.is_signature_valid(p256_key(issuer)):
        raise NotAuthenticError(f"the {words} is not signed by that authority")
    until = found.next_update_utc
    if at < found.last_update_utc or until is None or at > until:
        raise NotAuthenticError(f"the {words} is not of {at:%Y-%m-%d %H:%M:%S} UTC")
    return found


def _require_trusted(
    question: Question, files: Mapping[str, bytes], lists: tuple[x509.CertificateRevocationList, ...]
) -> list[datetime]:
    """TCB info and QE identity are signed, of the time, and of this platform. When each of all has to be replaced."""
    collateral = Collateral()
    for name, data in files.items():
        collateral = add(collateral, data, name)
    platform, at = question.platform, question.at
    info = collateral.tcb_infos.get(platform.fmspc)
    if info is None or collateral.qe_identity is None:
        found = ", ".join(fmspc.hex() for fmspc in collateral.tcb_infos) or "none"
        raise CollateralError(
            f"asked for the TCB info of FMSPC {platform.fmspc.hex()} and the QE identity, found a TCB info of {found}"
        )
    signer = signing_certificate(collateral.tcb_signing_chain, question.root, lists, at)
    require_signed(info, signer, "TCB info")
    require_signed(collateral.qe_identity, signer, "QE identity")
    parsed, identity = parse_tcb_info(info.text), parse_qe_identity(collateral.qe_identity.text)
    for period, words in ((parsed.period, "TCB info"), (identity.period, "QE identity")):
        require_current(period, at, words)
    if parsed.pce_id != platform.pce_id:
        raise CollateralError(
            f"the TCB info is of PCE-ID {parsed.pce_id.hex()}, the platform has {platform.pce_id.hex()}"
        )
    ends = [item.next_update_utc for item in lists if item.next_update_utc is not None]
    return [parsed.period.next_update, identity.period.next_update, *ends]
