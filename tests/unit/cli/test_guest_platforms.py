"""`guest URL` on other kinds of machines: the image's own program as it answers, Azure's, one without hardware, a dummy."""

from __future__ import annotations

import hashlib
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from builders import attestation, azure, given, guests, live_guest, machine_tpm, quotes, swtpm
from builders import documents as sample
from teekit_guest import attestation_answer, events, tsm
from teekit_guest.tpm_quote import Attester
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import model
from teekit_verify.documents.create import dump_reference
from teekit_verify.evidence.quote import DUMMY_MARK
from teekit_verify.local import dummy_quote
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

HELD, DIFFERS, OPEN = ExitStatus.HOLDS, ExitStatus.DOES_NOT_HOLD, ExitStatus.NO_VERDICT
Ask = Callable[..., tuple[ExitStatus, dict[str, Any]]]
GIVEN = given.Given(hostnames=("a.example.org", "b.example.org"))


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    (tmp_path / "manifest.json").write_bytes(given.manifest())
    (tmp_path / "ref.json").write_bytes(live_guest.reference())

    def run(made: live_guest.Machine, *options: str, url: str = "") -> tuple[ExitStatus, dict[str, Any]]:
        words = [
            "--reference",
            str(tmp_path / "ref.json"),
            "--manifest",
            str(tmp_path / "manifest.json"),
            *made.trust(),
        ]
        status = main(["guest", url or made.address(), *words, "--json", *options])
        return status, json.loads(capsys.readouterr().out)

    return run


def refused(document: dict[str, Any]) -> list[str]:
    return [check["name"] for step in document["steps"] for check in step["checks"] if check["outcome"] != "match"]


def theirs(made: live_guest.Machine) -> attestation_answer.Machine:
    """The program of the image, with this machine's registers and logs."""
    return attestation_answer.Machine(*kept_and_quotes(made), None)


def kept_and_quotes(made: live_guest.Machine) -> tuple[attestation_answer.Kept, Callable[[bytes], tsm.Quote]]:
    records = (
        events.record(number, {"rtmr": 3}, event, {"sha384": event.digest("sha384")})
        for number, event in enumerate(events.Event(kind, content) for kind, content in made.given.events)
    )
    kept = attestation_answer.Kept(
        b"".join(records).decode(), made.given.manifests, ",".join(made.given.hostnames), live_guest.boot_log(), None
    )

    def quote(report_data: bytes) -> tsm.Quote:
        body = quotes.body(report_data=report_data, rtmrs=(*live_guest.boot_values(), made.given.value()))
        return tsm.Quote("tdx_guest", quotes.quote(made.authority, report=body))

    return kept, quote


def test_the_image_and_the_verifier_speak_alike(tmp_path: Path, ask: Ask) -> None:
    """What the image's own program answers is taken, and nothing of it was made by the tests' formulas."""
    tls = live_guest.tls_key(tmp_path)
    with live_guest.machine(tmp_path, tls=tls, given=GIVEN) as made:
        program = theirs(made)
        made.mend = lambda fields: fields.update(program.answer(made.asked[-1], made.key))
        status, document = ask(made, "--hostname", "a.example.org", "--hostname", "b.example.org")
    assert (status, refused(document)) == (HELD, [])
    assert {step["outcome"] for step in document["steps"]} == {"match"}


def test_the_images_own_service_with_a_tpm(tmp_path: Path, ask: Ask) -> None:
    """All of it over its own door: HTTP, the answer, a TPM's quote beside the TD's, which was given the same. And where it has no quotes."""
    made = live_guest.Machine(None, tmp_path)
    kept, quote = kept_and_quotes(made)
    with (
        tempfile.TemporaryDirectory() as folder,
        swtpm.tpm_with(Path(folder), "sha256,sha384") as device,
        attestation.doors(quote, Attester(device), kept) as opened,
    ):
        for kind, content in made.given.events:
            device.extend(15, {bank: given.digest(kind, content, bank) for bank in ("sha256", "sha384")})
        status, document = ask(made, "--allow-unchecked", "channel", url=f"http://127.0.0.1:{opened.port}")
    assert (status, refused(document)) == (HELD, [])

    def none(_report_data: bytes) -> tsm.Quote:
        raise tsm.NoTsm("none")

    with attestation.doors(none, None, kept) as opened:
        status, document = ask(made, url=f"http://127.0.0.1:{opened.port}")
    assert (status, document["error"]["code"], document["error"]["status"]) == (OPEN, "not_answered", 503)
    assert "this machine gives no quotes" in document["error"]["message"]


