"""`replay` through main(argv): values against a quote and against swtpm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from builders import eventlog as build
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

CCEL = str(build.ASSETS / "gcp-cos113-ccel-data.bin")
TABLE = str(build.ASSETS / "gcp-cos113-ccel-table.bin")
TPM_LOG = str(build.ASSETS / "ovmf-swtpm-uki.bin")
QUOTED = build.quote_rtmrs((build.ASSETS / "gcp-cos113-quote.bin").read_bytes())


@pytest.mark.parametrize("options", [[], ["--table", TABLE], ["--kind", "ccel"]])
def test_a_ccel_replays_to_the_registers_of_its_quote(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CCEL, "--json", *options]) is ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "CCEL"
    assert document["registers"] == {f"RTMR{index}": {"sha384": QUOTED[index].hex()} for index in range(3)}
    assert "events" not in document


def test_a_tpm_log_replays_to_the_pcrs_of_its_tpm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", TPM_LOG, "--json", "--events"]) is ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    recorded = json.loads((build.ASSETS / "ovmf-swtpm-uki.pcrs.json").read_text())
    names = [f"PCR{index}" for index in (0, 1, 2, 3, 4, 5, 6, 7, 9, 11)]
    assert list(document["registers"]) == names
    for name in names:
        assert document["registers"][name] == {bank: recorded[bank][name] for bank in ("sha256", "sha384")}
    assert len(document["events"]) == 40
    assert document["events"][-1] == {
        "register": "PCR5",
        "type": "EV_EFI_ACTION",
        "description": '"Exit Boot Services Returned with Success"',
        "text": "verified",
        "digests": {
            "sha256": "b54f7542cbd872a81a9d9dea839b2b8d747c7ebd5ea6615c40f42f44a6dbeba0",
            "sha384": "0a2e01c85deae718a530ad8c6d20a84009babe6c8989269e950d8cf440c6e997695e64d455c4174a652cd080f6230b74",
        },
        "data": b"Exit Boot Services Returned with Success".hex(),
    }


def test_tables_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CCEL]) is ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert out.startswith("CCEL log, 43 events, 18101 bytes; other registers are not extended\n")
    assert QUOTED[2].hex() in out
    assert "EV_IPL" not in out
    assert main(["replay", CCEL, "--events"]) is ExitStatus.HOLDS
    assert "grub_cmd: gptpriority hd0 2 prioA" in capsys.readouterr().out


QUOTE = str(build.ASSETS / "gcp-cos113-quote.bin")
DSTACK = str(build.ASSETS / "dstack-quote-report.json")


@pytest.mark.parametrize(("log", "quote"), [(CCEL, QUOTE), (DSTACK, DSTACK)])
def test_log_and_quote_of_one_machine(log: str, quote: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", log, "--quote", quote]) is ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert "EQUAL: the event log replays to the quote's RTMRs (the quote's signature is not verified)" in out
    assert main(["replay", log, "--quote", quote, "--json"]) is ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_status"], document["quote"]["signature"]) == (0, "not verified")
    assert [check["outcome"] for check in document["quote"]["checks"]] == ["match"] * 4


def test_quote_of_another_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CCEL, "--quote", DSTACK]) is ExitStatus.DOES_NOT_HOLD
    out = capsys.readouterr().out
    assert "not checked not in this log, which does not have everything" in out
    assert "DIFFERENT: this is not the event log of the quote's RTMRs" in out


def test_against_another_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", CCEL, "--against", CCEL]) is ExitStatus.HOLDS
    assert "EQUAL: both event logs have the same events" in capsys.readouterr().out
    assert main(["replay", CCEL, "--against", DSTACK, "--json"]) is ExitStatus.DOES_NOT_HOLD
    differences = json.loads(capsys.readouterr().out)["against"]["differences"]
    assert differences[0].endswith("the TD HOB differs: another memory size, or firmware with other sections")
    assert main(["replay", CCEL, "--quote", QUOTE, "--against", DSTACK]) is ExitStatus.DOES_NOT_HOLD


def test_quote_of_a_machine_and_the_log_of_a_tpm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", TPM_LOG, "--quote", QUOTE]) is ExitStatus.NO_VERDICT
    assert "a TPM event log has PCRs, and a TDX quote has RTMRs" in capsys.readouterr().err
    assert main(["replay", CCEL, "--quote", TABLE]) is ExitStatus.NO_VERDICT
    assert "quote: version at offset 0x0: expected 4 or 5" in capsys.readouterr().err


def test_registers_that_the_named_kind_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", TPM_LOG, "--kind", "ccel"]) is ExitStatus.NO_VERDICT
    assert "a CCEL log has no register 7" in capsys.readouterr().err


def test_what_is_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", TABLE, "--json"]) is ExitStatus.NO_VERDICT
    assert "event log: first record" in json.loads(capsys.readouterr().out)["error"]["message"]


def test_a_log_with_a_forged_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Secure Boot is said to be on; the digests lead to the quote all the same."""
    data, name = Path(CCEL).read_bytes(), "SecureBoot".encode("utf-16-le")
    place = data.index(name) + len(name)
    path = tmp_path / "forged"
    path.write_bytes(data[:place] + b"\1" + data[place + 1 :])
    for options in ([], ["--quote", QUOTE], ["--against", str(path)]):
        assert main(["replay", str(path), *options]) is ExitStatus.DOES_NOT_HOLD
        out = capsys.readouterr().out
        assert "event log text, event 3 (RTMR0): mismatch: FORGED: its digest is not that of its text, " in out
        assert "EQUAL" not in out
    assert main(["replay", str(path), "--json", "--events"]) is ExitStatus.DOES_NOT_HOLD
    document = json.loads(capsys.readouterr().out)
    assert (document["forged"], document["exit_status"], document["events"][2]["text"]) == ([3], 1, "forged")


def test_texts_say_whether_their_digest_covers_them(capsys: pytest.CaptureFixture[str]) -> None:
    main(["replay", CCEL, "--events"])
    rows = capsys.readouterr().out.splitlines()
    for text, status in (("variable PK", "verified"), ("MokListX", "not covered"), ("grub_cmd: gptprio", "content")):
        assert any(text in row and status in row for row in rows), text


def test_rtmr3_that_a_log_of_the_boot_cannot_have(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    data = bytearray(Path(QUOTE).read_bytes())
    data[48 + 328 + 3 * 48] = 1
    path = tmp_path / "quote"
    path.write_bytes(data)
    assert main(["replay", CCEL, "--quote", str(path)]) is ExitStatus.NO_VERDICT
    assert "not checked not in this log" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["dstack-attestation.bin", "ima-ng.txt"])
def test_other_logs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(build.ASSETS / name), "--json"]) is ExitStatus.HOLDS
    assert json.loads(capsys.readouterr().out)["texts"]["forged"] == 0
