"""The TCB status: Intel's algorithm case by case, dcap-qvl on the same collateral, and what yields no status."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dcap_qvl
import pytest

from builders import collateral as made
from builders import quotes as build
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.collateral import Collateral
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.evidence.tcb import NoTcbStatusError, TcbStatus, evaluate_tcb
from teekit_verify.evidence.tcb_levels import merged

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = build.authority()
DEBUG = 1 << 28 | 1


def guest(svn: list[int], *, svn2: list[int] | None = None, **body: Any) -> bytes:
    """A quote with these first numbers of TEE_TCB_SVN (and TEE_TCB_SVN2, in a quote of version 5)."""
    report = build.body(mrservicetd=None if svn2 is None else bytes(48), **body)
    report = bytes(svn).ljust(16, b"\0") + report[16:]
    if svn2 is not None:
        report = report[:584] + bytes(svn2).ljust(16, b"\0") + report[600:]
    return build.quote(GOOD, report=report)


def evaluate(
    info: dict[str, Any] | None = None,
    identity: dict[str, Any] | None = None,
    *,
    quote: bytes | None = None,
    at: datetime = build.NOW,
    **options: Any,
) -> TcbStatus:
    parsed = parse_quote(guest([3, 0, 1]) if quote is None else quote)
    return evaluate_tcb(
        parsed, parse_signature(parsed), made.collateral(GOOD, info, identity, **options), GOOD.root, at
    )


def test_everything_up_to_date() -> None:
    found = evaluate()
    assert (found.status, found.advisories, found.second_opinion) == ("UpToDate", (), "UpToDate")
    assert (found.module, found.evaluations, found.relaunched) == (None, (17, 17), None)
    assert found.platform.date == datetime(2024, 3, 13, tzinfo=UTC)


LOW = made.level("OutOfDate", sgx=1, pce=1, advisories=("INTEL-SA-00001",))


@pytest.mark.parametrize(
    ("first", "status"),
    [
        (made.level(sgx=6), "OutOfDate"),
        (made.level(pce=6), "OutOfDate"),
        (made.level(tdx=[4, 0, 1]), "OutOfDate"),
        (made.level(tdx=[3, 0, 2]), "OutOfDate"),
        (made.level(tdx=[3, 0, 1]), "UpToDate"),
        (made.level("SWHardeningNeeded", tdx=[3, 0, 1]), "SWHardeningNeeded"),
    ],
)
def test_the_first_level_that_the_platform_has_reached(first: dict[str, Any], status: str) -> None:
    found = evaluate(made.tcb_info(first, LOW))
    assert found.status == status
    assert found.advisories == (("INTEL-SA-00001",) if status == "OutOfDate" else ())
    assert found.second_opinion == status


def test_the_first_two_numbers_are_the_modules_if_it_has_a_version() -> None:
    """Index 0 and 1 are passed over where TEE_TCB_SVN[1] is not 0."""
    identity = made.module("TDX_01", made.svn_level(4), made.svn_level(2, "OutOfDate", ("INTEL-SA-00002",)))
    info = made.tcb_info(made.level(tdx=[9, 9, 1]), LOW, modules=[identity])
    assert evaluate(info, quote=guest([4, 1, 1])).status == "UpToDate"
    assert evaluate(info, quote=guest([5, 1, 1])).module is not None
    older = evaluate(info, quote=guest([3, 1, 1]))
    assert (older.status, older.advisories) == ("OutOfDate", ("INTEL-SA-00002",))
    with pytest.raises(
        NotAuthenticError, match="no TCB level fits the TDX module TDX_01 with ISVSVN 1: Intel does not"
    ):
        evaluate(info, quote=guest([1, 1, 1]))
    with pytest.raises(
        NotAuthenticError, match="the TCB info has no identity TDX_1A, which this TDX module says it is"
    ):
        evaluate(info, quote=guest([4, 0x1A, 1]))


@pytest.mark.parametrize(
    ("changes", "fits"), [({}, True), ({"mrsigner": "01" * 48}, False), ({"attributes": "01" + "00" * 7}, False)]
)
@pytest.mark.parametrize("version", [0, 3])
def test_who_signed_the_module(changes: dict[str, str], fits: bool, version: int) -> None:  # noqa: FBT001
    info = made.tcb_info(
        modules=[made.module("TDX_03", made.svn_level(1), **(changes if version else {}))],
        tdxModule={**made.ZERO_SIGNER, **({} if version else changes)},
    )
    if fits:
        assert evaluate(info, quote=guest([3, version])).status == "UpToDate"
        return
    with pytest.raises(NotAuthenticError, match=r"the TDX module is not what .* says: MRSIGNERSEAM 0000"):
        evaluate(info, quote=guest([3, version]))


def test_seam_attributes_count_where_the_mask_has_ones() -> None:
    signer = {**made.ZERO_SIGNER, "attributesMask": "FE" + "FF" * 7}
    assert (
        evaluate(made.tcb_info(tdxModule=signer), quote=guest([3], seam_attributes=1, td_attributes=0)).module is None
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mrsigner": "01" * 32}, "expected MRSIGNER 0101"),
        ({"isvprodid": 1}, "expected ISVPRODID 0001, found 0002"),
        ({"attributes": "13" + "00" * 15}, "expected attributes 13"),
        ({"miscselect": "01000000"}, "expected MISCSELECT 01000000, found 00000000"),
        ({"tcbLevels": [made.svn_level(7)]}, "no TCB level fits the quoting enclave with ISVSVN 6"),
    ],
)
def test_another_quoting_enclave(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAuthenticError, match=message):
        evaluate(identity=made.qe_identity(**changes))


def test_an_outdated_quoting_enclave() -> None:
    found = evaluate(identity=made.qe_identity(made.svn_level(8), made.svn_level(4, "OutOfDate", ("INTEL-SA-00003",))))
    assert (found.status, found.advisories) == ("OutOfDate", ("INTEL-SA-00003",))


@pytest.mark.parametrize(
    ("platform", "other", "status"),
    [
        ("UpToDate", "UpToDate", "UpToDate"),
        ("SWHardeningNeeded", "OutOfDate", "OutOfDate"),
        ("ConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("OutOfDateConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded"),
        ("OutOfDate", "UpToDate", "OutOfDate"),
        ("OutOfDate", "Revoked", "Revoked"),
        ("Revoked", "OutOfDate", "Revoked"),
        ("UpToDate", "ConfigurationNeeded", "ConfigurationNeeded"),
    ],
)
def test_how_statuses_are_merged(platform: str, other: str, status: str) -> None:
    """Intel's SGX-TDX-DCAP-QuoteVerificationLibrary, convergeTcbStatus()."""
    assert merged(platform, other) == merged(platform, "UpToDate", other) == status


