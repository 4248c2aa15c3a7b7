"""Every reason not to believe a quote, or not to accept it, has a message of its own; and only that one speaks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from builders import collateral as made
from builders import quotes as build
from teekit_verify.appraisal.facts import Fact, FactCheck, Requested
from teekit_verify.appraisal.guest.policy import ReportDataRequest, read_root
from teekit_verify.appraisal.guest.quote import (
    Answer,
    QuoteAppraisal,
    QuotePolicy,
    Unchecked,
    appraise_quote,
    unchecked,
)
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.collateral import Collateral, add
from teekit_verify.evidence.quote import parse_quote, read_quote
from teekit_verify.wording.checks import detail_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = build.NOW
DAY = timedelta(days=1)
GOOD = build.authority()
OTHER_KEY = build.key(9)


EVERYTHING = frozenset(Unchecked)


def appraise(data: bytes, authority: build.Authority = GOOD, **options: Any) -> QuoteAppraisal:
    quote = parse_quote(data)
    policy = QuotePolicy(**{"at": NOW, "trusted_root": authority.root, **options})
    return appraise_quote(quote, parse_signature(quote), policy)


def against(appraisal: QuoteAppraisal) -> dict[str, str]:
    """The details of what speaks against a quote, by name."""
    checks = appraisal.authentic + appraisal.acceptable
    return {name_of(check): detail_of(check) for check in checks if check.outcome in {Outcome.MISMATCH, Outcome.ERROR}}


@pytest.mark.parametrize("body", [build.body(), build.body(mrservicetd=bytes(48))])
def test_a_quote_that_nothing_speaks_against(body: bytes) -> None:
    appraisal = appraise(build.quote(GOOD, report=body))
    assert against(appraisal) == {}
    assert appraisal.is_authentic
    assert appraisal.status is ExitStatus.NO_VERDICT
    assert appraisal.unsettled == appraisal.not_checked
    assert appraise(build.quote(GOOD, report=body), allow_unchecked=EVERYTHING).status is ExitStatus.HOLDS
    assert [name_of(check) for check in appraisal.not_checked] == [
        "PCK certificate is not revoked",
        "PCK CA is not revoked",
        "REPORTDATA",
        "TCB status",
    ]


@pytest.mark.parametrize("missing", [Unchecked.REPORT_DATA, Unchecked.TCB, Unchecked.REVOCATION])
def test_what_was_not_checked_is_no_yes_unless_it_is_named(missing: Unchecked) -> None:
    appraisal = appraise(build.quote(GOOD), allow_unchecked=EVERYTHING - {missing})
    assert appraisal.status is ExitStatus.NO_VERDICT
    assert {unchecked(check) for check in appraisal.unsettled} == {missing}
    answers = appraisal.answer(appraisal.authentic), appraisal.answer(appraisal.acceptable)
    expected = {
        Unchecked.REVOCATION: (Answer.OPEN, Answer.YES),
        Unchecked.TCB: (Answer.YES, Answer.OPEN),
        Unchecked.REPORT_DATA: (Answer.YES, Answer.OPEN),
    }
    assert answers == expected[missing]


def test_what_may_stay_unchecked_may_not_be_wrong() -> None:
    appraisal = appraise(
        build.quote(GOOD),
        allow_unchecked=EVERYTHING,
        report_data=ReportDataRequest((b"\x01" * 64,), Requested.GIVEN),
    )
    assert appraisal.status is ExitStatus.DOES_NOT_HOLD


def test_collateral_that_yields_no_status_is_no_verdict_whatever_is_allowed() -> None:
    """To give it is to ask: it may be of another platform."""
    appraisal = appraise(build.quote(GOOD), allow_unchecked=EVERYTHING, collateral=lists())
    assert appraisal.status is ExitStatus.NO_VERDICT
    assert [name_of(check) for check in appraisal.unsettled] == ["TCB status"]


FORGED: list[tuple[dict[str, Any], str, str]] = [
    (
        {"attestation_key": b"\x01" * 64},
        "header and body are signed",
        "the attestation key is not a point on the curve P-256",
    ),
    (
        {"bound_key": b"\x01" * 64},
        "attestation key is the quoting enclave's",
        "the quoting enclave vouches for a different attestation key, not the quote's",
    ),
    (
        {"vendor": bytes(16)},
        "quoting enclave is Intel's",
        "the QE vendor is 00000000000000000000000000000000, not Intel",
    ),
    (
        {"qe": {"mrsigner": bytes(32)}},
        "quoting enclave is Intel's",
        f"the quoting enclave was signed by {'00' * 32}, not by Intel",
    ),
    (
        {"qe": {"product": 1}},
        "quoting enclave is Intel's",
        "the enclave is Intel's product 1, not 2, the TD quoting enclave",
    ),
    (
        {"qe": {"attributes": b"\x17" + bytes(15)}},
        "quoting enclave is Intel's",
        f"the quoting enclave has the attributes 17{'00' * 15}: debuggable or unusual",
    ),
    (
        {"chain": (GOOD.ca, GOOD.pck, GOOD.root)},
        "certificates are in order",
        "the certificates are out of order: expected PCK certificate, PCK CA, root, found PCK CA, PCK certificate, root",
    ),
    (
        {"chain": (GOOD.root, GOOD.ca, GOOD.pck)},
        "certificates are in order",
        "the certificates are out of order: expected PCK certificate, PCK CA, root, found root, PCK CA, PCK certificate",
    ),
]


@pytest.mark.parametrize(("options", "name", "message"), FORGED)
def test_what_is_not_authentic(options: dict[str, Any], name: str, message: str) -> None:
    appraisal = appraise(build.quote(GOOD, **options))
    assert against(appraisal) == {name: message}
    assert not appraisal.is_authentic
    assert not appraisal.is_acceptable
    assert appraisal.status is ExitStatus.DOES_NOT_HOLD


def test_signatures_by_other_keys() -> None:
    other = replace(GOOD, pck_key=OTHER_KEY)
    assert against(appraise(build.quote(other))) == {
        "QE report is signed by the platform": "the key of the PCK certificate did not sign this QE report"
    }
    data = build.quote(GOOD)
    changed = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    assert against(appraise(changed)) == {
        "header and body are signed": "the attestation key did not sign this header and body"
    }


def rsa_certificate() -> x509.Certificate:
    """A root whose key is of another kind, self-signed."""
    key = rsa.generate_private_key(65537, 2048)
    name = GOOD.root.subject
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    for extension in GOOD.root.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(key, SHA256())


USE = "certificates allow this use"
VALID = "certificates are valid at 2026-02-03 01:00:00 UTC"
NAMES = "certificates name their issuers"
SIGNED = "certificates are signed"
CHAINS: list[tuple[dict[str, Any], str, str]] = [
    ({"pck": {"not_after": NOW - DAY}}, VALID, "the PCK certificate expired at 2026-02-02 01:00:00 UTC"),
    ({"ca": {"not_after": NOW - DAY}}, VALID, "the PCK CA expired at 2026-02-02 01:00:00 UTC"),
    ({"root": {"not_after": NOW - DAY}}, VALID, "the root expired at 2026-02-02 01:00:00 UTC"),
    ({"pck": {"not_before": NOW + DAY}}, VALID, "the PCK certificate is valid from 2026-02-04 01:00:00 UTC only"),
    ({"pck": {"ca": True}}, USE, "the PCK certificate is a certificate authority"),
    ({"ca": {"ca": False, "path_length": None}}, USE, "the PCK CA is not a certificate authority"),
    ({"root": {"path_length": 0}}, USE, "the root allows 0 authorities below it, found 1"),
    ({"ca": {"key_use": False}}, USE, "the key of the PCK CA may not sign certificates"),
    ({"pck": {"key_use": False}}, USE, "the key of the PCK certificate may not be used for signatures"),
    (
        {"ca": {"extensions": [("1.3.6.1.4.1.11129.2.4.3", True, b"\x05\x00")]}},
        USE,
        "the PCK CA has the critical extension 1.3.6.1.4.1.11129.2.4.3, not known here",
    ),
    (
        {"names": ("Intel SGX TCB Signing", build.CA_NAME, build.ROOT_NAME)},
        NAMES,
        "the PCK certificate is named 'Intel SGX TCB Signing', expected Intel SGX PCK Certificate",
    ),
    ({"names": (build.PCK_NAME, "Evil\x1b CA", build.ROOT_NAME)}, NAMES, "the PCK CA is named"),
    (
        {"pck": {"issuer_name": build.ROOT_NAME}},
        NAMES,
        "the PCK certificate was not issued by Intel SGX PCK Platform CA",
    ),
    (
        {"pck": {"issuer_key": OTHER_KEY}},
        SIGNED,
        "the signature of the PCK certificate is not that of Intel SGX PCK Platform CA",
    ),
    ({"ca": {"issuer_key": OTHER_KEY}}, SIGNED, "the signature of the PCK CA is not that of Intel SGX Root CA"),
    ({"root": {"issuer_key": OTHER_KEY}}, SIGNED, "the signature of the root is not that of Intel SGX Root CA"),
    ({"pck": {"algorithm": SHA384()}}, SIGNED, "the PCK certificate is not signed with SHA-256"),
]


@pytest.mark.parametrize(("options", "name", "message"), CHAINS)
def test_chains_that_do_not_hold(options: dict[str, Any], name: str, message: str) -> None:
    authority = build.authority(**options)
    found = against(appraise(build.quote(authority), authority))
    assert list(found) == [name]
    assert found[name].startswith(message)
    assert found[name].isprintable()


def test_a_processor_ca_is_an_authority_too() -> None:
    authority = build.authority(names=(build.PCK_NAME, "Intel SGX PCK Processor CA", build.ROOT_NAME))
    assert against(appraise(build.quote(authority), authority)) == {}


def test_a_root_with_another_kind_of_key() -> None:
    root = rsa_certificate()
    found = against(appraise(build.quote(GOOD, chain=(GOOD.pck, GOOD.ca, root)), trusted_root=root))
    assert found == {SIGNED: "the key of 'Intel SGX Root CA' is not an ECDSA key on P-256"}


def test_certificates_without_constraints() -> None:
    name = GOOD.pck.subject
    bare = x509.CertificateBuilder().subject_name(name).issuer_name(GOOD.ca.subject).serial_number(1)
    bare = bare.public_key(GOOD.pck_key.public_key()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    leaf = bare.sign(GOOD.ca_key, SHA256())
    found = against(appraise(build.quote(GOOD, chain=(leaf, GOOD.ca, GOOD.root))))
    assert found == {USE: "the PCK certificate does not say what its key may be used for"}


def test_a_chain_of_somebody_else_does_not_end_in_intels_root() -> None:
    """Everything holds but the root, which has the right name."""
    found = against(appraise(build.quote(GOOD), trusted_root=read_root(None)))
    assert list(found) == ["certificates end in the trusted root, Intel SGX Root CA sha256:44a0196b2b99f889..."]
    (message,) = found.values()
    assert message.startswith(
        "the chain ends in another root: expected sha256:44a0196b2b99f889b8e149e95b807a350e742496"
    )


def lists(**options: Any) -> Collateral:
    root_list = build.revocation_list(GOOD.root, GOOD.root_key)
    pck_list = build.revocation_list(GOOD.ca, options.pop("key", GOOD.ca_key), *options.pop("revoked", ()), **options)
    return Collateral(revocations=(root_list, pck_list))


REVOKED: list[tuple[dict[str, Any], str]] = [
    ({"revoked": (GOOD.pck,)}, f"Intel SGX PCK Certificate {GOOD.pck.serial_number:x} was revoked by its authority"),
    (
        {"key": OTHER_KEY},
        "the signature of the revocation list of Intel SGX PCK Platform CA is not that of its authority",
    ),
    (
        {"last": NOW - 9 * DAY, "following": NOW - DAY},
        "the revocation list of Intel SGX PCK Platform CA holds until 2026-02-02 01:00:00 UTC: it is out of date",
    ),
    (
        {"last": NOW + DAY, "following": NOW + 2 * DAY},
        "the revocation list of Intel SGX PCK Platform CA is of 2026-02-04 01:00:00 UTC, later than the time to check at",
    ),
    (
        {"critical": "2.5.29.99"},
        "the revocation list of Intel SGX PCK Platform CA has the critical extension 2.5.29.99, not known here",
    ),
]


@pytest.mark.parametrize(("options", "message"), REVOKED)
def test_revocation(options: dict[str, Any], message: str) -> None:
    assert appraise(build.quote(GOOD), collateral=lists()).is_authentic
    appraisal = appraise(build.quote(GOOD), collateral=lists(**options))
    assert against(replace(appraisal, acceptable=())) == {"PCK certificate is not revoked": message}
    assert not appraisal.is_authentic


def test_a_revoked_authority() -> None:
    revocations = build.revocation_list(GOOD.root, GOOD.root_key, GOOD.ca)
    appraisal = appraise(build.quote(GOOD), collateral=Collateral(revocations=(revocations,)))
    assert list(against(replace(appraisal, acceptable=()))) == ["PCK CA is not revoked"]


def test_a_root_that_its_own_list_revokes() -> None:
    revocations = build.revocation_list(GOOD.root, GOOD.root_key, GOOD.root)
    appraisal = appraise(build.quote(GOOD), collateral=Collateral(revocations=(revocations,)))
    message = f"Intel SGX Root CA {GOOD.root.serial_number:x} was revoked by its own revocation list"
    assert against(replace(appraisal, acceptable=())) == {"PCK CA is not revoked": message}
    assert appraisal.status is ExitStatus.DOES_NOT_HOLD


BODIES: list[tuple[dict[str, Any], str, str]] = [
    (
        {"td_attributes": 1 << 28 | 1},
        "TD is not a debug TD",
        "this is a debug TD: the host can read and change its memory",
    ),
    ({"td_attributes": 1 << 28 | 1 << 8}, "TD attributes", "reserved bits 0x100 are set"),
    ({"td_attributes": 1 << 28 | 1 << 61}, "TD attributes", "reserved bits 0x2000000000000000 are set"),
    (
        {"td_attributes": 0},
        "host cannot raise #VE",
        "SEPT_VE_DISABLE is not set: the host can raise #VE when the TD uses its own memory",
    ),
    (
        {"td_attributes": 3 << 28},
        "TD attributes",
        "MIGRATABLE is set: a migration TD could move this TD to another platform",
    ),
    ({"xfam": 0xE4}, "XFAM", "0xe4 lacks bits that every TD has (0x3)"),
    ({"xfam": 0x600EF}, "XFAM", "reserved bits 0x8 are set"),
    (
        {"mrsignerseam": b"\x01" * 48},
        "TDX module is Intel's",
        f"MRSIGNERSEAM is {'01' * 48}: the module was not signed by Intel",
    ),
    ({"seam_attributes": 1}, "TDX module is Intel's", "the SEAM attributes are 0100000000000000, expected zero"),
    (
        {"mrservicetd": b"\x02" * 48},
        "no service TD",
        f"a service TD is bound to this TD: MRSERVICETD is {'02' * 48}",
    ),
]


@pytest.mark.parametrize(("options", "name", "message"), BODIES)
def test_what_is_authentic_but_not_acceptable(options: dict[str, Any], name: str, message: str) -> None:
    appraisal = appraise(build.quote(GOOD, report=build.body(**options)))
    assert against(appraisal) == {name: message}
    assert appraisal.is_authentic
    assert appraisal.status is ExitStatus.DOES_NOT_HOLD


def test_a_debug_td_that_is_allowed_is_still_shown() -> None:
    appraisal = appraise(
        build.quote(GOOD, report=build.body(td_attributes=1 << 28 | 1)), allow_debug=True, allow_unchecked=EVERYTHING
    )
    assert appraisal.status is ExitStatus.HOLDS
    (shown,) = [check for check in appraisal.acceptable if check.outcome is Outcome.IGNORED]
    assert name_of(shown) == "TD is not a debug TD"
    assert detail_of(shown) == "this is a debug TD: the host can read and change its memory (allowed)"


def test_a_service_td_is_accepted_by_its_value() -> None:
    quote, known = build.quote(GOOD, report=build.body(mrservicetd=b"\x02" * 48)), b"\x02" * 48
    appraisal = appraise(quote, service_tds=(known,), allow_unchecked=EVERYTHING)
    assert appraisal.status is ExitStatus.HOLDS
    (shown,) = [check for check in appraisal.acceptable if check.subject == FactCheck(Fact.SERVICE_TD)]
    assert (shown.outcome, known.hex() in detail_of(shown)) == (Outcome.MATCH, True)
    other = appraise(quote, service_tds=(b"\x03" * 48,), allow_unchecked=EVERYTHING)
    assert other.status is ExitStatus.DOES_NOT_HOLD


@pytest.mark.parametrize("bit", [27, 62])
def test_attributes_that_the_specification_names_since_1_5(bit: int) -> None:
    """LASS and TPA: Intel TDX module ABI specification, ATTRIBUTES."""
    assert against(appraise(build.quote(GOOD, report=build.body(td_attributes=1 << 28 | 1 << bit)))) == {}


def test_report_data() -> None:
    data = build.quote(GOOD, report=build.body(report_data=b"\x07" * 64))
    right = ReportDataRequest((b"\x06" * 64, b"\x07" * 64), Requested.NONCE)
    (check,) = [
        item for item in appraise(data, report_data=right).acceptable if item.subject == FactCheck(Fact.REPORT_DATA)
    ]
    assert (check.outcome, detail_of(check)) == (Outcome.MATCH, "is the nonce")
    wrong = ReportDataRequest((bytes(64),), Requested.NONCE)
    message = f"it is not the nonce: expected {'00' * 64}, found {'07' * 64}"
    assert against(appraise(data, report_data=wrong)) == {"REPORTDATA": message}


PHALA = read_quote(build.REAL["phala"])
PUBLISHED = (build.ASSETS / "quotes" / "phala-v4-collateral.json").read_bytes()
JUNE = datetime(2025, 6, 25, tzinfo=UTC)


def tcb(collateral: bytes = PUBLISHED, at: datetime = JUNE) -> tuple[Outcome, str]:
    policy = QuotePolicy(at=at, trusted_root=read_root(None), collateral=add(Collateral(), collateral, "file"))
    check = appraise_quote(PHALA, parse_signature(PHALA), policy).acceptable[-1]
    assert name_of(check) == "TCB status"
    return check.outcome, check.found or detail_of(check)


def test_the_tcb_status_of_a_real_machine() -> None:
    """dcap-qvl's own tests (tests/verify_quote.rs) say UpToDate of this quote and this collateral too."""
    assert tcb() == (Outcome.MATCH, "UpToDate")
    message = "the revocation list of Intel SGX Root CA holds until"
    assert tcb(at=JUNE + 600 * DAY)[1].startswith(message)
    assert tcb(at=datetime(1960, 1, 1, tzinfo=UTC))[0] is Outcome.MISMATCH
    surrogate = json.dumps({**json.loads(PUBLISHED), "qe_identity": "\ud800"}).encode()
    assert tcb(surrogate) == (Outcome.MISMATCH, "the signature of the QE identity is not that of Intel SGX TCB Signing")
    issued = "the TCB info was issued at 2025-06-19 10:16:03 UTC only"
    assert tcb(at=datetime(2025, 6, 19, 10, tzinfo=UTC)) == (Outcome.MISMATCH, issued)


