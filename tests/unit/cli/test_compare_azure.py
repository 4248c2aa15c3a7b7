"""`compare --quote` of Azure's guests: real evidence, and a TD that claims to have a vTPM."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from builders import azure as build
from builders import documents as sample
from builders import guests, quotes
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import model
from teekit_verify.evidence import azure_root
from teekit_verify.evidence.azure import read_vtpm
from teekit_verify.evidence.eventlog import parse_event_log
from teekit_verify.evidence.quote import parse_quote, read_quote
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from teekit_verify.core.digest import Digest

    Run = Callable[..., tuple[ExitStatus, str, str]]

ALLOWED = ("--allow-unchecked", "report-data,tcb,revocation")
QUOTE = ("--quote", str(build.REAL["flashbots"]), "--at", "2026-06-08T13:00:00Z", *ALLOWED)
REAL = read_vtpm([build.REAL["flashbots"]])
REAL_MRTD = read_quote(build.REAL["flashbots"]).report.mrtd
PARAVISOR = guests.ignored("belongs to the paravisor")
IGNORED = {MRTD: PARAVISOR, **{rtmr(index): PARAVISOR for index in range(4)}}


def is_(value: Digest, *more: Digest) -> model.ReferenceRegister:
    register = model.RegisterValue((value, *more), "", ())
    return model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue("published", register),))


def registers(values: dict[Register, Digest], *indexes: int) -> guests.Registers:
    """The PCRs with both banks, as references have them; a TPM quotes one."""
    return {**IGNORED, **{pcr(index): is_(values[pcr(index)], sample.sha384("the other bank")) for index in indexes}}


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(published: guests.Registers, *options: str, platform: str = "azure") -> tuple[ExitStatus, str, str]:
        (tmp_path / "ref.json").write_bytes(guests.reference(**{platform: published}))
        status = main(["compare", str(tmp_path / "ref.json"), *options])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def published(*indexes: int) -> guests.Registers:
    return registers(dict(REAL.pcrs), *(indexes or (4, 9, 11)))


def test_a_real_guest(run: Run) -> None:
    """The PCR values are what Flashbots' attester read from the vTPM; Microsoft vouches for its key, Intel for the TD."""
    status, out, err = run(published(), *QUOTE, "--json")
    document: dict[str, Any] = json.loads(out)
    assert (status, err, document["platform"]) == (ExitStatus.HOLDS, "", "azure")
    assert [check["name"] for check in document["checklist"]["checks"]] == [
        f"azure PCR{index} sha256" for index in (4, 9, 11)
    ]
    assert "azure MRTD" in [check["name"] for check in document["checklist"]["ignored"]]
    names = [check["name"] for check in document["quote"]["authentic"]["checks"] if check["outcome"] == "match"]
    assert names[-3:] == [
        "PCRs are signed by the vTPM's key",
        "PCR values are the signed ones",
        "vTPM's key is certified by Microsoft",
    ]