def test_a_td_that_was_started_under_an_older_module() -> None:
    identity = made.module("TDX_01", made.svn_level(4), made.svn_level(2, "OutOfDate"))
    info = made.tcb_info(modules=[identity])
    found = evaluate(info, quote=guest([3, 1], svn2=[4, 1]))
    assert (found.status, found.relaunched) == ("OutOfDate", "UpToDate")
    with pytest.raises(
        NotAuthenticError, match="the TCB info has no identity TDX_02, which this TDX module says it is"
    ):
        evaluate(info, quote=guest([4, 1], svn2=[4, 2]))


def test_a_module_that_is_older_than_at_the_start() -> None:
    """A TDX module does not go back: such numbers are not believed."""
    identity = made.module("TDX_01", made.svn_level(4), made.svn_level(2, "OutOfDate"))
    with pytest.raises(
        NotAuthenticError, match="the TDX module that is loaded now is OutOfDate, and was UpToDate when"
    ):
        evaluate(made.tcb_info(modules=[identity]), quote=guest([4, 1], svn2=[3, 1]))


def _random_info(chance: random.Random) -> tuple[dict[str, Any], dict[str, Any], list[int]]:
    """Levels in Intel's order, the highest numbers first: dcap-qvl sorts them anew."""
    words = (
        "UpToDate",
        "OutOfDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDateConfigurationNeeded",
    )
    svn = [chance.choice((0, 2, 4)), chance.choice((0, 0, 1, 3)), chance.choice((0, 1, 2))]
    count = chance.randrange(1, 5)
    rows = zip(
        *(
            sorted(chance.choices(values, k=count), reverse=True)
            for values in ((4, 5, 5, 6), (4, 5, 5, 6), (0, 2, 5), (0, 0, 1), (0, 1, 2))
        ),
        strict=True,
    )
    levels = [
        made.level(chance.choice(words), sgx=sgx, pce=pce, tdx=tdx, advisories=(f"INTEL-SA-{chance.randrange(9):05}",))
        for sgx, pce, *tdx in rows
    ]
    modules = [
        made.module(
            name, made.svn_level(4), made.svn_level(chance.choice((1, 3)), chance.choice(("OutOfDate", "UpToDate")))
        )
        for name in ("TDX_03", "TDX_01")[: chance.choice((1, 2, 2))]
    ]
    enclave = made.qe_identity(made.svn_level(chance.choice((5, 6, 7))), made.svn_level(4, "OutOfDate"))
    return made.tcb_info(*levels, modules=modules), enclave, svn