def changed(edit: Callable[[dict[str, str]], object]) -> bytes:
    document = json.loads(PUBLISHED)
    edit(document)
    return json.dumps(document).encode()


def test_collateral_that_somebody_changed() -> None:
    info = changed(lambda document: document.update(tcb_info=document["tcb_info"].replace("OutOfDate", "UpToDate")))
    assert tcb(info) == (Outcome.MISMATCH, "the signature of the TCB info is not that of Intel SGX TCB Signing")
    identity = changed(
        lambda document: document.update(qe_identity=document["qe_identity"].replace('"isvsvn":4', '"isvsvn":3'))
    )
    assert tcb(identity) == (Outcome.MISMATCH, "the signature of the QE identity is not that of Intel SGX TCB Signing")


def test_a_platform_that_is_not_up_to_date() -> None:
    info = made.tcb_info(made.level("OutOfDate", advisories=("INTEL-SA-00837", "INTEL-SA-00960")))
    found = against(appraise(build.quote(GOOD), collateral=made.collateral(GOOD, info)))
    assert found == {"TCB status": "OutOfDate (INTEL-SA-00837, INTEL-SA-00960), expected UpToDate"}


def test_collateral_that_is_not_complete() -> None:
    shared = (build.ASSETS / "quotes" / "phala-v4-collateral.json").read_bytes()
    document = json.loads(shared)
    info = f'{{"tcbInfo":{document["tcb_info"]},"signature":"{document["tcb_info_signature"]}"}}'
    lacking = (
        "no TCB status: the collateral lacks the TCB signing certificate, the QE identity, the revocation list of the PCK CA, "
        "the revocation list of the root"
    )
    assert tcb(info.encode()) == (Outcome.ERROR, lacking)