def test_reference_values_as_flashbots_publish_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PCRs alone; the paravisor is shown, and Microsoft vouches for its vTPM. Of two images one matches."""
    images = [
        {
            "measurement_id": name,
            "attestation_type": "azure-tdx",
            "measurements": {str(index): {"expected": REAL.pcrs[pcr(index + more)].hex} for index in (4, 9)},
        }
        for name, more in (("another", 1), ("this", 0))
    ]
    (tmp_path / "measurements.json").write_text(json.dumps(images))
    status = main(["compare", str(tmp_path / "measurements.json"), *QUOTE])
    out = capsys.readouterr().out
    assert status is ExitStatus.HOLDS
    assert out.startswith("quote flashbots.json against this (")
    assert "azure MRTD: the paravisor's, not mentioned" in out.splitlines()


ATTESTED_TLS = build.REAL["flashbots"].with_name("attested-tls.yaml")
DECEMBER = ["--at", "2026-02-20", "--allow-unchecked", "report-data"]
COLLATERAL = ATTESTED_TLS.with_name("attested-tls-collateral.yaml")
"""PCR 4, 9 and 11 as the document lists them in decimal numbers, converted with printf."""
PUBLISHED = {
    4: "c4a25a6d7704629f63db84d20ea8db0e9ce002b2801be9a340091fe7ac588699",
    9: "9f4a5775122ca4703e135a9ae6041edead0064262e399df11ca85182b0f1541d",
    11: "abd7c695ffdb6081e99636ee016d1322919c68d049b698b399d22ae215a121bf",
}


def test_documents_of_attested_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """YAML, with collateral as YAML; the issuer of the vTPM's certificate is in no address."""
    listed = {str(index): {"expected": value} for index, value in PUBLISHED.items()}
    record = {"measurement_id": "x", "attestation_type": "azure-tdx", "measurements": listed}
    (tmp_path / "ref.json").write_text(json.dumps([record]))
    command = ["compare", str(tmp_path / "ref.json"), "--quote", str(ATTESTED_TLS), *DECEMBER]
    status = main([*command, "--collateral", str(COLLATERAL)])
    out = capsys.readouterr().out
    assert (status, out.splitlines()[-1]) == (
        ExitStatus.HOLDS,
        "MATCH: this guest has the registers that were published",
    )


def shown_beside(out: str) -> list[str]:
    return [check["name"] for check in json.loads(out)["checklist"]["ignored"]]


def test_drivers_that_the_firmware_ran_are_shown(run: Run) -> None:
    """In PCR 2 of this guest there is more than a separator, SHA-256 of zeros and of SHA-256 of four zeros: 3d458cfe... of many machines."""
    status, out, _ = run(published(), *QUOTE, "--json")
    assert (status, "azure PCR2" in shown_beside(out)) == (ExitStatus.HOLDS, True)
    status, out, _ = run(published(), *QUOTE)
    assert "azure PCR2: the firmware ran drivers" in out
    status, out, _ = run(published(2, 4, 9, 11), *QUOTE, "--json")
    assert (status, "azure PCR2" in shown_beside(out)) == (ExitStatus.HOLDS, False)


def test_firmware_that_ran_no_driver_has_nothing_shown(run: Run) -> None:
    """PCR 2 of this one is 3d458cfe55cc03ea..., as its document has it."""
    older = ("--quote", str(build.REAL["coco-v1"]), "--at", "2026-06-08T13:00:00Z", *ALLOWED, "--json")
    out = run(published(), *older)[1]
    assert [check["name"] for check in json.loads(out)["checklist"]["checks"]][:1] == ["azure PCR4 sha256"]
    assert "azure PCR2" not in shown_beside(out)


def test_another_root_for_the_vtpm_is_trusted_when_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Microsoft's built-in root is replaced by a throw-away one: then only --azure-root leads to a verdict."""
    real = azure_root.PEM
    other = quotes.certificate("root", quotes.key(1), issuer_name="root", issuer_key=quotes.key(1), ca=True)
    monkeypatch.setattr(azure_root, "PEM", other.public_bytes(Encoding.PEM))
    assert run(published(), *QUOTE)[0] is ExitStatus.DOES_NOT_HOLD
    (tmp_path / "root.pem").write_bytes(real)
    assert run(published(), *QUOTE, "--azure-root", str(tmp_path / "root.pem"))[0] is ExitStatus.HOLDS


def test_certificates_alone_are_added_to_a_document(run: Run, tmp_path: Path) -> None:
    document = json.loads(build.REAL["flashbots"].read_text())
    issuers = document["tpm_attestation"].pop("ak_intermediate_certificates_pem")
    (tmp_path / "guest.json").write_text(json.dumps(document))
    quote = ["--quote", str(tmp_path / "guest.json"), *QUOTE[2:]]
    assert run(published(), *quote)[0] is ExitStatus.DOES_NOT_HOLD
    files = []
    for number, pem in enumerate(issuers):
        (tmp_path / f"{number}.pem").write_text(pem)
        files += ["--vtpm-evidence", str(tmp_path / f"{number}.pem")]
    assert run(published(), *quote, *files)[0] is ExitStatus.HOLDS


