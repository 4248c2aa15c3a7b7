"""Recorded facts: the committed file is whole and agrees with real evidence; a wrong file is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import eventlog
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.evidence.files import read_log
from teekit_verify.prediction.gcp_facts import load_gcp
from teekit_verify.prediction.tdhob import GIB
from teekit_verify.registers.registers import rtmr

FILE = Path(__file__).parents[3] / "reference" / "platforms" / "gcp.json"
FACTS = load_gcp()


def test_every_fact_names_its_source() -> None:
    sources = [FACTS.sections.source, *(fact.source for fact in FACTS.machines)]
    sources += [fact.source for fact in FACTS.acpi] + [fact.source for fact in FACTS.firmware]
    assert [text for text in sources if " at " not in text and "go-tdx-guest testing/testdata" not in text] == []


def test_every_acpi_set_is_of_a_machine_on_record() -> None:
    assert {fact.machine for fact in FACTS.acpi} <= {fact.name for fact in FACTS.machines}


def test_the_machine_of_a_real_log_is_on_record() -> None:
    """A c3-standard-4 of 2024: its log has the recorded ACPI digests and configuration volume, its quote the MRTD."""
    log = read_log(eventlog.ASSETS / "gcp-cos113-ccel-data.bin", table=eventlog.ASSETS / "gcp-cos113-ccel-table.bin")
    digests = [event.digests[0] for event in log.events if event.register == rtmr(0)]
    quote = (eventlog.ASSETS / "gcp-cos113-quote.bin").read_bytes()
    release = FACTS.by_mrtd(Digest(Algorithm.SHA384, quote[48 + 136 :][:48]))
    assert release is not None
    assert release.cfv == digests[1]
    seen = next(fact for fact in FACTS.acpi_of("c3-standard-4") if fact.label == "ACPI tables before 2026-03")
    assert [seen.loader, seen.rsdp, seen.tables] == digests[8:11]


def test_machines() -> None:
    machine = FACTS.machine("c3-standard-176")
    assert (machine.memory_bytes, machine.numa_nodes) == (704 * GIB, 4)
    with pytest.raises(UnsupportedInputError, match=r"the machine type 'c3-\\x1bx' is not on record") as caught:
        FACTS.machine("c3-\x1bx")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Name one of c3-standard-4, c3-standard-8,")
    assert FACTS.acpi_of("c3-standard-176") == ()


def test_firmware_by_file() -> None:
    """The pairing is the one in MEASUREMENTS and flashbots/dstack-mr-gcp internal/consts.go at b16e08b3."""
    digest = Digest.from_hex(
        Algorithm.SHA384,
        "f53fdf89544e1e6d785eee42d0a4bb38e26b36e951be537ac22114d210f2d5239eba243dd71991afe8345e7020974a46",
    )
    release = FACTS.by_file(digest)
    assert release is not None
    assert release.mrtd is not None
    assert release.mrtd.hex.startswith("feb7486608382c1f")
    assert FACTS.by_file(Digest.zero(Algorithm.SHA384)) is None
    assert FACTS.by_mrtd(Digest.zero(Algorithm.SHA384)) is None


def _write(path: Path, change: dict[str, Any]) -> Path:
    path.write_text(json.dumps({**json.loads(FILE.read_text()), **change}))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "teekit-verify/gcp-facts/v2"}, "schema: expected 'teekit-verify/gcp-facts/v1'"),
        ({"more": 1}, "more: unknown field"),
        ({"machines": [{"name": "x", "memory_gib": 0, "numa_nodes": 1, "source": ""}]}, r"machines\[0\].memory_gib"),
        (
            {"sections": {"ranges": [{"address": 0, "size_bytes": 1}], "cfv": 1, "td_hob": 0, "source": ""}},
            "must be pos",
        ),
        (
            {"firmware": [{"label": "x", "seen": "May", "second_separator": False, "source": ""}]},
            r"firmware\[0\]\.seen",
        ),
        (
            {"acpi": []},
            "firmware: 'firmware of COS 113 logs, two separators' names 'ACPI tables before 2026-03', ACPI t",
        ),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        load_gcp(_write(tmp_path / "gcp.json", change))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="there are no recorded facts of Google Cloud: no file"):
        load_gcp(tmp_path / "none.json")
