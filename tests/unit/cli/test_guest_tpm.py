"""`guest URL` on machines with a TPM: alone, beside a TD's quote, and above Azure's paravisor without the TD's quote."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from builders import azure, given, google_tpm, live_guest, swtpm
from builders import machine_tpm as build
from builders.published_schemas import problems
from teekit_guest import attestation_answer, events, tsm
from teekit_guest.tpm_quote import Attester
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

HELD, DIFFERS, OPEN = ExitStatus.HOLDS, ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
GIVEN = given.Given()
OTHER = given.Given((given.manifest(b"another app"),))
Ask = Callable[..., tuple[ExitStatus, dict[str, Any]]]
Mend = Callable[[live_guest.Machine, dict[str, Any]], object]
NO_COLLATERAL = ("--allow-unchecked", "tcb,revocation")
NO_TDX = {"hardware signed a TDX quote": "no_tdx_quote"}
NOBODYS = {"vTPM": "tpm_not_vouched_for"}


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """What its answer becomes by `mend`, and options -> exit status, and what --json prints."""
    (tmp_path / "manifest.json").write_bytes(given.manifest())
    (tmp_path / "ref.json").write_bytes(build.reference())
    (tmp_path / "key.pem").write_bytes(build.pem(build.key().public_key()))
    (tmp_path / "key.tpm").write_bytes(build.public(build.key().public_key()))
    (tmp_path / "other.pem").write_bytes(build.pem(build.key("another's").public_key()))

    def run(mend: Mend, *options: str, manifest: bool = True) -> tuple[ExitStatus, dict[str, Any]]:
        wanted = ["--manifest", str(tmp_path / "manifest.json")] if manifest else []
        with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
            made.mend = lambda fields: mend(made, fields)
            words = ["--reference", str(tmp_path / "ref.json"), *wanted, *made.trust()[:4], *NO_COLLATERAL, "--json"]
            status = main(["guest", made.address(), *words, *(word.format(tmp_path) for word in options)])
        document = json.loads(capsys.readouterr().out)
        assert problems("error-v1" if "error" in document else "guest-v1", document) == []
        return status, document

    return run


def whys(document: Mapping[str, Any]) -> dict[str, str]:
    """Name of each check that decides and is no match -> the reason's name."""
    return {
        check["name"]: (check["reason"] or {}).get("why") or (check["reason"] or {}).get("kind", "")
        for step in document["steps"]
        for check in step["checks"]
        if check["outcome"] != "match"
    }


def outcomes(document: Mapping[str, Any]) -> dict[str, str]:
    return {step["step"]: step["outcome"] for step in document["steps"]}


def alone(
    measured: given.Given = GIVEN,
    *,
    nonce: bytes | None = None,
    pcrs: Mapping[int, bytes] | None = None,
    **changed: Any,
) -> Mend:
    """A machine without TDX; `pcrs` are values that differ from those of a good boot."""

    def mend(made: live_guest.Machine, fields: dict[str, Any]) -> None:
        asked = live_guest.report_data(made.asked[-1] if nonce is None else nonce, made.key)
        values = {**build.BOOTED, 15: measured.value("sha256"), **(pcrs or {})}
        fields.update(
            tdx=None,
            tpm=build.part(asked, values, **changed),
            runtime_log=measured.log(rtmr=False, pcr=True).decode(),
            manifests=[live_guest.b64(text) for text in measured.manifests],
        )

    return mend


def test_a_tpm_that_nobody_vouches_for(ask: Ask) -> None:
    """Everything was looked at, and the two things that it cannot say are named."""
    status, document = ask(alone())
    assert (status, whys(document)) == (OPEN, NO_TDX | NOBODYS)
    assert outcomes(document) == {
        "authentic": "not checked",
        "acceptable": "not checked",
        "current": "not checked",
        "bound": "match",
        "logs": "match",
        "registers": "not checked",
        "apps": "match",
    }
    assert (document["platform"], document["quote"]) == ("uefi-vtpm", None)
    assert document["runs"]["apps"][0]["app"] == given.URL


