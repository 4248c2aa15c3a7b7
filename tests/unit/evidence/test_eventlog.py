from __future__ import annotations

import re
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from builders.tools import require
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.eventlog import LeftOut, LeftOutBank, LogKind, parse_event_log
from teekit_verify.evidence.files import read_log
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import pcr, rtmr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

BOTH = (build.SHA256, build.SHA384)
COS_CCEL = build.ASSETS / "gcp-cos113-ccel-data.bin"
OVMF_LOG = build.ASSETS / "ovmf-swtpm-uki.bin"
ACTION = build.measured(4, 0x80000007, b"Calling EFI Application from Boot Option", *BOTH)
SEPARATOR = build.measured(5, 4, bytes(4), *BOTH)
LOG = build.header(*BOTH) + ACTION + SEPARATOR
NO_DIGESTS = {build.SHA256: bytes(32), build.SHA384: bytes(48)}


def test_ccel_of_a_gcp_machine_replays_to_its_quote() -> None:
    log = read_log(COS_CCEL)
    quoted = build.quote_rtmrs((build.ASSETS / "gcp-cos113-quote.bin").read_bytes())
    values = replay(log.events, Algorithm.SHA384)
    assert [values[rtmr(index)].value for index in range(3)] == list(quoted[:3])
    assert rtmr(3) not in values
    assert quoted[3] == bytes(48)


def test_log_of_a_dstack_machine_replays_to_its_quote() -> None:
    data, quote = build.dstack_report()
    values = replay(parse_event_log(data).events, Algorithm.SHA384)
    assert [values[rtmr(index)].value for index in range(4)] == list(build.quote_rtmrs(quote))