@cache
def tpm_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


BOOTED = {4: hashlib.sha256(b"4").digest(), 9: hashlib.sha256(b"9").digest(), 11: hashlib.sha256(b"11").digest()}


def azure_reference(booted: dict[int, bytes] = BOOTED) -> bytes:
    """The paravisor is known by its MRTD: nothing certifies the key of these tests."""

    def is_(value: bytes) -> model.ReferenceRegister:
        other = sample.sha384("the other bank")
        return guests.only(model.RegisterValue((Digest(Algorithm.SHA256, value), other), "", ()))

    ignored = guests.ignored("another reason")
    registers: dict[Register, model.ReferenceRegister] = {pcr(index): is_(value) for index, value in booted.items()}
    registers |= {pcr(15): ignored, **{rtmr(index): ignored for index in range(4)}}
    registers[MRTD] = guests.only(model.RegisterValue((Digest(Algorithm.SHA384, live_guest.MRTD_VALUE),), "", ()))
    apps = model.Apps("teekit measured v1")
    return dump_reference(replace(sample.reference(), platforms={"azure": registers}, apps=apps))


def on_azure(made: live_guest.Machine, nonce: bytes, *, pcrs: dict[int, bytes] | None = None) -> dict[str, Any]:
    """The TD's quote is over the paravisor's report, the TPM's over the question."""
    report = azure.claims(tpm_key().public_key())
    asked = live_guest.report_data(nonce, made.key)
    values = {**BOOTED, 15: made.given.value("sha256")} if pcrs is None else pcrs
    quoted = azure.tpm_quote(tpm_key(), values, hashlib.sha256(asked).digest())
    signature = bytes.fromhex(quoted["signature"])
    body = quotes.body(report_data=azure.report_data(report), rtmrs=(bytes(48),) * 4)
    return {
        "report_data": asked.hex(),
        "tdx": {"quote": live_guest.b64(quotes.quote(made.authority, report=body)), "ccel": None},
        "tpm": {
            "message": live_guest.b64(bytes.fromhex(quoted["message"])),
            "signature": live_guest.b64(struct.pack(">HHH", 0x14, 0xB, len(signature)) + signature),
            "ak_public": "",
            "ak_certificate": None,
            "event_log": None,
            "hcl_report": live_guest.b64(azure.hcl_report(report)),
            "pcrs": {"sha256": {str(index): value.hex() for index, value in values.items()}},
        },
        "runtime_log": made.given.log(rtmr=False, pcr=True).decode(),
    }