def test_dcap_qvl_says_the_same_of_many_platforms() -> None:
    """A disagreement would raise; so does what neither of them accepts, which ours must notice first."""
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown where the test fails
    chance = random.Random(seed)  # noqa: S311 - test data
    statuses: set[str] = set()
    refused: list[str] = []
    for _ in range(60):
        info, enclave, svn = _random_info(chance)
        try:
            found = evaluate(info, enclave, quote=guest(svn))
        except NotAuthenticError as error:
            refused.append(str(error))
            continue
        assert found.second_opinion == found.status
        statuses.add(found.status)
    assert len(statuses) > 2
    assert len(refused) < 60
    assert not [message for message in refused if message.startswith("no TCB status: it is")]


def _asks(answer: Callable[..., object]) -> Callable[..., object]:
    return lambda *_: answer()


def test_a_disagreement_is_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    class Report:
        status = "SWHardeningNeeded\x1b"

    monkeypatch.setattr(dcap_qvl, "verify_with_root_ca", _asks(Report))
    message = r"no TCB status: it is UpToDate here, and dcap-qvl says SWHardeningNeeded\\x1b"
    with pytest.raises(NotAuthenticError, match=message.replace("\\\\", r"\\")):
        evaluate()

    def fail() -> object:
        raise ValueError("Verification failed: TCBInfo expired")

    monkeypatch.setattr(dcap_qvl, "verify_with_root_ca", _asks(fail))
    with pytest.raises(NotAuthenticError, match="dcap-qvl says it cannot be verified: TCBInfo expired"):
        evaluate()


def test_defects_of_the_library_in_rust(monkeypatch: pytest.MonkeyPatch) -> None:
    panic = type("PanicException", (BaseException,), {})

    def failing(error: BaseException) -> Callable[..., object]:
        def verify(*_: object) -> object:
            raise error

        return verify

    monkeypatch.setattr(dcap_qvl, "verify_with_root_ca", failing(panic()))
    with pytest.raises(NotAuthenticError, match="dcap-qvl says nothing: it failed on this quote"):
        evaluate()
    monkeypatch.setattr(dcap_qvl, "verify_with_root_ca", failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        evaluate()


def test_without_dcap_qvl_ours_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dcap_qvl", None)
    found = evaluate(made.tcb_info(made.level("OutOfDate")))
    assert (found.status, found.second_opinion) == ("OutOfDate", None)


@pytest.mark.parametrize(
    "quote",
    [
        guest([3], td_attributes=DEBUG),
        guest([3], td_attributes=0),
        build.quote(GOOD, report=build.body(mrservicetd=b"\1" * 48)),
    ],
)
def test_what_a_td_may_do_is_another_question(quote: bytes) -> None:
    """dcap-qvl refuses debug TDs, #VE and service TDs outright; the platform's TCB is what it is."""
    found = evaluate(quote=quote)
    assert (found.status, found.second_opinion) == ("UpToDate", None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pceId": "0001"}, "no TCB status: the TCB info is of PCE-ID 0001, the platform has 0000"),
        ({"fmspc": "B0C06F000000"}, "no TCB status: the collateral lacks the TCB info of FMSPC 00906ed50000"),
    ],
)
def test_collateral_of_another_platform(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NoTcbStatusError, match=message):
        evaluate(made.tcb_info(**changes))


