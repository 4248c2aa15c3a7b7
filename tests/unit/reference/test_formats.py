"""The contract of `reference.formats.FORMATS`: each recogniser accepts its sample and no other's, and refuses unknown fields."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders import documents as sample
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.documents import create
from teekit_verify.reference.formats import FORMATS, load_published, read_source, recognise
from teekit_verify.reference.formats.base import Format
from teekit_verify.reference.google_signature import TrustedRoot, load_certificate

ASSETS = Path(__file__).parents[2] / "assets"
FOLDER = ASSETS / "formats"
AT = datetime(2026, 10, 1, tzinfo=UTC)
ROOT = TrustedRoot(load_certificate(FOLDER / "GCE-cc-tcb-root_1.pem"), AT)

# For each format its samples: published files, and for our own what the tests' builders make.
SAMPLES: dict[str, list[Path | bytes]] = {
    "native": [create.dump_reference(sample.reference()), Path("reference/base+debian-kernel.json")],
    "measurements": [create.dump_measurements(sample.measurements())],
    "dstack_mr": [FOLDER / "dstack-mr.json"],
    "dstack_mr_gcp": [FOLDER / "dstack-mr-gcp.json"],
    "dstack_tcb_info": [FOLDER / "dstack-tcb-info.json"],
    "measured_boot": [FOLDER / "measured-boot.json"],
    "flashbots": [FOLDER / "flashbots-measurements.json", FOLDER / "flashbots-buildernet.json"],
    "pcrlock": [FOLDER / "350-action-efi-application.pcrlock", ASSETS / "pcrlock" / "lock-uki-small.pcrlock"],
    "gce_endorsement": [FOLDER / "gce-endorsement.binarypb"],
    "portable": [FOLDER / "portable-gcp.json"],
    "tinfoil": [FOLDER / "tinfoil-statement.json", FOLDER / "tinfoil-measurement.json"],
    "contrast": [FOLDER / "contrast-manifest.json"],
    "rvps": [FOLDER / "rvps.json", FOLDER / "rvps-message.json"],
    "corim": [FOLDER / "td.corim"],
    "go_tdx_guest": [FOLDER / "go-tdx-guest.textproto"],
}
# Where a field that nobody knows is put into a JSON sample, and how the error names it.
UNKNOWN: dict[str, list[tuple[tuple[str | int, ...], str]]] = {
    "native": [((), "surprise"), (("platforms", "uefi-vtpm", "PCR4"), "platforms.uefi-vtpm.PCR4.surprise")],
    "measurements": [((), "surprise"), (("artifact",), "artifact.surprise")],
    "dstack_mr": [((), "surprise")],
    "dstack_mr_gcp": [((), "surprise")],
    "measured_boot": [
        ((), "surprise"),
        (("measurements", "4"), "measurements.4.surprise"),
        (("EventLog",), "EventLog.surprise"),
        (("EventLog", "Events", 0), "EventLog.Events[0].surprise"),
    ],
    "flashbots": [((0,), "[0].surprise"), ((2, "measurements", "1"), "[2].measurements.1.surprise")],
    "pcrlock": [
        ((), "surprise"),
        (("records", 0), "records[0].surprise"),
        (("records", 0, "digests", 1), "records[0].digests[1].surprise"),
    ],
    "portable": [((), "surprise"), (("dcap",), "dcap.surprise")],
    "tinfoil": [
        ((), "surprise"),
        (("predicate",), "predicate.surprise"),
        (("predicate", "tdx_measurement"), "predicate.tdx_measurement.surprise"),
    ],
    "contrast": [
        ((), "surprise"),
        (("ReferenceValues",), "ReferenceValues.surprise"),
        (("ReferenceValues", "tdx", 0), "ReferenceValues.tdx[0].surprise"),
    ],
}
# Protocol buffers (test_gce_endorsement, test_other_formats), CBOR (test_corim), and names that anybody may choose.
ELSEWHERE = {"corim", "dstack_tcb_info", "gce_endorsement", "go_tdx_guest", "rvps"}


def _name(item: Format) -> str:
    return item.recognises.__module__.rpartition(".")[2]


def _path(source: Path | bytes, folder: Path) -> Path:
    if isinstance(source, bytes):
        path = folder / "sample.json"
        path.write_bytes(source)
        return path
    return source if source.is_absolute() else Path(__file__).parents[3] / source


@pytest.mark.parametrize("item", FORMATS, ids=_name)
def test_a_format_reads_its_samples_and_no_other_recognises_them(item: Format, tmp_path: Path) -> None:
    for data in SAMPLES[_name(item)]:
        path = _path(data, tmp_path)
        source = read_source(path, ROOT)
        assert [other.name for other in FORMATS if other.recognises(source)] == [item.name]
        published = load_published(path, ROOT)
        assert published.format == item.name
        assert all(values.platforms and all(values.platforms.values()) for values in published.values)


def test_every_sample_belongs_to_a_format() -> None:
    assert sorted(SAMPLES) == sorted(map(_name, FORMATS))
    assert sorted({*UNKNOWN, *ELSEWHERE}) == sorted(SAMPLES)


@pytest.mark.parametrize(
    ("name", "place", "message"), [(name, place, message) for name in UNKNOWN for place, message in UNKNOWN[name]]
)
def test_a_field_that_nobody_knows_is_refused_by_its_path(
    name: str, place: tuple[str | int, ...], message: str, tmp_path: Path
) -> None:
    fields: Any = json.loads(_path(SAMPLES[name][0], tmp_path).read_bytes())
    inner = fields
    for step in place:
        inner = inner[step]
    inner["surprise"] = 1
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(TeekitError, match=r"^.*: ([^;]*; )*" + message.replace("[", r"\[") + ": unknown field"):
        load_published(path, ROOT)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"[1]", b"null", b"hello", b"\n\x05\n\x03abc\x1a\x01x", b"\x04\x00"]
)
def test_a_file_that_nobody_recognises_is_an_error_that_says_where_the_formats_are(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(data)
    with pytest.raises(UnsupportedInputError, match=r"odd: is not a reference file of a known format") as caught:
        load_published(path, ROOT)
    assert caught.value.hint is not None
    assert "docs/formats.md" in caught.value.hint
    assert len(caught.value.hint) < 160


def test_a_newer_schema_of_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "newer.json"
    path.write_text('{"schema": "teekit-verify/reference/v2"}')
    with pytest.raises(
        UnsupportedInputError, match=r"newer\.json: schema: expected .*found 'teekit-verify/reference/v2'"
    ):
        load_published(path)


def test_a_file_that_two_recognise_is_an_error() -> None:
    source = read_source(FOLDER / "dstack-mr.json")
    known = recognise(source)
    with pytest.raises(TeekitError, match=r"could be a file of several formats: dstack-mr JSON and twin"):
        recognise(source, (known, replace(known, name="twin")))


def test_a_list_of_nothing_publishes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text("[]")
    with pytest.raises(UnsupportedInputError, match="is not a reference file of a known format"):
        load_published(path)
