"""Entry points of what is signed: quotes down to their certificates, collateral, envelopes and statements, logs; what rebuilders say."""

from __future__ import annotations

import json
from base64 import encodebytes
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from builders import statements as sample
from builders.quotes import ASSETS, NOW, REAL, authority, pem, revocation_list
from builders.sigsum import public_bytes
from teekit_verify.appraisal.statements import statement
from teekit_verify.core.errors import TeekitError
from teekit_verify.evidence import authenticity, certificates, tcb_levels
from teekit_verify.evidence.collateral import Collateral, add
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.evidence.tcb import missing_collateral
from teekit_verify.evidence.tcb_info import parse_qe_identity, parse_tcb_info
from teekit_verify.evidence.tcb_signing import signing_certificate
from teekit_verify.reference.rebuilderd import parse_list
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.log import verify_proof
from teekit_verify.reference.signing.log_policy import parse_policy
from teekit_verify.reference.signing.log_proof import parse_proof

if TYPE_CHECKING:
    from teekit_verify.evidence.tcb_info import TcbInfo

_SIGSUM = ASSETS / "sigsum"


@cache
def real_chain() -> certificates.PckChain:
    return authenticity.parse_signature(parse_quote(REAL["phala"].read_bytes())).chain


def quote_signature(data: bytes) -> None:
    """A quote with everything that vouches for it, each fact by itself."""
    quote = parse_quote(data)
    signature = authenticity.parse_signature(quote)
    with suppress(TeekitError):
        authenticity.require_quote_signature(quote, signature)
    with suppress(TeekitError):
        authenticity.require_key_binding(signature)
    with suppress(TeekitError):
        authenticity.require_qe_report_signature(signature)
    with suppress(TeekitError):
        authenticity.require_intel_quoting_enclave(quote, signature)
    _use(signature.chain)


def certificate(data: bytes) -> None:
    """DER in place of the PCK certificate of a real quote."""
    with certificates.reading("PEM"):
        (leaf,) = certificates.load_certificates(_pem(data))
    real = real_chain()
    _use(certificates.PckChain(leaf, real.intermediate, real.root, real.order))


def _use(chain: certificates.PckChain) -> None:
    for require in (
        certificates.require_order,
        certificates.require_names,
        certificates.require_signatures,
        certificates.require_constraints,
    ):
        with suppress(TeekitError):
            require(chain)
    with suppress(TeekitError):
        certificates.require_validity(chain, NOW)
    with suppress(TeekitError):
        certificates.p256_key(chain.leaf)
    certificates.common_name(chain.leaf)
    missing_collateral(chain, Collateral())


def collateral(data: bytes) -> None:
    """One file, and its revocation list used on a real chain."""
    real = real_chain()
    found = add(Collateral(), data, "input")
    missing_collateral(real, found)
    for revocations in found.revocations:
        with suppress(TeekitError):
            certificates.require_unrevoked(real.leaf, real.intermediate, revocations, NOW)
    for info in found.tcb_infos.values():
        with suppress(TeekitError):
            _judge(parse_tcb_info(info.text))
    if found.qe_identity is not None:
        with suppress(TeekitError):
            parse_qe_identity(found.qe_identity.text)
    with suppress(TeekitError):
        signing_certificate(found.tcb_signing_chain, real.root, found.revocations, NOW)


def _judge(info: TcbInfo) -> None:
    """As if it had been signed: for the platform of the real quote."""
    quote = parse_quote(REAL["phala"].read_bytes())
    for tee_tcb_svn in (quote.report.tee_tcb_svn, bytes(16)):
        with suppress(TeekitError):
            tcb_levels.platform_level(info, read_platform(real_chain().leaf), tee_tcb_svn)
        with suppress(TeekitError):
            tcb_levels.module_level(info, quote.report, tee_tcb_svn)


def envelope(data: bytes) -> None:
    _ = dsse.parse(data, "input").signed_bytes


def statements(data: bytes) -> None:
    """An auditor's file, or a payload: mutations hardly reach it through Base64."""
    if data.startswith(b'{"_type"'):
        statement.read_verdict(data, "input")
    else:
        statement.verdict_of(statement.read_file(data, "input"), "input")


def log_policy(data: bytes) -> None:
    policy = parse_policy(data, "input")
    policy.met(set())
    policy.met(set(policy.witnesses))


def log_proof(data: bytes) -> None:
    """With the policy and the submitter of the real ones."""
    proof = parse_proof(data, "input")
    verify_proof(proof, bytes(32), [public_bytes("alice")], parse_policy((_SIGSUM / "policy").read_bytes(), "policy"))


def rebuilder_list(data: bytes) -> None:
    parse_list(data, "input", {"bash"})


def _pem(data: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(data) + b"-----END CERTIFICATE-----\n"


def quote_seeds() -> list[bytes]:
    return [REAL["phala"].read_bytes(), REAL["v5"].read_bytes()]


def certificate_seeds() -> list[bytes]:
    return [real_chain().leaf.public_bytes(Encoding.DER), authority().pck.public_bytes(Encoding.DER)]


def collateral_seeds() -> list[bytes]:
    made = authority()
    revocations = revocation_list(made.ca, made.ca_key, made.pck)
    whole = (ASSETS / "quotes" / "phala-v4-collateral.json").read_bytes()
    bundle = json.loads(whole)
    pairs = (("tcbInfo", "tcb_info"), ("enclaveIdentity", "qe_identity"))
    answers = [
        f'{{"{key}":{bundle[name]},"signature":"{bundle[f"{name}_signature"]}"}}'.encode() for key, name in pairs
    ]
    lists = [revocations.public_bytes(encoding) for encoding in (Encoding.DER, Encoding.PEM)]
    return [whole, pem(made.ca), *lists, *answers]


def envelope_seeds() -> list[bytes]:
    signature = dsse.Signature("SHA256:abc", bytes(64))
    return [dsse.Envelope("application/vnd.in-toto+json", b"{}", (signature, signature)).dump()]


def log_policy_seeds() -> list[bytes]:
    return [(_SIGSUM / "policy").read_bytes(), b"#\n\tquorum  none \n"]


def log_proof_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_SIGSUM.glob("*.sigsum-proof"))]


def rebuilder_list_seeds() -> list[bytes]:
    entry = {"name": "bash", "version": "1", "status": "GOOD", "distro": "debian", "architecture": "amd64"}
    other = entry | {"name": "dash", "artifact_url": "https://deb.example/dash_1%2Bb_amd64.deb", "build_id": None}
    page = {"total": 1, "records": [entry | {"distribution": "debian", "status": None}]}
    return [json.dumps([entry, other]).encode(), json.dumps(page).encode(), b"[]"]


def statement_seeds() -> list[bytes]:
    """A file of two lines, the verdict in it, and a Sigstore bundle."""
    whole = sample.statement_of("alice")
    envelopes = statement.read_file(whole, "seed")
    verdicts = [item.payload for item in envelopes if statement.VERDICT_TYPE.encode() in item.payload]
    return [whole, *verdicts, sample.bundle_of("bob")]