def test_collateral_that_is_not_complete() -> None:
    quote = parse_quote(guest([3]))
    whole = made.collateral(GOOD)
    for lacking, name in (
        (replace(whole, revocations=()), "the revocation list of the PCK CA, the revocation list of the root"),
        (replace(whole, qe_identity=None), "the QE identity"),
        (replace(whole, tcb_signing_chain=""), "the TCB signing certificate"),
        (replace(whole, tcb_infos={}), "the TCB info of FMSPC 00906ed50000"),
        (Collateral(), "the TCB info of FMSPC 00906ed50000, the TCB signing certificate"),
    ):
        with pytest.raises(NoTcbStatusError, match=f"no TCB status: the collateral lacks {name}"):
            evaluate_tcb(quote, parse_signature(quote), lacking, GOOD.root, build.NOW)


def test_collateral_that_was_not_issued_yet() -> None:
    with pytest.raises(NotAuthenticError, match="the TCB info was issued at 2026-02-03 01:00:01 UTC only"):
        evaluate(made.tcb_info(issueDate="2026-02-03T01:00:01Z"))
    with pytest.raises(NotAuthenticError, match="the QE identity was issued at 2026-02-04 00:00:00 UTC only"):
        evaluate(identity=made.qe_identity(issueDate="2026-02-04T00:00:00Z"))
    with pytest.raises(NotAuthenticError, match="the revocation list of Intel SGX Root CA holds until"):
        evaluate(at=build.NOW + timedelta(days=2))


def test_a_tcb_info_that_is_out_of_date() -> None:
    old: dict[str, Any] = {"issueDate": "2026-01-01T00:00:00Z", "nextUpdate": "2026-02-01T00:00:00Z"}
    with pytest.raises(
        NotAuthenticError, match="the TCB info was to be replaced by 2026-02-01 00:00:00 UTC: it is out"
    ):
        evaluate(made.tcb_info(**old))
    with pytest.raises(NotAuthenticError, match="the QE identity was to be replaced by 2026-02-01 00:00:00 UTC"):
        evaluate(identity=made.qe_identity(**old))


OTHER = build.authority(root={"not_after": build.NOW + timedelta(days=50)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"signer": made.signing(GOOD, issuer_key=build.key(9))},
            "the signature of the TCB signing certificate is not",
        ),
        ({"signer": made.signing(GOOD, not_after=build.NOW - timedelta(1))}, "the TCB signing certificate expired at"),
        (
            {"signer": made.signing(GOOD, not_before=build.NOW + timedelta(1))},
            "the TCB signing certificate is valid from",
        ),
        (
            {"signer": made.signing(GOOD, ca=True)},
            "the key of the TCB signing certificate may not be used for signatures",
        ),
        (
            {"signer": made.signing(GOOD, key_use=False)},
            "the key of the TCB signing certificate may not be used for signatures",
        ),
        (
            {"signer": made.signing(GOOD, issuer_name="x")},
            "the TCB signing certificate is not Intel SGX TCB Signing of the",
        ),
        ({"signer": made.signing(GOOD, extensions=[("1.2.3", True, b"\5\0")])}, "has the critical extension 1.2.3"),
        ({"above": (OTHER.root,)}, "the TCB signing chain ends in another root than the trusted one"),
        ({"above": (GOOD.root, GOOD.root)}, "the TCB signing chain ends in another root than the trusted one"),
        ({"revoked": (made.signing(GOOD),)}, "Intel SGX TCB Signing [0-9a-f]+ was revoked by its authority"),
        ({"revoked": (GOOD.root,)}, "Intel SGX Root CA [0-9a-f]+ was revoked by its own revocation list"),
    ],
)
def test_who_signed_the_collateral(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAuthenticError, match=message):
        evaluate(**options)