VOUCHED = ("--vtpm-key", "{}/key.pem")
WITHOUT_TDX = ("--allow-unchecked", "tdx")


@pytest.mark.parametrize(
    ("options", "expected", "left"),
    [
        (VOUCHED, OPEN, NO_TDX),
        (("--vtpm-key", "{}/key.tpm"), OPEN, NO_TDX),
        (WITHOUT_TDX, OPEN, NOBODYS),
        ((*WITHOUT_TDX, "--mrtd", "0d" * 48), OPEN, NOBODYS | {"uefi-vtpm MRTD vouched for": "no_tdx_quote"}),
        ((*VOUCHED, *WITHOUT_TDX), HELD, {}),
        (("--vtpm-key", "{}/other.pem", *VOUCHED, *WITHOUT_TDX), HELD, {}),
        (
            ("--vtpm-key", "{}/other.pem", *WITHOUT_TDX),
            DIFFERS,
            NOBODYS | {"vTPM's key is one you named": "refused"},
        ),
    ],
)
def test_who_vouches_for_it(options: tuple[str, ...], expected: ExitStatus, left: dict[str, str], ask: Ask) -> None:
    status, document = ask(alone(), *options)
    assert (status, whys(document)) == (expected, left)
    assert outcomes(document)["authentic"] != "match", "no hardware said anything"


def test_collateral_says_nothing_of_it(ask: Ask, tmp_path: Path) -> None:
    """It was asked for, and only a TD's quote has a TCB status: there is no yes, whatever may stay unchecked."""
    live_guest.Machine(None, tmp_path).trust()
    status, document = ask(alone(), *VOUCHED, *WITHOUT_TDX, "--collateral", "{}/collateral")
    assert (status, whys(document)) == (OPEN, {"TCB status": "refused"})
    assert outcomes(document)["current"] == "error"


