"""The log of what a guest runs: read as it is written, and nothing else; registers and digests by hashlib (builders.given)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from builders import given
from teekit_verify.cli.app import main
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.runtime_log import parse_runtime_log

GIVEN = given.Given(hostnames=("a.example.org",))


def test_both_registers() -> None:
    logs = parse_runtime_log(GIVEN.log(pcr=True)).logs
    assert [log.events[0].register.name for log in logs] == ["RTMR3", "PCR15"]
    assert [[bank.value for bank in log.algorithms] for log in logs] == [["sha384"], ["sha256", "sha384"]]
    assert all(status is TextStatus.VERIFIED for log in logs for status in text_statuses(log.events))


def test_a_machine_with_neither_register_has_an_empty_log() -> None:
    assert parse_runtime_log(b"").events == ()


def test_a_bank_of_sha1_is_passed_over() -> None:
    records = GIVEN.records(rtmr=False, pcr=True)
    for record in records:
        record["digests"].append({"hashAlg": "sha1", "digest": "00" * 20})
    (log,) = parse_runtime_log(given.sequence(records)).logs
    assert [bank.value for bank in log.algorithms] == ["sha256", "sha384"]


def changed(number: int = 0, **changes: Any) -> bytes:
    """`field=None` leaves it out."""
    records = GIVEN.records()
    records[number] = {name: value for name, value in {**records[number], **changes}.items() if value is not None}
    return given.sequence(records)


DIGEST = GIVEN.records()[0]["digests"][0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}" + GIVEN.log(), "expected the separator 0x1e before each record"),
        (b"\x1e{}\x1e", "record 1: JSON"),
        (b"\x1e[]\n", "record 0 at offset 0x0: expected an object"),
        (b"\x1e" + b"[" * 5000, "nested too deeply"),
        (changed(recnum=1), "record 0: recnum"),
        (changed(1, recnum=True), "record 1"),
        (changed(rtmr=2), "expected rtmr 3"),
        (changed(rtmr=None, pcr=16), "expected pcr 15"),
        (changed(pcr=15), "record 0"),
        (changed(note=""), "record 0 at offset 0x0: its fields are not those"),
        (changed(content_type="systemd"), "record 0"),
        (changed(content={"type": "app", "bytes": "!"}), "record 0: content.bytes"),
        (changed(content={"type": "app", "bytes": 7}), "record 0: content.bytes"),
        (changed(content={"type": "a b", "bytes": ""}), "record 0: content.type"),
        (changed(content={"type": "app", "bytes": "", "string": ""}), "record 0: content"),
        (changed(digests=[]), "record 0: digests at offset 0x0: there is none"),
        (changed(digests=[DIGEST, DIGEST]), "a bank occurs twice"),
        (changed(digests=[{**DIGEST, "digest": "00"}]), "record 0: digests"),
        (changed(digests=["sha384"]), "record 0: digests"),
        (b"\x1e{}" * 1001, "expected at most 1000"),
        (b'\x1e{"recnum": 0, "recnum": 0}', "occurs twice"),
    ],
)
def test_what_is_otherwise_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        parse_runtime_log(data)
    assert words in caught.value.message


def test_replay_and_inspect_show_both_registers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runtime-log"
    path.write_bytes(GIVEN.log(pcr=True))
    assert main(["replay", str(path), "--json"]) is ExitStatus.HOLDS
    document = json.loads(capsys.readouterr().out)
    (other,) = document["more_event_logs"]
    assert document["registers"] == {"RTMR3": {"sha384": GIVEN.value().hex()}}
    assert other["registers"] == {"PCR15": {"sha256": GIVEN.value("sha256").hex(), "sha384": GIVEN.value().hex()}}
    assert main(["replay", str(path), "--kind", "tpm", "--json"]) is ExitStatus.HOLDS
    assert "PCR15" in json.loads(capsys.readouterr().out)["registers"]
    assert main(["inspect", str(path), "--events"]) is ExitStatus.HOLDS
    out = capsys.readouterr().out
    assert GIVEN.value().hex() in out
    assert GIVEN.value("sha256").hex() in out
    assert "hostnames a.example.org" in out
    assert main(["replay", str(path), "--events"]) is ExitStatus.HOLDS
    assert sum(" verified " in line for line in capsys.readouterr().out.splitlines()) == 8


@pytest.mark.parametrize("place", ["rtmr", "pcr"])
def test_a_text_that_was_changed_is_forged(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = GIVEN.records(pcr=True)
    record = next(it for it in records if place in it and it["content"]["type"] == "app")
    record["content"]["bytes"] = base64.b64encode(b"0 " + b"00" * 32).decode()
    (tmp_path / "log").write_bytes(given.sequence(records))
    assert main(["replay", str(tmp_path / "log"), "--events"]) is ExitStatus.DOES_NOT_HOLD
    assert "FORGED" in capsys.readouterr().out