def test_a_chain_without_the_root() -> None:
    assert evaluate(above=(), quote=guest([3], td_attributes=DEBUG)).status == "UpToDate"


@pytest.mark.parametrize(("name", "words"), [("tcb_infos", "TCB info"), ("qe_identity", "QE identity")])
def test_collateral_that_somebody_changed(name: str, words: str) -> None:
    whole, quote = made.collateral(GOOD), parse_quote(guest([3]))
    signed = whole.tcb_infos[build.FMSPC] if name == "tcb_infos" else whole.qe_identity
    assert signed is not None
    for forged, message in (
        (replace(signed, text=signed.text.replace("UpToDate", "uptodate")), "is not that of Intel SGX TCB Signing"),
        (replace(signed, signature=signed.signature[:-1]), "has 63 bytes, expected 64"),
        (replace(signed, signature=bytes(64)), "is not that of Intel SGX TCB Signing"),
    ):
        if name == "tcb_infos":
            collateral = replace(whole, tcb_infos={build.FMSPC: forged})
        else:
            collateral = replace(whole, qe_identity=forged)
        with pytest.raises(NotAuthenticError, match=f"the signature of the {words} {message}"):
            evaluate_tcb(quote, parse_signature(quote), collateral, GOOD.root, build.NOW)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        (made.tcb_info(version=2), "TCB info: version at offset 0x0: expected 3, found '2'"),
        (made.tcb_info(version=True), "TCB info: version at offset 0x0: expected 3, found 'True'"),
        (made.tcb_info(tcbType=1), "TCB info: tcbType at offset 0x0: expected 0, found '1'"),
        (made.tcb_info(pceId="00"), "TCB info: pceId at offset 0x0: expected 2 bytes in hexadecimal, found 1"),
        (made.tcb_info(pceId="\u0660" * 4), "TCB info: pceId at offset 0x0: expected text of the form"),
        (
            made.tcb_info(issueDate="2026-02-30T00:00:00Z"),
            "TCB info: issueDate at offset 0x0: 2026-02-30.* is not a date",
        ),
        (made.tcb_info(tcbLevels={}), "TCB info: tcbLevels at offset 0x0: expected a list of at most 256"),
        (made.tcb_info(*[made.level()] * 257), "TCB info: tcbLevels at offset 0x0: expected a list of at most 256"),
        (made.tcb_info(tdxModule=[]), "TCB info: tdxModule at offset 0x0: expected an object"),
        (made.without(made.tcb_info(), "tdxModule"), "TCB info: tdxModule at offset 0x0: expected an object"),
        (
            made.replaced(made.tcb_info(), 256, "tcbLevels", 0, "tcb", "sgxtcbcomponents", 3, "svn"),
            r"TCB info: tcbLevels\[0\].tcb.sgxtcbcomponents\[0\].svn at offset 0x0: expected a number from 0 to 255",
        ),
        (
            made.replaced(made.tcb_info(), [{"svn": 1}] * 15, "tcbLevels", 0, "tcb", "tdxtcbcomponents"),
            r"TCB info: tcbLevels\[0\].tcb.tdxtcbcomponents at offset 0x0: expected 16 components, found 15",
        ),
        (
            made.replaced(made.tcb_info(), "Up\x1bToDate", "tcbLevels", 0, "tcbStatus"),
            r"TCB info: tcbLevels\[0\].tcbStatus at offset 0x0: expected text of the form",
        ),
    ],
)
def test_what_is_no_tcb_info(info: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        evaluate(info)


@pytest.mark.parametrize("changes", [{"id": "QE"}, {"version": 1}, {"mrsigner": "00"}, {"isvprodid": -1}])
def test_what_is_no_qe_identity(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedInputError, match=f"QE identity: {next(iter(changes))} at offset 0x0: expected "):
        evaluate(identity=made.qe_identity(**changes))


def test_a_status_that_intel_does_not_define() -> None:
    with pytest.raises(NotAuthenticError, match="the collateral has the unknown TCB status Fine"):
        evaluate(made.tcb_info(made.level("Fine")))