def test_the_answers_of_intels_service_are_worth_the_same_as_dcap_qvls_document() -> None:
    document = json.loads(PUBLISHED)
    collateral = Collateral()
    for data in (
        f'{{"tcbInfo":{document["tcb_info"]},"signature":"{document["tcb_info_signature"]}"}}'.encode(),
        f'{{"enclaveIdentity":{document["qe_identity"]},"signature":"{document["qe_identity_signature"]}"}}'.encode(),
        bytes.fromhex(document["root_ca_crl"]),
        x509.load_der_x509_crl(bytes.fromhex(document["pck_crl"])).public_bytes(Encoding.PEM),
        document["tcb_info_issuer_chain"].encode(),
        document["pck_crl_issuer_chain"].encode(),
    ):
        collateral = add(collateral, data, "answer")
    policy = QuotePolicy(at=JUNE, trusted_root=read_root(None), collateral=collateral)
    appraisal = appraise_quote(PHALA, parse_signature(PHALA), policy)
    assert [name_of(check) for check in appraisal.not_checked] == ["REPORTDATA"]
    assert appraisal.unsettled == appraisal.not_checked
    assert appraisal.status is ExitStatus.NO_VERDICT


ODD = [
    ({"td_attributes": 1 << 28 | 1}, "allow_debug", "TD is not a debug TD"),
    ({"td_attributes": 0}, "allow_sept_ve", "host cannot raise #VE"),
    ({"mrservicetd": b"\1" * 48}, "allow_service_td", "no service TD"),
]