def test_what_a_match_without_hardware_says(ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        made.mend = lambda fields: alone()(made, fields)
        words = ["--reference", str(tmp_path / "ref.json"), "--manifest", str(tmp_path / "manifest.json")]
        words += ["--html", str(tmp_path / "page.html"), "--vtpm-key", str(tmp_path / "key.pem"), *WITHOUT_TDX]
        assert main(["guest", made.address(), *words]) is HELD
    shown = " ".join(capsys.readouterr().out.split())
    verdict = "MATCH: this machine is what was published, and runs only what it should; a TPM alone says so: its host can look into it"
    assert verdict in shown
    assert "a TPM alone says so" in (tmp_path / "page.html").read_text()


OTHER_BOOT = build.extended(b"something else")
WRONG: list[tuple[str, Mend, dict[str, str]]] = [
    ("an old answer", alone(nonce=bytes(32)), {"nonce of the vTPM's quote": "as_requested"}),
    ("another boot", alone(pcrs={4: OTHER_BOOT}), {"uefi-vtpm PCR4 sha256": "no_event_log"}),
    ("another app", alone(OTHER), {"manifest 0": "other_manifest", "app 0": "other_app"}),
    (
        "something measured that the log does not have",
        alone(pcrs={15: build.extended(b"1", b"2")}),
        {"event log PCR15": "log_replays_otherwise"},
    ),
    (
        "the key of another",
        alone(ak_public=live_guest.b64(build.public(build.key("another's").public_key()))),
        {"PCRs are signed by the vTPM's key": "refused", "vTPM's key is one you named": "refused", **NOBODYS},
    ),
    (
        "values that were not signed",
        alone(
            pcrs={4: OTHER_BOOT},
            pcrs_told={"sha256": {str(n): v.hex() for n, v in {**build.BOOTED, 15: GIVEN.value("sha256")}.items()}},
        ),
        {"PCR values are the signed ones": "refused"},
    ),
    (
        "a log of another boot",
        alone(event_log=live_guest.b64(build.boot_log({**build.BOOT, 4: b"another"}))),
        {"event log PCR4": "log_replays_otherwise"},
    ),
]


@pytest.mark.parametrize(("case", "mend", "expected"), WRONG, ids=[case for case, _, _ in WRONG])
def test_a_tpm_that_is_not_as_it_should_be(case: str, mend: Mend, expected: dict[str, str], ask: Ask) -> None:
    status, document = ask(mend, *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (DIFFERS, expected)


def test_the_log_of_its_boot(ask: Ask) -> None:
    status, document = ask(alone(event_log=live_guest.b64(build.boot_log())), *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (HELD, {})
    logs = next(step for step in document["steps"] if step["step"] == "logs")
    assert [check["name"] for check in logs["checks"]] == [f"event log PCR{number}" for number in (4, 9, 11, 15)]


def test_pcr_4_has_to_be_there(ask: Ask, tmp_path: Path) -> None:
    """What the firmware booted can have measured anything into the others."""
    (tmp_path / "ref.json").write_bytes(build.reference({11: build.BOOTED[11]}))
    status, document = ask(alone(), *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (OPEN, {"uefi-vtpm PCR4": "booted_not_compared"})


def test_a_reference_of_azure_alone_is_none_for_it(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "ref.json").write_bytes(build.reference(platform="azure"))
    status, document = ask(alone(), *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (OPEN, {"platform": "no_platform_fits"})


PUBLIC = build.key().public_key()


@pytest.mark.parametrize(
    ("public", "message"),
    [
        (build.public(PUBLIC, attributes=1 << 1 | 1 << 18), "signs its quotes only"),  # not restricted
        (build.public(PUBLIC, attributes=1 << 16 | 1 << 18), "fixed to its TPM"),
        (build.public(PUBLIC, kind=0x23), "expected an RSA key"),
        (build.public(PUBLIC, symmetric=6), "a key that signs has none"),
        (build.public(PUBLIC) + b"\0", "1 bytes follow it"),
        (build.public(PUBLIC)[:-1], "needs"),
    ],
)
def test_a_key_that_proves_nothing(public: bytes, message: str, ask: Ask) -> None:
    """It would sign what somebody made up."""
    status, document = ask(alone(ak_public=live_guest.b64(public)), *WITHOUT_TDX)
    assert status is OPEN
    assert message in document["error"]["message"]


def on_azure(*, signer: str = "the machine's", named: str = "the machine's", tdx: bool = False) -> Mend:
    """Above a paravisor that has named a key, of which a quote of the TD is left out."""

    def mend(made: live_guest.Machine, fields: dict[str, Any]) -> None:
        alone()(made, fields)
        asked = live_guest.report_data(made.asked[-1], made.key)
        values = {**build.BOOTED, 15: GIVEN.value("sha256")}
        report = azure.hcl_report(azure.claims(build.key(named).public_key()))
        fields["tpm"] = build.part(asked, values, signer=build.key(signer), hcl_report=live_guest.b64(report))
        if tdx:
            fields["tdx"] = made.answer(made.asked[-1])["tdx"]

    return mend


def test_azure_without_the_quote_of_its_td(ask: Ask, tmp_path: Path) -> None:
    """Nothing binds the report, and the key that it names, to hardware."""
    (tmp_path / "ref.json").write_bytes(build.reference(platform="azure"))
    status, document = ask(on_azure())
    assert (status, document["platform"], whys(document)) == (OPEN, "azure", NO_TDX | NOBODYS)
    status, document = ask(on_azure(), *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (HELD, {})
    assert ask(on_azure(), *WITHOUT_TDX, "--mrtd", "0d" * 48)[0] is OPEN
    status, document = ask(on_azure(signer="another's"), *WITHOUT_TDX)
    assert (status, whys(document)) == (DIFFERS, {"PCRs are signed by the vTPM's key": "refused"} | NOBODYS)
    (tmp_path / "issuer.pem").write_bytes((tmp_path / "root.pem").read_bytes())
    status, document = ask(on_azure(), *VOUCHED, *WITHOUT_TDX, "--vtpm-issuer", "{}/issuer.pem")
    assert status is HELD, "the answer has no certificate: issuers say nothing"


def test_a_report_that_the_td_does_not_vouch_for(ask: Ask, tmp_path: Path) -> None:
    """A key of the host's own, in a report that is not that of the quote."""
    (tmp_path / "ref.json").write_bytes(build.reference(platform="azure"))
    status, document = ask(on_azure(named="another's", signer="another's", tdx=True), "--mrtd", "0d" * 48)
    assert (status, whys(document)) == (DIFFERS, {"REPORTDATA": "as_requested"})


def beside(
    measured: given.Given | None = GIVEN,
    log: bytes = GIVEN.log(pcr=True),
    *,
    nonce: bytes | None = None,
    **changed: Any,
) -> Mend:
    """A TD that has a TPM of its host's. `measured`: into PCR 15; None where that is not quoted."""

    def mend(made: live_guest.Machine, fields: dict[str, Any]) -> None:
        asked = live_guest.report_data(made.asked[-1] if nonce is None else nonce, made.key)
        values = build.BOOTED | ({} if measured is None else {15: measured.value("sha256")})
        fields.update(tpm=build.part(asked, values, **changed), runtime_log=log.decode())

    return mend


def forged_log() -> bytes:
    """The TPM's records are of another app, with the digests of the right one."""
    records = GIVEN.records(pcr=True)
    records[5]["content"]["bytes"] = live_guest.b64(b"0 " + b"ab" * 32)
    return given.sequence(records)


BESIDE: list[tuple[str, Mend, dict[str, str]]] = [
    ("both were told the same", beside(), {}),
    ("one log for both", beside(log=GIVEN.log()), {}),
    ("its PCR 15 was not quoted", beside(None), {}),
    ("the TPM was told of another app", beside(OTHER), {"event log PCR15": "tpm_runs_otherwise"}),
    (
        "the TPM was told of more",
        beside(GIVEN.measuring(*GIVEN.events, ("app", b"1 " + b"ab" * 32))),
        {"event log PCR15": "tpm_runs_otherwise"},
    ),
    (
        "the log says another thing of the TPM",
        beside(log=GIVEN.log() + OTHER.log(rtmr=False, pcr=True)),
        {"event log PCR15": "tpm_runs_otherwise"},
    ),
    (
        "a log with another text for the TPM",
        beside(log=forged_log()),
        {"event log text, event 2 (PCR15)": "forged_text", "event log PCR15": "tpm_runs_otherwise"},
    ),
    ("an old quote of the TPM", beside(nonce=bytes(32)), {"nonce of the vTPM's quote": "as_requested"}),
    (
        "signed by another key",
        beside(ak_public=live_guest.b64(build.public(build.key("another's").public_key()))),
        {"PCRs are signed by the vTPM's key": "refused"},
    ),
    (
        "values that were not signed",
        beside(
            OTHER,
            pcrs_told={
                "sha256": {**{str(n): v.hex() for n, v in build.BOOTED.items()}, "15": GIVEN.value("sha256").hex()}
            },
        ),
        {"PCR values are the signed ones": "refused"},
    ),
]


@pytest.mark.parametrize(("case", "mend", "expected"), BESIDE, ids=[case for case, _, _ in BESIDE])
def test_beside_a_td(case: str, mend: Mend, expected: dict[str, str], ask: Ask, tmp_path: Path) -> None:
    """Nothing depends on it; but it has to say the same."""
    (tmp_path / "ref.json").write_bytes(live_guest.reference())
    status, document = ask(mend)
    assert (status, whys(document)) == (DIFFERS if expected else HELD, expected)


def test_a_key_that_was_named_is_asked_for_beside_a_td(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "ref.json").write_bytes(live_guest.reference())
    assert ask(beside(), *VOUCHED)[0] is HELD
    status, document = ask(beside(), "--vtpm-key", "{}/other.pem")
    assert (status, whys(document)) == (DIFFERS, {"vTPM's key is one you named": "refused"})


def test_a_key_that_was_named_and_is_not_shown(ask: Ask, tmp_path: Path) -> None:
    """A TD without a TPM may be any machine that runs the image: which of them was meant, the key said."""
    (tmp_path / "ref.json").write_bytes(live_guest.reference())
    assert ask(lambda _made, _fields: None)[0] is HELD
    status, document = ask(lambda _made, _fields: None, *VOUCHED)
    assert (status, whys(document)) == (OPEN, {"vTPM's key is one you named": "refused"})
    assert document["reasons"] == [
        "vTPM's key is one you named: not checked: the machine shows no TPM, so it may not be the one whose key you named"
    ]


def test_the_images_own_program_with_swtpm(ask: Ask, tmp_path: Path) -> None:
    """A real TPM, extended as the image does, quoted and answered for by the image's own program."""
    records = (
        events.record(number, {"pcr": 15}, event, {bank: event.digest(bank) for bank in ("sha256", "sha384")})
        for number, event in enumerate(events.Event(kind, content) for kind, content in GIVEN.events)
    )
    kept = attestation_answer.Kept(b"".join(records).decode(), GIVEN.manifests, "", None, None)
    with (
        tempfile.TemporaryDirectory() as folder,
        swtpm.tpm_with(Path(folder), "sha256,sha384") as device,
    ):
        for number, content in build.BOOT.items():
            device.extend(number, {bank: hashlib.new(bank, content).digest() for bank in ("sha256", "sha384")})
        for kind, content in GIVEN.events:
            device.extend(15, {bank: given.digest(kind, content, bank) for bank in ("sha256", "sha384")})
        attester = Attester(device)
        (tmp_path / "swtpm.tpm").write_bytes(attester.key.public)

        def none(_report_data: bytes) -> tsm.Quote:
            raise tsm.NoTsm("none")

        program = attestation_answer.Machine(kept, none, attester)

        def mend(made: live_guest.Machine, fields: dict[str, Any]) -> None:
            fields.clear()
            fields.update(program.answer(made.asked[-1], made.key))

        status, document = ask(mend, "--vtpm-key", "{}/swtpm.tpm", *WITHOUT_TDX)
        assert (status, whys(document)) == (HELD, {})
        assert {step["outcome"] for step in document["steps"][3:]} == {"match"}
        device.extend(15, {bank: hashlib.new(bank, b"more").digest() for bank in ("sha256", "sha384")})
        status, document = ask(mend, "--vtpm-key", "{}/swtpm.tpm", *WITHOUT_TDX)
    assert (status, whys(document)) == (DIFFERS, {"event log PCR15": "log_replays_otherwise"})


CERTIFIED = "vTPM's key is certified by Google"
ISSUERS = ("--vtpm-issuer", "{}/issuers.pem")
TRUSTED = (*ISSUERS, "--vtpm-root", "{}/google.pem")


def google_certificate(**options: Any) -> str:
    certificate = google_tpm.certificate(build.key(options.pop("key", "the machine's")).public_key(), **options)
    return live_guest.b64(certificate.public_bytes(Encoding.DER))


@pytest.fixture
def google(tmp_path: Path) -> None:
    """Files with the authorities."""
    root, below = google_tpm.authorities()
    (tmp_path / "issuers.pem").write_bytes(google_tpm.pem(below, root))
    (tmp_path / "google.pem").write_bytes(google_tpm.pem(root))


@pytest.mark.usefixtures("google")
def test_google_vouches_for_the_key_and_for_nothing_else(ask: Ask) -> None:
    machine = alone(ak_certificate=google_certificate())
    status, document = ask(machine, *TRUSTED)
    assert (status, whys(document)) == (OPEN, NO_TDX), "whose hardware it is, the certificate does not say"
    status, document = ask(machine, *TRUSTED, *WITHOUT_TDX)
    assert (status, whys(document)) == (HELD, {})
    checks = [check for step in document["steps"] for check in step["checks"]]
    assert [check["found"] for check in checks if check["name"] == CERTIFIED] == [google_tpm.PATH]


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("options", [(), ("--vtpm-root", "{}/google.pem")])
def test_a_certificate_says_nothing_without_those_above_it(options: tuple[str, ...], ask: Ask) -> None:
    status, document = ask(alone(ak_certificate=google_certificate()), *options, *WITHOUT_TDX)
    assert (status, whys(document)) == (OPEN, NOBODYS)


@pytest.mark.usefixtures("google")
def test_a_root_that_comes_with_the_issuers_is_not_trusted(ask: Ask) -> None:
    """Only Google's own are, by their digests, and one that is named."""
    status, document = ask(alone(ak_certificate=google_certificate()), *ISSUERS, *WITHOUT_TDX)
    assert (status, whys(document)) == (DIFFERS, {CERTIFIED: "refused"} | NOBODYS)
    assert ask(alone(ak_certificate=google_certificate()), *ISSUERS, *VOUCHED, *WITHOUT_TDX)[0] is DIFFERS


NOT_GOOGLES = {
    "of a key that decrypts": {"uses": ["key_encipherment"]},
    "of another key": {"key": "another's"},
    "of another authority": {"signer": "somebody"},
    "of no machine": {"extension": b""},
    "of a machine that is not production": {"extension": google_tpm.instance(None)},
}


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("options", NOT_GOOGLES.values(), ids=NOT_GOOGLES)
@pytest.mark.parametrize("place", [alone, beside])
def test_a_certificate_that_does_not_hold(
    options: dict[str, Any], place: Callable[..., Any], ask: Ask, tmp_path: Path
) -> None:
    left = NOBODYS if place is alone else {}
    if place is beside:
        (tmp_path / "ref.json").write_bytes(live_guest.reference())
    status, document = ask(place(ak_certificate=google_certificate(**options)), *TRUSTED, *WITHOUT_TDX)
    assert (status, whys(document)) == (DIFFERS, {CERTIFIED: "refused"} | left)


@pytest.mark.usefixtures("google")
def test_beside_a_td_with_googles_certificate(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "ref.json").write_bytes(live_guest.reference())
    status, document = ask(beside(ak_certificate=google_certificate()), *TRUSTED)
    assert (status, whys(document)) == (HELD, {})


@pytest.mark.usefixtures("google")
@pytest.mark.parametrize("mend", [beside(), lambda _made, _fields: None])
def test_a_certificate_that_was_asked_for_and_is_not_shown(mend: Mend, ask: Ask, tmp_path: Path) -> None:
    """Beside a TD's quote, of a TPM that has none, and of a machine without a TPM."""
    (tmp_path / "ref.json").write_bytes(live_guest.reference())
    status, document = ask(mend, *TRUSTED)
    assert (status, whys(document)) == (OPEN, {CERTIFIED: "no_certificate"})


@pytest.mark.usefixtures("google")
def test_a_certificate_that_a_tpm_alone_does_not_have(ask: Ask) -> None:
    status, document = ask(alone(), *TRUSTED, *VOUCHED, *WITHOUT_TDX)
    assert (status, whys(document)) == (OPEN, {CERTIFIED: "no_certificate"})


@pytest.mark.usefixtures("google")
def test_what_is_no_certificate(ask: Ask) -> None:
    status, document = ask(alone(ak_certificate=live_guest.b64(b"\x30\x82\x01\x00" + bytes(256))), *TRUSTED)
    assert status is OPEN
    assert "certificate" in document["error"]["message"]