def test_another_image(run: Run) -> None:
    values = {**REAL.pcrs, pcr(9): sample.sha256("another initrd")}
    status, out, _ = run(registers(values, 4, 9, 11), *QUOTE)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "azure PCR9 sha256: mismatch: one side has no event log to explain it" in out


@pytest.mark.parametrize(("nonce", "status"), [("00" * 32, ExitStatus.HOLDS), ("01", ExitStatus.DOES_NOT_HOLD)])
def test_the_nonce_is_that_of_the_vtpm(nonce: str, status: ExitStatus, run: Run) -> None:
    """REPORTDATA of the TD is the digest of the paravisor's report, whatever the nonce."""
    found, out, _ = run(published(), *QUOTE, "--report-data", nonce)
    assert found is status
    assert ("nonce of the vTPM's quote: mismatch: it is not what was asked for" in out) == (
        status is not ExitStatus.HOLDS
    )


def test_without_a_word_about_pcrs(run: Run) -> None:
    """The paravisor alone says nothing about the guest."""
    status, out, _ = run({**IGNORED, MRTD: is_(REAL_MRTD)}, *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "azure PCRs: not checked: the reference has no values for those that were quoted" in out


def test_without_what_the_firmware_booted(run: Run) -> None:
    """Microsoft vouches for the vTPM; a foreign boot loader can have extended PCR 9 and 11 as published."""
    status, out, _ = run(published(9, 11), *QUOTE)
    assert status is ExitStatus.NO_VERDICT
    assert "azure PCR4: not checked: what the firmware booted was not compared" in out


def test_another_kind_of_reference(run: Run) -> None:
    status, out, _ = run(guests.published(*guests.cos()), *QUOTE, platform="gcp")
    assert status is ExitStatus.NO_VERDICT
    assert "platform: not checked: the reference has no values for the registers of such a guest" in out


def test_the_td_quote_alone_says_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "quote").write_bytes(bytes.fromhex(_td_quote()))
    status, out, _ = run(published(), "--quote", str(tmp_path / "quote"), *QUOTE[2:])
    assert status is ExitStatus.NO_VERDICT
    assert "the reference has no values for the registers of such a guest" in out


def _td_quote() -> str:
    quote = read_quote(build.REAL["flashbots"])
    return (quote.signed + len(quote.signature_data).to_bytes(4, "little") + quote.signature_data).hex()


def test_a_changed_pcr_value(run: Run, tmp_path: Path) -> None:
    document = build.document("flashbots")
    document["tpm_attestation"]["quote"]["pcrs"][4][0] ^= 1
    status, out, _ = _changed(run, tmp_path, document)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "PCR values are the signed ones: the PCR values are not those that the vTPM quoted" in out
    assert "authentic: NO" in out


def test_a_changed_signature(run: Run, tmp_path: Path) -> None:
    document = build.document("flashbots")
    document["tpm_attestation"]["quote"]["signature"][0] ^= 1
    _, out, _ = _changed(run, tmp_path, document)
    assert "PCRs are signed by the vTPM's key: the vTPM's attestation key did not sign this quote" in out


def test_a_report_that_the_td_does_not_vouch_for(run: Run, tmp_path: Path) -> None:
    document = build.document("flashbots")
    document["hcl_report_base64"] = build.hcl_report(REAL.report.runtime_data + b" ").hex()
    status, out, _ = _changed(run, tmp_path, document)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "REPORTDATA: it is not the digest of the HCL report's runtime data" in out


def test_a_certificate_of_another_key(run: Run, tmp_path: Path) -> None:
    document = build.document("flashbots")
    document["tpm_attestation"]["ak_certificate_pem"] = document["tpm_attestation"]["ak_intermediate_certificates_pem"][
        0
    ]
    status, out, _ = _changed(run, tmp_path, document)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "expected one certificate of the vTPM's attestation key, found 0" in out


