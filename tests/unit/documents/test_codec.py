"""Documents survive writing and reading; anything else than a well-formed document is refused with the field's path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import documents as sample
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import create, load, model
from teekit_verify.documents.codec import MAX_DOCUMENT_BYTES, json_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _reference_json() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(create.dump_reference(sample.reference()))
    return fields


def _load(path: Path, fields: object) -> model.Reference:
    path.write_text(json.dumps(fields))
    return load.load_reference(path)


def test_reference_survives_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "ref.json"
    path.write_bytes(create.dump_reference(sample.reference()))
    assert load.load_reference(path) == sample.reference()


def test_measurements_survive_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "measurements.json"
    path.write_bytes(create.dump_measurements(sample.measurements()))
    assert load.load_measurements(path) == sample.measurements()


def test_inputs_survive_the_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "inputs.json"
    path.write_bytes(create.dump_inputs(sample.inputs()))
    assert load.load_inputs(path) == sample.inputs()


def test_bytes_do_not_depend_on_the_order_in_memory() -> None:
    measured = sample.measurements()
    turned = sample.measurements(
        platforms={name: dict(reversed(registers.items())) for name, registers in reversed(measured.platforms.items())}
    )
    data = create.dump_measurements(measured)
    assert create.dump_measurements(turned) == data
    text = data.decode()
    assert text.index('"PCR4"') < text.index('"PCR11"'), "natural order"
    assert text.startswith('{\n  "schema": "teekit-verify/measurements/v1"')
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")


def test_values_in_json_are_the_known_ones() -> None:
    register = json.loads(create.dump_measurements(sample.measurements()))["platforms"]["uefi-vtpm"]["PCR4"]
    assert register["values"] == {"sha256": sample.PCR4_SHA256, "sha384": sample.PCR4_SHA384}
    assert [event["type"] for event in register["events"]] == ["EV_EFI_ACTION", "EV_SEPARATOR"]
    assert register["missing"] == ""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda fields: fields.update(extra=1), "extra: unknown field"),
        (lambda fields: fields.pop("release"), "release: missing field"),
        (
            lambda fields: fields.update(commit="HEAD"),
            'commit: expected text that matches ^([0-9a-f]{40}|[0-9a-f]{64})$, found "HEAD"',
        ),
        (lambda fields: fields["inputs"].update(note=""), "inputs.note: unknown field"),
        (lambda fields: fields["inputs"]["environment"].update(nar_hash="x"), "inputs.environment.nar_hash: "),
        (lambda fields: fields["inputs"].update(lock_sha256="AB" * 32), "must be 64 lower case hexadecimal digits"),
        (lambda fields: fields["inputs"].update(lock_sha256=5), "inputs.lock_sha256: must be 64 lower case"),
        (lambda fields: fields["inputs"]["source_files"][0].update(kind="fifo"), "inputs.source_files[0].kind: "),
        (
            lambda fields: fields["inputs"]["packages"].append(fields["inputs"]["packages"][0]),
            "inputs.packages: the package 'bash 1.0-1 (amd64)' is listed twice",
        ),
        (
            lambda fields: fields["artifacts"][0].update(size_bytes=-1),
            "artifacts[0].size_bytes: expected at least 0, found -1",
        ),
        (
            lambda fields: fields["artifacts"][0].update(size_bytes=True),
            "artifacts[0].size_bytes: expected a whole number, found true",
        ),
        (
            lambda fields: fields["artifacts"][0].update(size_bytes="1"),
            'artifacts[0].size_bytes: expected a whole number, found "1"',
        ),
        (
            lambda fields: fields["artifacts"][0].update(size_bytes=1.0),
            "artifacts[0].size_bytes: expected a whole number, found 1.0",
        ),
        (
            lambda fields: fields["artifacts"][1].update(name=fields["artifacts"][0]["name"]),
            "artifacts: the artifact 'tdx-debian.efi' is listed twice",
        ),
        (lambda fields: fields["platforms"].update({"No Such": {}}), "platforms.No Such"),
        (
            lambda fields: fields["platforms"]["tdx"].update(RTMR7=fields["platforms"]["tdx"]["RTMR1"]),
            "platforms.tdx.RTMR7",
        ),
        (
            lambda fields: fields["platforms"]["tdx"]["RTMR1"].update(policy="maybe"),
            "platforms.tdx.RTMR1.policy: expected 'match', 'any-of' or 'ignore', found \"maybe\"",
        ),
    ],
)
def test_damaged_references_are_refused_with_the_path_of_the_field(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object], message: str
) -> None:
    fields = _reference_json()
    damage(fields)
    with pytest.raises(TeekitError) as caught:
        _load(tmp_path / "ref.json", fields)
    assert message in caught.value.message
    assert caught.value.message.startswith(str(tmp_path / "ref.json"))


def _pcr4(fields: dict[str, Any]) -> dict[str, Any]:
    register: dict[str, Any] = fields["platforms"]["uefi-vtpm"]["PCR4"]
    return register


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda register: register.update(policy="ignore"), "policy 'ignore' takes a reason"),
        (lambda register: register.update(policy="ignore", reason=" "), "policy 'ignore' takes a reason"),
        (lambda register: register.update(acceptable=[]), "policy 'match' takes exactly one acceptable value, found 0"),
        (
            lambda register: register.update(policy="any-of", acceptable=[]),
            "policy 'any-of' takes at least one acceptable value, found none",
        ),
        (
            lambda register: register["acceptable"].append(register["acceptable"][0] | {"label": "another"}),
            "policy 'match' takes exactly one acceptable value, found 2",
        ),
        (
            lambda register: register["acceptable"].append(register["acceptable"][0]),
            "acceptable: the label 'rebuild' is listed twice",
        ),
        (
            lambda register: register["acceptable"][0]["register"].update(values=None, missing="unknown", events=[]),
            "the acceptable value 'rebuild' has neither values nor events",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["values"].update(sha256="00" * 32),
            "PCR4.acceptable[0].register: the events do not replay to the sha256 value",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["events"].pop(),
            "the events do not replay to the sha256 value",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["events"][1]["digests"].pop("sha384"),
            "event 1 has other banks than the register",
        ),
        (
            lambda register: register["acceptable"][0]["register"].update(missing="but why"),
            "either 'values' is given or 'missing' says why it is not",
        ),
        (
            lambda register: register["acceptable"][0]["register"].update(values=None),
            "either 'values' is given or 'missing' says why it is not",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["values"].update(md5="00"),
            "must be an object with one digest for each bank",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["values"].update(sha256="00" * 48),
            "must be 64 lower case hexadecimal digits (sha256)",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["events"][0].update(type="EV_NO_SUCH"),
            "events[0].type: must be the name of a TCG event type",
        ),
        (
            lambda register: register["acceptable"][0]["register"]["events"][0].update(type="0x0000000d"),
            "events[0].type: must be the name of a TCG event type",
        ),
    ],
)
def test_registers_whose_fields_disagree_are_refused(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object], message: str
) -> None:
    fields = _reference_json()
    damage(_pcr4(fields))
    with pytest.raises(TeekitError) as caught:
        _load(tmp_path / "ref.json", fields)
    assert message in caught.value.message


def test_ignore_with_a_reason_and_no_value_is_a_reference(tmp_path: Path) -> None:
    fields = _reference_json()
    _pcr4(fields).update(policy="ignore", reason="the provider's firmware", acceptable=[])
    register = next(iter(_load(tmp_path / "ref.json", fields).platforms["uefi-vtpm"].values()))
    assert (register.policy, register.reason) == (model.Policy.IGNORE, "the provider's firmware")


def test_an_event_type_without_a_name_is_kept(tmp_path: Path) -> None:
    fields = _reference_json()
    _pcr4(fields)["acceptable"][0]["register"]["events"][0]["type"] = "0x08000001"
    reference = _load(tmp_path / "ref.json", fields)
    register = next(iter(reference.platforms["uefi-vtpm"].values()))
    assert register.acceptable[0].register.events[0].type == 0x08000001
    assert '"type": "0x08000001"' in create.dump_reference(reference).decode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"\x00" * 100, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "it has no field 'schema'"),
        (b"{}", "it has no field 'schema'"),
        (b'{"schema": null}', "schema: expected 'teekit-verify/reference/v1', found 'None'"),
        (b'{"schema": "teekit-verify/reference/v2"}', "found 'teekit-verify/reference/v2'"),
        (b'{"schema": "teekit-verify/measurements/v1"}', "found 'teekit-verify/measurements/v1'"),
        (b'{"schema": "a\\u001b[31m"}', r"found 'a\x1b[31m'"),
        (b'{"schema": "teekit-verify/reference/v1"}', "release: missing field"),
        (b'{"schema": 1, "schema": "teekit-verify/reference/v1"}', "the key 'schema' occurs twice in one object"),
        (b'{"schema": NaN}', "NaN is not a JSON number"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"schema": 1, "a": ' + b"[" * 190 + b"]" * 190 + b"}", "found '1'"),
        (b'{"schema": "teekit-verify/reference/v1", "a": ' + b"[" * 250 + b"]" * 250 + b"}", "nested too deeply"),
        (b"[" + b"{}," * 150_000 + b"{}]", "has more than 200000 values"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "is not JSON"),
    ],
)
def test_rubbish_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "ref.json"
    path.write_bytes(data)
    with pytest.raises(TeekitError) as caught:
        load.load_reference(path)
    assert message in caught.value.message


def test_a_huge_sparse_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "ref.json"
    with path.open("wb") as stream:
        stream.truncate(2 << 30)
    with pytest.raises(TeekitError, match=f"has more than {MAX_DOCUMENT_BYTES >> 20} MiB"):
        load.load_reference(path)


def test_unreadable_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="cannot be read: No such file"):
        load.load_reference(tmp_path / "none.json")
    with pytest.raises(TeekitError, match="cannot be read: Is a directory"):
        load.load_reference(tmp_path)


def test_only_the_first_errors_are_listed(tmp_path: Path) -> None:
    fields = _reference_json() | {f"field{number}": 1 for number in range(20)}
    with pytest.raises(TeekitError, match="field4: unknown field; and 15 more"):
        _load(tmp_path / "ref.json", fields)


def test_json_paths() -> None:
    assert json_path(()) == "$"
    assert json_path(("platforms", "uefi", "PCR4", "acceptable", 0, "label")) == (
        "platforms.uefi.PCR4.acceptable[0].label"
    )
    assert json_path(("a\x1b[31m",)) == r"a\x1b[31m"


@given(st.data())
def test_one_flipped_byte_is_refused_or_means_something_else(data: st.DataObject) -> None:
    """A flipped byte is an error of ours, or (in a name or a digest) another value: never a crash, never the same value."""
    original = bytearray(create.dump_reference(sample.reference()))
    position = data.draw(st.integers(0, len(original) - 1))
    original[position] ^= 1 << data.draw(st.integers(0, 7))
    try:
        loaded = load.parse_reference(bytes(original), "ref")
    except TeekitError:
        return
    white_space = b" \n\t\r"
    assert loaded != sample.reference() or original[position] in white_space


def test_what_could_not_be_read_again_is_not_written() -> None:
    reference = create.create_reference(release="", commit=None, build=sample.build(), measurements=[])
    with pytest.raises(TeekitError, match='the new reference: release: expected a length of at least 1, found ""'):
        create.dump_reference(reference)
