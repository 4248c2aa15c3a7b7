"""tinfoil, Contrast, RVPS, go-tdx-guest: what they say, and what is refused. Expected: their sources, and a quote of Phala's."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import documents as sample
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import model
from teekit_verify.evidence.quote import read_quote
from teekit_verify.reference.formats import go_tdx_guest, load_published, rvps
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

if TYPE_CHECKING:
    from teekit_verify.documents.model import ReferenceRegister

ASSETS = Path(__file__).parents[2] / "assets"
FOLDER = ASSETS / "formats"
REPORT = read_quote(ASSETS / "quotes" / "phala-v4.bin").report
RTMRS = tuple(map(rtmr, range(4)))
ZERO = "00" * 48


def _digests(register: ReferenceRegister) -> list[str]:
    return [digest.hex for value in register.acceptable for digest in value.register.values or ()]


def _quoted(*registers: Any) -> dict[Any, list[str]]:
    return {register: [REPORT.value(register).hex] for register in registers}


def _stated(path: Path, platform: str) -> dict[Any, list[str]]:
    (values,) = load_published(path).values
    return {register: _digests(item) for register, item in values.platforms[platform].items()}


def _saved(tmp_path: Path, fields: object) -> Path:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(fields))
    return path


def test_a_tcb_info_of_dstack_has_the_registers_that_its_log_replays_to() -> None:
    path = FOLDER / "dstack-tcb-info.json"
    replayed = {register: bytes(48) for register in RTMRS}
    for event in json.loads(path.read_text())["event_log"]:
        register = rtmr(event["imr"])
        replayed[register] = hashlib.sha384(replayed[register] + bytes.fromhex(event["digest"])).digest()
    stated = _stated(path, "qemu")
    assert stated.pop(MRTD)[0].startswith("f06dfda6dce1cf90")
    assert stated == {register: [value.hex()] for register, value in replayed.items()}


def test_contrast_has_all_five_registers_and_shows_the_rest() -> None:
    assert _stated(FOLDER / "contrast-manifest.json", "qemu") == _quoted(MRTD, *RTMRS)
    (values,) = load_published(FOLDER / "contrast-manifest.json").values
    assert values.name == "Metal-QEMU-TDX (tdx[0])"
    assert values.not_compared == (
        ("XFAM", "e700060000000000"),
        ("least TCB evaluation", "17"),
        ("MRCONFIGID of a workload", "5f" * 32),
    )


def test_the_values_that_come_with_contrast(tmp_path: Path) -> None:
    manifest = json.loads((FOLDER / "contrast-manifest.json").read_text())
    values = {
        "contrast-cc-metal-qemu-tdx-0badc0de": manifest["ReferenceValues"],
        "contrast-cc-k3s-qemu-snp-1": {"snp": []},
    }
    assert _stated(_saved(tmp_path, values), "qemu") == _quoted(MRTD, *RTMRS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "tdx: has no reference values of TDX"),
        ({"snp": [{"TrustedMeasurement": "aa"}]}, "tdx: has no reference values of TDX"),
        (
            {"tdx": [{"MrTd": "", "Rtmrs": [ZERO] * 4}]},
            r"ReferenceValues\.tdx\[0\]\.MrTd: must be 96 hexadecimal digits",
        ),
        ({"tdx": [{"MrTd": ZERO, "Rtmrs": [ZERO] * 3}]}, r"ReferenceValues\.tdx\[0\]\.Rtmrs"),
        ({"tdx": [{"MrTd": ZERO, "Rtmrs": [ZERO] * 4, "Xfam": "7"}]}, r"ReferenceValues\.tdx\[0\]\.Xfam"),
    ],
)
def test_contrast_without_registers_is_refused(tmp_path: Path, values: object, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        load_published(_saved(tmp_path, {"ReferenceValues": values}))


@pytest.mark.parametrize("name", ["rvps.json", "rvps-message.json"])
def test_rvps_lists_what_each_register_may_be(name: str) -> None:
    quoted = _quoted(MRTD, rtmr(1), rtmr(2))
    assert _stated(FOLDER / name, "qemu") == quoted | {rtmr(2): [*quoted[rtmr(2)], ZERO]}
    (values,) = load_published(FOLDER / name).values
    assert values.not_compared == (("xfam", '["e700060000000000"]'),)


def test_rvps_as_it_is_stored_and_pcrs_of_azure(tmp_path: Path) -> None:
    """ear_default_policy_cpu.rego: az-tdx-vtpm asks for mr_td and tdx_pcr11; reference_value.rs: the stored form."""
    stored = [
        {"name": "mr_td", "expiration": "2099-12-31T00:00:00Z", "value": ["AB" * 48]},
        {"name": "tdx_pcr11", "version": "0.1.0", "value": "11" * 32},
        {"name": "snp_pcr11", "value": "22" * 32},
    ]
    (values,) = load_published(_saved(tmp_path, stored)).values
    assert {name: {str(item) for item in registers} for name, registers in values.platforms.items()} == {
        "azure": {"MRTD", "PCR11"}
    }
    assert _digests(values.platforms["azure"][MRTD]) == ["ab" * 48]
    assert _digests(values.platforms["azure"][pcr(11)]) == ["11" * 32]
    assert [name for name, _ in values.not_compared] == ["mr_td is valid until", "snp_pcr11"]


def _message(payload: object, kind: str = "sample") -> dict[str, object]:
    text = payload if isinstance(payload, str) else base64.b64encode(json.dumps(payload).encode()).decode()
    return {"type": kind, "payload": text}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rtmr_1": []}, "rtmr_1: expected 1 to 1000 values, found 0: no guest could match"),
        ({"rtmr_1": [ZERO] * 1001}, "rtmr_1: expected 1 to 1000 values, found 1001"),
        ({"rtmr_1": [1]}, "rtmr_1: must be 96 hexadecimal digits"),
        ({"rtmr_1": "..."}, "rtmr_1: must be 96 hexadecimal digits"),
        ([{"name": "rtmr_1", "value": ZERO}] * 2, "rtmr_1: is RTMR1 a second time"),
        ([{"name": "kernel", "value": ZERO}], r"\$: has none of the names mr_td, rtmr_0"),
        (_message({"rtmr_1": ZERO}, "in-toto"), r"\[0\]: type: expected 'sample', found 'in-toto'"),
        (_message("%"), r"\[0\]: payload: is not Base64"),
        (_message([1]), r"\[0\]: payload: expected an object"),
        ([_message({"rtmr_1": ZERO}) | {"surprise": 1}], r"\[0\]: surprise: unknown field"),
        ([{"name": "rtmr_1", "value": ZERO, "surprise": 1}], r"\[0\]: surprise: unknown field"),
    ],
)
def test_rvps_that_no_guest_could_match_is_refused(tmp_path: Path, fields: object, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        load_published(_saved(tmp_path, fields))


def test_tinfoil_has_two_registers_and_rtmr3_stays_zero() -> None:
    """tinfoil-conformance, vectors 120 and 121: a guest whose RTMR3 is not zero does not match."""
    wanted = {rtmr(1): ["bb" * 48], rtmr(2): ["cc" * 48], rtmr(3): [ZERO]}
    for name in ("tinfoil-statement.json", "tinfoil-measurement.json"):
        assert _stated(FOLDER / name, "qemu") == wanted
        (values,) = load_published(FOLDER / name).values
        assert values.not_compared == (("SEV-SNP measurement", "aa" * 48),)


def test_tinfoils_predicate_alone_and_a_list_of_a_tdx_guest(tmp_path: Path) -> None:
    predicate = json.loads((FOLDER / "tinfoil-statement.json").read_text())["predicate"]
    deployment = predicate | {"cmdline": "root=/dev/mapper/root", "hashes": {"kernel": "00"}, "config": "Zm9v"}
    assert _stated(_saved(tmp_path, deployment), "qemu")[rtmr(1)] == ["bb" * 48]
    guest = {
        "type": "https://tinfoil.sh/predicate/tdx-guest/v2",
        "registers": [item.hex for item in map(REPORT.value, (MRTD, *RTMRS))],
    }
    assert _stated(_saved(tmp_path, guest), "qemu") == _quoted(MRTD, *RTMRS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "https://tinfoil.sh/predicate/sev-snp-guest/v2", "registers": [ZERO]}, "type: expected one of"),
        (
            {"type": "https://tinfoil.sh/predicate/tdx-guest/v2", "registers": [ZERO] * 4},
            "registers: expected 5 of this type",
        ),
        ({"predicateType": "https://tinfoil.sh/predicate/sev-snp-guest/v2", "predicate": {}}, "predicateType: "),
        ({"snp_measurement": ZERO}, "tdx_measurement: missing field"),
        ({"snp_measurement": ZERO, "tdx_measurement": {"rtmr1": ZERO}}, r"tdx_measurement\.rtmr2: missing field"),
    ],
)
def test_tinfoil_without_registers_of_tdx_is_refused(tmp_path: Path, fields: object, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        load_published(_saved(tmp_path, fields))


def _field(number: int, *chunks: bytes) -> bytes:
    """A length-delimited field (protobuf.dev, Encoding), of up to 16,383 bytes each."""
    return b"".join(
        bytes([number << 3 | 2])
        + (bytes([len(item)]) if len(item) < 128 else bytes([len(item) & 127 | 128, len(item) >> 7]))
        + item
        for item in chunks
    )


def _policy(*parts: bytes) -> bytes:
    return _field(1, _field(2, b"".join(parts)))


def test_a_policy_of_go_tdx_guest_as_text_and_as_bytes(tmp_path: Path) -> None:
    text = FOLDER / "go-tdx-guest.textproto"
    assert _stated(text, "tdx") == _quoted(MRTD, *RTMRS)
    (values,) = load_published(text).values
    assert values.not_compared == (
        ("minimum_qe_svn", "0"),
        ("qe_vendor_id", "939a7233f79c4ca9940a0db3957f0607"),
        ("xfam", "e700060000000000"),
    )
    path = tmp_path / "policy.bin"
    rtmrs = _field(9, *(REPORT.value(register).value for register in RTMRS))
    path.write_bytes(_policy(_field(11, REPORT.value(MRTD).value, bytes(48)), rtmrs, _field(4, b"\xe7" + bytes(7))))
    assert _stated(path, "tdx") == _quoted(MRTD, *RTMRS) | {MRTD: [REPORT.value(MRTD).hex, ZERO]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"policy { td_quote_body_policy { } }", "would accept every guest"),
        (b"td_quote_body_policy { mr_td: 'short' }", "mr_td: expected 48 bytes, found 5"),
        (b"td_quote_body_policy { rtmrs: ['" + b"x" * 48 + b"'] }", "rtmrs: expected none or 4, found 1"),
        (b"td_quote_body_policy { mr_td: 1 }", "mr_td: expected a string"),
        (b"td_quote_body_policy { surprise: 1 }", r"td_quote_body_policy\.surprise: unknown field"),
        (b"policy { td_quote_body_policy { } surprise: 1 }", r"policy\.surprise: unknown field"),
        (b"td_quote_body_policy { xfam: 'a' xfam: 'b' }", "xfam: occurs more than once"),
        (b"td_quote_body_policy { } td_quote_body_policy { }", "td_quote_body_policy: expected one message"),
        (b"td_quote_body_policy { mr_td: '\\400' }", "has an escape that stands for no byte"),
        (b"td_quote_body_policy { mr_td 'x' }", "expected a colon or a message"),
        (b"td_quote_body_policy { mr_td: 'x'", "ends too early"),
        (b"td_quote_body_policy " + b"{ " * 30_000, "has more than 20000 words"),
        (b"td_quote_body_policy { mr_td: 1.5 }", "is not a protocol buffer as text"),
        (b"td_quote_body_policy " + b"{ td_quote_body_policy " * 50, "more than 8 levels"),
        (
            b"td_quote_body_policy { mr_td: '" + b"x" * 48 + b"' any_mr_td: '" + b"y" * 48 + b"' }",
            "any_mr_td: does not list mr_td",
        ),
        (_policy(_field(9, bytes(48))), "rtmrs: expected none or 4, found 1"),
        (_policy(_field(5, bytes(47))), "mr_td: expected 48 bytes, found 47"),
    ],
)
def test_a_policy_that_checks_nothing_or_cannot_be_read_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "policy.textproto"
    path.write_bytes(data)
    with pytest.raises(TeekitError, match=message):
        load_published(path)


def _measurements(platform: str, **registers: model.RegisterValue) -> model.Measurements:
    return sample.measurements(platforms={platform: {Register(name): value for name, value in registers.items()}})


def _known(register: Any) -> model.RegisterValue:
    return model.RegisterValue((REPORT.value(register),), "", ())


def test_written_reference_values_are_those_that_are_read(tmp_path: Path) -> None:
    every = {str(register): _known(register) for register in (MRTD, *RTMRS)}
    path = tmp_path / "written"
    path.write_bytes(rvps.write(_measurements("qemu", **every)))
    assert json.loads(path.read_text())["rtmr_1"] == [REPORT.value(rtmr(1)).hex]
    assert _stated(path, "qemu") == _quoted(MRTD, *RTMRS)
    path.write_bytes(go_tdx_guest.write(_measurements("qemu", **every)))
    assert _stated(path, "tdx") == _quoted(MRTD, *RTMRS)


def test_nothing_is_written_that_would_accept_more_than_was_predicted() -> None:
    every = {str(register): _known(register) for register in (MRTD, *RTMRS)}
    unknown = model.RegisterValue(None, "the GPT was not given", ())
    tied = model.RegisterValue(None, "one of 1", (), (model.AcceptableValue("a", _known(MRTD), ("group",)),))
    for write in (rvps.write, go_tdx_guest.write):
        with pytest.raises(TeekitError, match=r"qemu RTMR1: is not known, .*: the GPT was not given"):
            write(_measurements("qemu", **every | {"RTMR1": unknown}))
        with pytest.raises(TeekitError, match="qemu MRTD: its values belong together"):
            write(_measurements("qemu", **every | {"MRTD": tied}))
        with pytest.raises(
            TeekitError, match="this format is for one kind of TDX machine, but these were measured: uefi-vtpm"
        ):
            write(_measurements("uefi-vtpm", PCR4=sample.PCR4))
    with pytest.raises(TeekitError, match="takes MRTD and one value of each RTMR"):
        go_tdx_guest.write(_measurements("qemu", **every | {"RTMR0": unknown}))