def _changed(run: Run, folder: Path, document: dict[str, Any]) -> tuple[ExitStatus, str, str]:
    (folder / "evidence.json").write_text(json.dumps(document))
    return run(published(), "--quote", str(folder / "evidence.json"), *QUOTE[2:])


@pytest.fixture
def claimed(tmp_path: Path) -> tuple[list[str], dict[Register, Digest]]:
    """A TD of anybody's, which names the key of a software TPM: options for what it presents, and the PCRs."""
    runtime_data = build.claims(build.tpm_key())
    authority = quotes.authority()
    body = quotes.body(report_data=build.report_data(runtime_data))
    (tmp_path / "quote").write_bytes(quotes.quote(authority, report=body))
    (tmp_path / "root.pem").write_bytes(quotes.pem(authority.root))
    (tmp_path / "hcl").write_bytes(build.hcl_report(runtime_data))
    parts = [str(tmp_path / "hcl"), *(str(build.TPM / f"rsassa.{kind}") for kind in ("msg", "sig", "pcrs"))]
    options = [
        "--quote",
        str(tmp_path / "quote"),
        "--trusted-root",
        str(tmp_path / "root.pem"),
        "--at",
        "2026-02-03",
        *ALLOWED,
    ]
    vtpm = [word for part in parts for word in ("--vtpm-evidence", part)]
    return options + vtpm, dict(
        read_vtpm([tmp_path / "hcl", *(build.TPM / f"rsassa.{kind}" for kind in ("msg", "sig", "pcrs"))]).pcrs
    )


def test_any_td_can_claim_to_have_a_vtpm(claimed: tuple[list[str], dict[Register, Digest]], run: Run) -> None:
    """Its PCRs match, and everything is signed: by a key that nobody vouches for. The paravisor's MRTD settles it."""
    options, values = claimed
    status, out, _ = run(registers(values, 4, 9, 11), *options)
    assert status is ExitStatus.NO_VERDICT
    assert "vTPM: not checked: nobody vouches for it, and any TD can claim to have one" in out
    known = parse_quote(quotes.quote(quotes.authority())).report.mrtd
    status, out, _ = run(
        {**registers(values, 4, 9, 11), MRTD: is_(known)}, *options, "--report-data", b"challenge".hex()
    )
    assert status is ExitStatus.HOLDS
    status, _, _ = run({**registers(values, 4, 9, 11), MRTD: is_(REAL_MRTD)}, *options)
    assert status is ExitStatus.DOES_NOT_HOLD


def test_a_tpm_log(claimed: tuple[list[str], dict[Register, Digest]], run: Run) -> None:
    """A log of another machine: it leads to other PCRs than were quoted."""
    options, values = claimed
    log = str(quotes.ASSETS / "eventlogs" / "ovmf-swtpm-uki.bin")
    status, out, _ = run(registers(values, 4), *options, "--eventlog", log)
    assert status is ExitStatus.DOES_NOT_HOLD
    assert "event log PCR4: mismatch: the log replays to another value than the quote has" in out
    assert "event log PCR9" not in out


def test_a_log_of_a_td(run: Run) -> None:
    status, _, err = run(published(), *QUOTE, "--eventlog", str(guests.COS_LOG))
    assert status is ExitStatus.NO_VERDICT
    assert "the event log has no PCRs, and the guest's vTPM quoted PCRs" in err


LOG = quotes.ASSETS / "eventlogs" / "ovmf-swtpm-uki.bin"