def test_azure(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ref.json").write_bytes(azure_reference())
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        made.mend = lambda fields: fields.update(on_azure(made, made.asked[-1]))
        status, document = ask(made)
        assert (status, document["platform"]) == (HELD, "azure")
        assert "nonce of the vTPM's quote" in [check["name"] for check in document["steps"][3]["checks"]]
        assert document["runs"]["apps"][0]["app"] == given.URL
        made.mend = lambda fields: fields.update(on_azure(made, bytes(32)))
        status, document = ask(made)
        assert (status, refused(document)) == (DIFFERS, ["nonce of the vTPM's quote"]), "an old answer"
        made.given = given.Given((given.manifest(b"another app"),))
        made.mend = lambda fields: fields.update(on_azure(made, made.asked[-1]))
        status, document = ask(made)
        assert (status, refused(document)) == (DIFFERS, ["manifest 0", "app 0"])
        made.mend = lambda fields: fields.update(on_azure(made, made.asked[-1], pcrs=BOOTED))
        status, document = ask(made)
    assert (status, refused(document)) == (OPEN, ["what it runs"]), "PCR 15 was not quoted"


def test_azure_with_the_log_of_its_boot(tmp_path: Path, ask: Ask) -> None:
    """PCR 15 is in a log of its own, and so not missed in that of the boot."""
    values = {number: machine_tpm.extended(content) for number, content in machine_tpm.BOOT.items()}
    (tmp_path / "ref.json").write_bytes(azure_reference(values))

    def mend(fields: dict[str, Any]) -> None:
        fields.update(on_azure(made, made.asked[-1], pcrs={**values, 15: made.given.value("sha256")}))
        fields["tpm"]["event_log"] = live_guest.b64(machine_tpm.boot_log(boot))

    boot = dict(machine_tpm.BOOT)
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        made.mend = mend
        status, document = ask(made)
        assert (status, refused(document)) == (HELD, [])
        boot[9] = b"another command line"
        status, document = ask(made)
    assert (status, refused(document)) == (DIFFERS, ["event log PCR9"])


def test_azure_with_pcrs_that_were_not_signed(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "ref.json").write_bytes(azure_reference())

    def mend(fields: dict[str, Any]) -> None:
        fields.update(on_azure(made, made.asked[-1], pcrs={**BOOTED, 15: bytes(32)}))
        fields["tpm"]["pcrs"]["sha256"]["15"] = made.given.value("sha256").hex()

    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        made.mend = mend
        status, document = ask(made)
    assert (status, refused(document)) == (DIFFERS, ["PCR values are the signed ones"])


def test_the_certificate_of_an_azure_key(tmp_path: Path, ask: Ask) -> None:
    """Alone it says nothing, as its issuers are elsewhere. With issuers it is asked for, and must lead to Microsoft's root."""
    (tmp_path / "ref.json").write_bytes(azure_reference())
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        der = made.authority.ca.public_bytes(Encoding.DER)

        def mend(fields: dict[str, Any]) -> None:
            fields.update(on_azure(made, made.asked[-1]))
            fields["tpm"]["ak_certificate"] = live_guest.b64(der)

        made.mend = mend
        assert ask(made)[0] is HELD
        status, document = ask(made, "--vtpm-issuer", str(tmp_path / "root.pem"))
    assert (status, refused(document)) == (DIFFERS, ["vTPM's key is certified by Microsoft"])


def test_a_machine_without_any_quote(tmp_path: Path, ask: Ask) -> None:
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:
        made.mend = lambda fields: fields.update(tdx=None)
        status, document = ask(made)
    assert (status, document["error"]["code"]) == (OPEN, "unsupported_input")
    assert "the machine has neither a TDX quote nor a TPM quote" in document["error"]["message"]


def test_a_dummy_quote_is_named(tmp_path: Path, ask: Ask) -> None:
    """It is what a machine without TDX gives: everything else is shown, and it is refused."""
    assert dummy_quote.MARK == DUMMY_MARK
    signer = dummy_quote.DummySigner.create(quotes.NOW)
    values = (*live_guest.boot_values(), given.Given().value())
    registers = {rtmr(index): Digest(Algorithm.SHA384, value) for index, value in enumerate(values)}
    (tmp_path / "ref.json").write_bytes(live_guest.reference({"MRTD": bytes(48)}))
    with live_guest.machine(tmp_path, tls=live_guest.tls_key(tmp_path)) as made:

        def mend(fields: dict[str, Any]) -> None:
            asked = live_guest.report_data(made.asked[-1], made.key)
            fields["tdx"]["quote"] = live_guest.b64(signer.quote(asked, registers))

        made.mend = mend
        status, document = ask(made)
    assert status is DIFFERS
    assert document["reasons"][0] == "this is a dummy quote, for trying things out: no hardware made it"
    steps = {step["step"]: step["outcome"] for step in document["steps"]}
    assert (steps["authentic"], steps["acceptable"]) == ("mismatch", "match")
    assert [steps[name] for name in ("bound", "logs", "registers", "apps")] == ["match"] * 4