def allowing(option: str) -> dict[str, Any]:
    return {option: True}


@pytest.mark.parametrize(("body", "option", "name"), ODD)
def test_what_only_a_named_option_passes_over(body: dict[str, Any], option: str, name: str) -> None:
    """It stays listed as not checked, and the TCB status is shown whatever the TD may do."""
    data, complete = build.quote(GOOD, report=build.body(**body)), made.collateral(GOOD)
    refused = appraise(data, collateral=complete)
    assert list(against(refused)) == [name]
    assert refused.acceptable[-1].found == "UpToDate"
    allowed = appraise(data, collateral=complete, **allowing(option))
    assert not allowed.refused
    (check,) = (check for check in allowed.acceptable if check.outcome is Outcome.IGNORED)
    assert (name_of(check), detail_of(check).endswith(" (allowed)")) == (name, True)
    for _, other, _ in ODD:
        if other != option:
            assert list(against(appraise(data, collateral=complete, **allowing(other)))) == [name]


def test_collateral_of_another_platform_is_no_verdict() -> None:
    for info in (made.tcb_info(fmspc="B0C06F000000"), made.tcb_info(pceId="0001")):
        appraisal = appraise(build.quote(GOOD), collateral=made.collateral(GOOD, info))
        assert appraisal.status is ExitStatus.NO_VERDICT
        assert against(appraisal)["TCB status"].startswith("no TCB status: ")


def test_no_tcb_status_without_an_extension() -> None:
    bare = build.authority(pck={"extensions": []})
    appraisal = appraise(build.quote(bare), bare, collateral=lists())
    assert against(appraisal) == {
        "TCB status": "SGX extension of the PCK certificate: extension at offset 0x0: there is none"
    }
    assert appraisal.status is ExitStatus.NO_VERDICT