@pytest.mark.parametrize("changed", [False, True])
def test_a_log_that_leads_to_the_quoted_pcrs(changed: bool, run: Run, tmp_path: Path) -> None:  # noqa: FBT001
    """A real boot, whose TPM was asked for its PCRs: the log explains what the reference has another event for."""
    key = rsa.generate_private_key(65537, 2048)
    told = json.loads(LOG.with_suffix(".pcrs.json").read_text())
    runtime_data, authority = build.claims(key.public_key()), quotes.authority()
    quote = quotes.quote(authority, report=quotes.body(report_data=build.report_data(runtime_data)))
    (tmp_path / "root.pem").write_bytes(quotes.pem(authority.root))
    (tmp_path / "evidence.json").write_text(
        json.dumps(
            {
                "td_quote": quote.hex(),
                "hcl_report": build.hcl_report(runtime_data).hex(),
                "tpm_quote": build.tpm_quote(
                    key, {index: bytes.fromhex(told["sha256"][f"PCR{index}"]) for index in (4, 9)}
                ),
            }
        )
    )
    trust = ("--trusted-root", str(tmp_path / "root.pem"), "--at", "2026-02-03", *ALLOWED)
    events = guests.register_value(parse_event_log(LOG.read_bytes()), pcr(9))
    if changed:
        other = replace(events.events[0], digests=sample.section_event("x").digests, cause="UKI section .cmdline")
        events = sample.complete(other, *events.events[1:])
    booted = guests.only(guests.register_value(parse_event_log(LOG.read_bytes()), pcr(4)))
    reference = {**IGNORED, MRTD: is_(parse_quote(quote).report.mrtd), pcr(4): booted, pcr(9): guests.only(events)}
    evidence = ("--quote", str(tmp_path / "evidence.json"), "--eventlog", str(LOG))
    status, out, _ = run(reference, *evidence, *trust)
    assert status is (ExitStatus.DOES_NOT_HOLD if changed else ExitStatus.HOLDS)
    assert "event log PCR9" in out
    words = "azure PCR9 sha256: mismatch: first difference at event 1: "
    assert (words in out and "the kernel command line differs; look at: UKI section .cmdline" in out) == changed


def _presented(folder: Path, pcrs: dict[int, bytes], *, secure_boot: bool) -> tuple[list[str], Digest]:
    """What a guest presents whose vTPM holds these PCRs, as options; and the MRTD of its paravisor."""
    key = rsa.generate_private_key(65537, 2048)
    configuration = {"secure-boot": secure_boot, "tpm-enabled": True}
    runtime_data, authority = build.claims(key.public_key(), vm_configuration=configuration), quotes.authority()
    quote = quotes.quote(authority, report=quotes.body(report_data=build.report_data(runtime_data)))
    (folder / "root.pem").write_bytes(quotes.pem(authority.root))
    evidence = {
        "td_quote": quote.hex(),
        "hcl_report": build.hcl_report(runtime_data).hex(),
        "tpm_quote": build.tpm_quote(key, pcrs),
    }
    (folder / "evidence.json").write_text(json.dumps(evidence))
    options = ["--quote", str(folder / "evidence.json"), "--trusted-root", str(folder / "root.pem"), *AT, *ALLOWED]
    return options, parse_quote(quote).report.mrtd


AT = ("--at", "2026-02-03")
PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready")


def _later(value: bytes, *phases: str) -> bytes:
    for phase in phases:
        value = hashlib.sha256(value + hashlib.sha256(phase.encode()).digest()).digest()
    return value