@pytest.mark.parametrize("data", [OVMF_LOG.read_bytes(), LOG], ids=["OVMF", "made"])
def test_tpm2_eventlog_agrees(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(data)
    output = subprocess.run([require("tpm2_eventlog"), path], capture_output=True, text=True, check=True).stdout
    listed, _, registers = output.partition("\npcrs:\n")
    log = read_log(path)
    for algorithm in (Algorithm.SHA256, Algorithm.SHA384):
        ours = {(register.index, value.hex) for register, value in replay(log.events, algorithm).items()}
        assert ours == _registers(registers, algorithm)
    first, *others = re.findall(r"PCRIndex: (\d+)\n  EventType: (\w+)", listed)
    assert first == ("0", "EV_NO_ACTION")
    theirs = [(int(index), name) for index, name in others]
    assert [(event.register.index, event.event_type) for event in log.events] == [
        (index, _number(name)) for index, name in theirs
    ]
    digests = re.findall(r'AlgorithmId: (\w+)\n    Digest: "(\w+)"', listed)
    assert [(digest.algorithm.value, digest.hex) for event in log.events for digest in event.digests] == digests


def _registers(yaml: str, algorithm: Algorithm) -> set[tuple[int, str]]:
    """The bank of tpm2_eventlog's `pcrs:`, lines such as `    4  : 0x1234`."""
    bank = re.search(rf"  {algorithm.value}:\n((?:    .*\n)+)", yaml)
    assert bank is not None
    return {(int(number), value.lower()) for number, value in re.findall(r"(\d+)\s*: 0x(\w+)", bank.group(1))}


def _number(name: str) -> int:
    return EventType[name].value


def test_events_carry_registers_digests_and_data() -> None:
    log = parse_event_log(LOG)
    assert log.kind is LogKind.TPM
    assert log.algorithms == (Algorithm.SHA256, Algorithm.SHA384)
    assert log.size_bytes == len(LOG)
    action, separator = log.events
    assert action.register == pcr(4)
    assert action.data == b"Calling EFI Application from Boot Option"
    # these two digests are the ones of the events' specification strings, as many public logs show them
    assert action.digest(Algorithm.SHA256).hex == "3d6772b4f84ed47595d72a2c4c5ffd15f5bb72c7507fe26f2aaee2c69d5633ba"
    assert separator.digest(Algorithm.SHA384).hex.startswith("394341b7182cd227")


@pytest.mark.parametrize("end", [b"", build.END, build.END * 99, bytes(1), bytes(4), bytes(12), bytes(300)])
def test_a_log_ends_at_the_end_of_data_or_at_padding(end: bytes) -> None:
    log = parse_event_log(LOG + end)
    assert len(log.events) == 2
    assert log.size_bytes == len(LOG)


@pytest.mark.parametrize("end", [build.END + b"x", bytes(12) + b"x"])
def test_what_follows_a_log_must_be_padding(end: bytes) -> None:
    with pytest.raises(MalformedInputError, match=r"padding at offset 0x[0-9a-f]+: .* neither 0x00 nor 0xff"):
        parse_event_log(LOG + end)
    assert parse_event_log(LOG + end, ignore_what_follows=True).size_bytes == len(LOG)


def test_windows_ends_its_log_with_records_of_no_register() -> None:
    """A record as in a log of Windows 10: register 0xffffffff, EV_NO_ACTION."""
    trust_point = build.record(0xFFFFFFFF, 3, NO_DIGESTS, b"\4\0\1\xc0\0\0\0\0")
    log = parse_event_log(LOG + trust_point)
    assert (len(log.events), log.events) == (2, parse_event_log(LOG).events)
    with pytest.raises(MalformedInputError, match="padding at offset"):
        parse_event_log(LOG + trust_point[:-1])


def test_register_zero_of_a_ccel_is_mrtd() -> None:
    log = parse_event_log(build.header(build.SHA384) + build.record(0, 4, {build.SHA384: b"\1" * 48}), LogKind.CCEL)
    assert log.events[0].register.name == "MRTD"


def test_a_sha384_log_with_high_pcrs_is_a_tpm_log() -> None:
    log = parse_event_log(build.header(build.SHA384) + build.measured(7, 4, bytes(4), build.SHA384))
    assert log.kind is LogKind.TPM


def test_a_startup_locality_without_its_byte() -> None:
    log = parse_event_log(build.header(*BOTH) + build.record(0, 3, NO_DIGESTS, b"StartupLocality\0"))
    with pytest.raises(TeekitError, match="the StartupLocality event of PCR0 has 16 bytes, expected 17"):
        replay(log.events, Algorithm.SHA256)


def test_a_bank_of_zeros_is_left_out_by_name() -> None:
    record = build.record(7, 4, {build.SM3: bytes(32), build.SHA256: b"\1" * 32})
    log = parse_event_log(build.header(build.SM3, build.SHA256) + record)
    assert log.algorithms == (Algorithm.SHA256,)
    assert log.left_out == (LeftOutBank("sm3", LeftOut.EMPTY),)


def test_an_sm3_bank_is_replayed() -> None:
    """GB/T 32905-2016, A.1: the digest of "abc"."""
    abc = bytes.fromhex("66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
    log = parse_event_log(build.header(build.SM3) + build.record(7, 5, {build.SM3: abc}, b"abc"))
    assert log.algorithms == (Algorithm.SM3,)
    assert text_statuses(log.events) == (TextStatus.VERIFIED,)
    assert len(replay(log.events, Algorithm.SM3)[pcr(7)].value) == 32


def test_a_bank_that_an_event_lacks_is_left_out_and_the_others_are_replayed() -> None:
    lacking = build.measured(5, 4, bytes(4), build.SHA256)
    log = parse_event_log(build.header(*BOTH) + ACTION + lacking)
    assert log.algorithms == (Algorithm.SHA256,)
    assert log.left_out == (LeftOutBank("sha384", LeftOut.INCOMPLETE, FIRST + len(ACTION)),)
    assert len(replay(log.events, Algorithm.SHA256)) == 2


@pytest.mark.parametrize("identifier", [0x27, 0x7777])
def test_a_log_of_unknown_banks_only_is_refused_by_name(identifier: int) -> None:
    build.SIZES[identifier] = 32
    data = build.header(identifier) + build.record(7, 4, {identifier: b"\1" * 32}, bytes(4))
    name = {0x27: "SHA3-256", 0x7777: "algorithm 0x7777"}[identifier]
    with pytest.raises(UnsupportedInputError, match=f"no bank .* {name}: its algorithm is not known"):
        parse_event_log(data)


def _tpm12(register: int, event_type: int, data: bytes) -> bytes:
    return struct.pack("<II", register, event_type) + b"\1" * 20 + struct.pack("<I", len(data)) + data


@pytest.mark.parametrize(
    "first",
    [
        _tpm12(0, 8, "x".encode("utf-16-le")),
        _tpm12(0, 3, b"Spec ID Event02\0" + bytes(12)),
        _tpm12(0, 3, b"StartupLocality\0\3"),
    ],
)
def test_every_log_of_sha1_only_gets_the_same_message(first: bytes) -> None:
    with pytest.raises(UnsupportedInputError, match=r"^this event log has SHA-1 digests only"):
        parse_event_log(first + _tpm12(0, 4, bytes(4)) + _tpm12(4, 5, b"x"))


def _with_u32(data: bytes, offset: int, value: int) -> bytes:
    return data[:offset] + struct.pack("<I", value) + data[offset + 4 :]


FIRST = len(build.header(*BOTH))
BROKEN = {
    "empty": (b"", "first record: register at offset 0x0: needs 4 bytes, 0 are left"),
    "cut signature": (build.first_record(b"Spec"), "signature at offset 0x20: needs 16 bytes, 4 are left"),
    "TPM 1.2 log": (
        build.first_record(build.spec_id(build.SHA1, signature=b"Spec ID Event02\0")),
        "signature at offset 0x20: expected .*Event03.*, found .*Event02",
    ),
    "other type": (build.first_record(b"", event_type=8), r"event type at offset 0x8: expected 3 .* found 0x8"),
    "huge first event": (_with_u32(LOG, 28, 0xFFFFFFF0), "first record: event at offset 0x20: needs 4294967280 bytes"),
    "no algorithms": (build.header(), "number of algorithms at offset 0x3c: expected 1 to 16, found 0"),
    "many algorithms": (_with_u32(LOG, 56, 0x10000000), "expected 1 to 16, found 268435456"),
    "algorithm twice": (build.header(build.SHA256, build.SHA256), "0xb is listed twice"),
    "wrong size": (_with_u32(LOG, 60, 0x0030000B), "digest size at offset 0x40: 48 bytes for algorithm 0xb"),
    "size zero": (_with_u32(LOG, 60, 0x00000077), "digest size at offset 0x40: 0 bytes for algorithm 0x77"),
    "size huge": (_with_u32(LOG, 60, 0xFFFF0077), "65535 bytes for algorithm 0x77"),
    "Spec ID too long": (build.first_record(build.spec_id(build.SHA256) + b"x"), "1 bytes too many"),
    "vendor info cut": (build.first_record(build.spec_id(build.SHA256)[:-1] + b"\x09"), "vendor information at"),
    "register": (_with_u32(LOG, FIRST, 32), "record: register at offset 0x49: there is no register 0x20"),
    "register of a TPM": (_with_u32(LOG, FIRST, 24), "register at offset 0x45: a TPM log has no register 24"),
    "no digests": (_with_u32(LOG, FIRST + 8, 0), "number of digests at offset 0x51: expected 1 to 2, found 0"),
    "many digests": (_with_u32(LOG, FIRST + 8, 0xFFFFFFFF), "expected 1 to 2, found 4294967295"),
    "unlisted": (
        build.header(build.SHA256) + build.record(4, 4, {build.SHA384: bytes(48)}),
        "digest algorithm at offset 0x4f: 0xc is not listed in the Spec ID event",
    ),
    "cut": (LOG[:-1], "record: event at offset 0x135: needs 4 bytes, 3 are left"),
    "huge event": (_with_u32(LOG, len(LOG) - 8, 0xFFFFFFFF), "needs 4294967295 bytes, 4 are left"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_log_names_offset_and_field(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(MalformedInputError, match=message):
        parse_event_log(data)


def test_one_digest_twice_in_a_record() -> None:
    twice = struct.pack("<III", 4, 4, 2) + (struct.pack("<H", build.SHA256) + bytes(32)) * 2 + bytes(4)
    with pytest.raises(MalformedInputError, match="0xb appears twice"):
        parse_event_log(build.header(*BOTH) + twice)


def test_a_ccel_has_no_register_beyond_rtmr3() -> None:
    data = build.header(build.SHA384) + build.record(5, 4, {build.SHA384: b"\1" * 48})
    with pytest.raises(MalformedInputError, match="a CCEL log has no register 5"):
        parse_event_log(data, LogKind.CCEL)


def _size_or_offset(data: bytes) -> int:
    """How far the parser got: to the end of the log, or to the offset in its error. Any other exception is a failure."""
    try:
        return parse_event_log(data, ignore_what_follows=True).size_bytes
    except MalformedInputError as error:
        return error.offset


@given(st.binary(max_size=200))
def test_any_bytes_after_a_header_parse_or_raise_our_error(tail: bytes) -> None:
    data = build.header(*BOTH) + tail
    assert _size_or_offset(data) <= len(data)


def test_every_cut_of_a_real_log_parses_or_raises_our_error() -> None:
    data = COS_CCEL.read_bytes()[:18101]
    for size in range(0, len(data), 7):
        assert _size_or_offset(data[:size]) <= size


def test_reading_a_file_that_is_missing_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="none: cannot be read: No such file"):
        read_log(tmp_path / "none")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(TeekitError, match="large: has more than 16 MiB, too large for an event log"):
        read_log(large)
