from __future__ import annotations

import io
import json
import re

import pytest

from builders import eventlog as build
from teekit_verify.evidence.files import read_evidence
from teekit_verify.report.console import Console
from teekit_verify.report.inspect.evidence import render_evidence, show_evidence

QUOTES = build.ASSETS.parent / "quotes"


def _shown(name: str) -> str:
    out = io.StringIO()
    show_evidence(read_evidence(build.ASSETS / name), Console(out), events=True)
    return out.getvalue()


def test_a_quote_and_its_log_for_people() -> None:
    out = _shown("dstack-quote-report.json")
    assert "TDX quote, version 4, ECDSA-P256; signature: not verified\n" in out
    assert re.search(r"TD attributes +0000001000000000 \(SEPT_VE_DISABLE\)", out)
    assert "CCEL log, 28 events" in out
    assert "runtime event system-ready" in out


def test_a_table_for_people() -> None:
    assert "CCEL table: log area of 262144 bytes at guest address 0xbedbf000\n" in _shown("gcp-cos113-ccel-table.bin")


@pytest.mark.parametrize(("name", "fields"), [("sample-v5.bin", 21), ("phala-v4.bin", 18)])
def test_json_of_quotes(name: str, fields: int) -> None:
    quote = json.loads(render_evidence(read_evidence(QUOTES / name)))["quote"]
    assert quote["signature"] == "not verified"
    assert {"MRTD", "RTMR0", "RTMR3", "REPORTDATA", "MRSEAM", "XFAM"} < set(quote["fields"])
    assert ("MRSERVICETD" in quote["fields"]) == (fields > 20)


def test_json_of_logs_and_tables() -> None:
    document = json.loads(render_evidence(read_evidence(build.ASSETS / "gcp-cos113-ccel-data.bin"), events=True))
    assert document["schema"] == "teekit-verify/evidence/v1"
    assert len(document["event_log"]["events"]) == 43
    document = json.loads(render_evidence(read_evidence(build.ASSETS / "gcp-cos113-ccel-table.bin")))
    assert document["ccel_table"]["log_area_bytes"] == 262144