@pytest.mark.parametrize("phases", [PHASES[:1], PHASES])
def test_a_guest_whose_systemd_has_gone_on(phases: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    """PCR 11 of a real boot, extended as systemd-pcrphase does; the log of the boot does not have that."""
    told = json.loads(LOG.with_suffix(".pcrs.json").read_text())["sha256"]
    booted, boot = bytes.fromhex(told["PCR4"]), bytes.fromhex(told["PCR11"])
    options, mrtd = _presented(tmp_path, {4: booted, 11: _later(boot, *phases)}, secure_boot=False)
    values = {
        pcr(index): guests.only(guests.register_value(parse_event_log(LOG.read_bytes()), pcr(index)))
        for index in (4, 11)
    }
    reference = {**IGNORED, MRTD: is_(mrtd), **values}
    for log in ([], ["--eventlog", str(LOG)]):
        status, out, _ = run(reference, *options, *log)
        assert status is ExitStatus.HOLDS
        words = "azure PCR11 since the boot: systemd-pcrphase extended it after the boot: "
        assert words + ", ".join(phases) in out.splitlines()
    options, _ = _presented(tmp_path, {4: booted, 11: _later(boot, "something else")}, secure_boot=False)
    assert run(reference, *options)[0] is ExitStatus.DOES_NOT_HOLD


def _images(name: str, cause: str) -> model.PredictedEvent:
    digests = (sample.sha256(name), sample.sha384(name))
    return model.PredictedEvent(0x80000003, digests, name, cause)


@pytest.mark.parametrize(
    ("secure_boot", "option", "status"),
    [
        (True, (), ExitStatus.HOLDS),
        (True, ("--secure-boot", "either"), ExitStatus.HOLDS),
        (False, (), ExitStatus.DOES_NOT_HOLD),
        (True, ("--secure-boot", "off"), ExitStatus.NO_VERDICT),
    ],
)
def test_with_secure_boot_on_no_kernel_is_measured(
    secure_boot: bool,  # noqa: FBT001 - a table
    option: tuple[str, ...],
    status: ExitStatus,
    run: Run,
    tmp_path: Path,
) -> None:
    uki, kernel = _images("uki", "UKI"), _images("kernel", "UKI section .linux")
    measured = hashlib.sha256(bytes(32) + sample.sha256("uki").value).digest()
    options, mrtd = _presented(tmp_path, {4: measured}, secure_boot=secure_boot)
    reference = {**IGNORED, MRTD: is_(mrtd), pcr(4): guests.only(sample.complete(uki, kernel))}
    found, out, err = run(reference, *options, *option)
    assert found is status
    assert ("azure PCR4 since the boot: Secure Boot is on" in out) == (status is ExitStatus.HOLDS)
    assert ("Secure Boot is on in the guest's evidence, and --secure-boot says off" in err) == bool("off" in option)


@pytest.mark.parametrize("secure_boot", [True, False])
def test_the_log_of_a_boot_with_secure_boot_on(secure_boot: bool, run: Run, tmp_path: Path) -> None:  # noqa: FBT001
    """A real one, of systemd-stub 257: it has no event of the kernel, and leads to the quoted value, which was not published."""
    path = quotes.ASSETS / "boots" / "257-plain-sb.bin"
    log = parse_event_log(path.read_bytes())
    *before, uki = guests.register_value(log, pcr(4)).events
    assert uki.type == EventType.EV_EFI_BOOT_SERVICES_APPLICATION
    published = sample.complete(*before, replace(uki, cause="UKI"), _images("kernel", "UKI section .linux"))
    measured = replay(log.events, Algorithm.SHA256)[pcr(4)].value
    options, mrtd = _presented(tmp_path, {4: measured}, secure_boot=secure_boot)
    reference = {**IGNORED, MRTD: is_(mrtd), pcr(4): guests.only(published)}
    status, out, _ = run(reference, *options, "--eventlog", str(path))
    assert status is (ExitStatus.HOLDS if secure_boot else ExitStatus.DOES_NOT_HOLD)
    assert ("azure PCR4 since the boot: Secure Boot is on" in out) == secure_boot
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("event log PCR4")] == ["match"]


def test_inspect_recognises_the_paravisors_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a file of its own, and beside a quote."""
    (tmp_path / "hcl").write_bytes(build.hcl_report(build.claims(build.tpm_key())))
    assert main(["inspect", str(tmp_path / "hcl"), "--json"]) is ExitStatus.HOLDS
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert document["hcl_report"]["signature"] == "not verified"
    assert document["hcl_report"]["fields"]["secure-boot"] == "False"
    assert "quote" not in document
    assert main(["inspect", str(build.REAL["coco-v1"])]) is ExitStatus.HOLDS
    lines = capsys.readouterr().out.splitlines()
    assert "HCL report of an Azure guest's paravisor: not verified" in lines
    assert any(line.split() == ["REPORTDATA", REAL_REPORT_DATA] for line in lines)


REAL_REPORT_DATA = read_quote(build.REAL["coco-v1"]).report.report_data.hex()
