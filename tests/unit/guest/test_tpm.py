"""Our few bytes of TPM 2.0, against swtpm and tpm2-tools, and against a TPM that lies."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from builders import swtpm
from builders.tools import require
from teekit_guest import tpm, tpm_quote
from teekit_guest.refusal import Refused
from teekit_guest.tpm import Fields, Tpm, TpmRefused
from teekit_guest.tpm_quote import Attester
from teekit_verify.evidence.tpm import parse_attest, parse_signature, require_signed

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = hashlib.sha256(b"asked").digest()


@pytest.fixture(scope="module")
def exchange() -> Iterator[swtpm.Exchange]:
    with tempfile.TemporaryDirectory() as folder, swtpm.exchange_with(Path(folder), "sha256,sha384") as made:
        yield made


@pytest.fixture
def device(exchange: swtpm.Exchange) -> Iterator[Tpm]:
    """What was loaded goes afterwards, as the kernel's resource manager has it."""
    exchange.record.clear()
    yield Tpm(exchange.ask)
    for command, response in list(exchange.record):
        made = command[6:10] == bytes.fromhex("00000131") and response[6:10] == bytes(4)
        if made:
            exchange.ask(struct.pack(">HII", 0x8001, 14, 0x165) + response[10:14])  # TPM2_FlushContext


def define_nv(device: Tpm, index: int, content: bytes, attributes: int) -> None:
    """TPM2_NV_DefineSpace and TPM2_NV_Write by the owner (part 3, 31.3, 31.7)."""
    public = struct.pack(">IHIHH", index, 0x000B, attributes, 0, len(content))
    device.ask_with_empty_password(0x12A, [0x40000001], struct.pack(">HH", 0, len(public)) + public)
    for offset in range(0, len(content), 512):
        piece = content[offset : offset + 512]
        parameters = struct.pack(">H", len(piece)) + piece + struct.pack(">H", offset)
        device.ask_with_empty_password(0x137, [0x40000001, index], parameters)


def undefine_nv(device: Tpm, index: int) -> None:
    device.ask_with_empty_password(0x122, [0x40000001, index], b"")


OWNER_READS_AND_WRITES = 1 << 1 | 1 << 17
AUTHORISED_READ = 1 << 18


def test_the_banks_it_has(device: Tpm) -> None:
    assert device.banks(15) == ("sha256", "sha384")


def test_extending_both_banks_at_once(device: Tpm) -> None:
    before = {bank: device.value(23, bank) for bank in ("sha256", "sha384")}
    digests = {"sha256": bytes([1]) * 32, "sha384": bytes([2]) * 48}
    device.extend(23, digests)
    for bank, digest in digests.items():
        assert device.value(23, bank) == hashlib.new(bank, before[bank] + digest).digest()


def test_all_pcrs_of_a_bank(device: Tpm) -> None:
    values = device.values(range(24), "sha384")
    assert sorted(values) == list(range(24))
    assert {len(value) for value in values.values()} == {48}
    assert values[17] == b"\xff" * 48  # part 1, 11.6.2: not reset by software


def public_key(public: bytes) -> rsa.RSAPublicKey:
    """TPM2B_PUBLIC of an RSA key of 2048 bits: the modulus is what it ends with."""
    return rsa.RSAPublicNumbers(65537, int.from_bytes(public[-256:], "big")).public_key()


def check_with_tpm2_tools(folder: Path, quote: tpm_quote.Quote, public: bytes) -> None:
    """tpm2_checkquote, which knows nothing of us."""
    (folder / "msg").write_bytes(quote.message)
    (folder / "sig").write_bytes(quote.signature)
    (folder / "pub").write_bytes(public)
    argv = [require("tpm2_checkquote"), "-u", "pub", "-m", "msg", "-s", "sig", "-q", DATA.hex()]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_quote_by_a_key_of_our_own(device: Tpm, tmp_path: Path) -> None:
    attester = Attester(device)
    assert (attester.key.certificate, attester.key.report) == (None, None)
    quote = attester.quote(DATA)
    check_with_tpm2_tools(tmp_path, quote, attester.key.public)
    attest = parse_attest(quote.message)
    require_signed(attest, parse_signature(quote.signature), public_key(attester.key.public))
    assert attest.extra_data == DATA
    assert [register.index for register in attest.pcrs] == list(range(24))
    joined = b"".join(quote.pcrs[number] for number in range(24))
    assert attest.pcr_digest == hashlib.sha256(joined).digest()
    # The same key the next time, as long as the TPM has the same seed.
    assert Attester(device).key.public == attester.key.public


def test_the_key_of_google_cloud_and_its_certificate(device: Tpm, tmp_path: Path) -> None:
    certificate = bytes(range(256)) * 5
    template = bytearray(tpm_quote._TEMPLATE)
    template[-2:] = struct.pack(">H", 256) + b"another key than ours".ljust(256, b"\0")
    own = Attester(device).key.public
    define_nv(device, tpm_quote.GOOGLE_TEMPLATE, bytes(template), OWNER_READS_AND_WRITES | AUTHORISED_READ)
    define_nv(device, tpm_quote.GOOGLE_CERTIFICATE, certificate, OWNER_READS_AND_WRITES)
    try:
        attester = Attester(device)
        assert attester.key.certificate == certificate
        assert attester.key.public != own
        check_with_tpm2_tools(tmp_path, attester.quote(DATA), attester.key.public)
    finally:
        for index in (tpm_quote.GOOGLE_TEMPLATE, tpm_quote.GOOGLE_CERTIFICATE):
            undefine_nv(device, index)


def test_the_key_of_azure_with_report_and_certificate(device: Tpm, tmp_path: Path) -> None:
    report = b"HCLA" + bytes(2000)  # swtpm takes 2048
    handle, _ = device.ask_with_empty_password(
        0x131,
        [0x40000001],
        struct.pack(">HHHH", 4, 0, 0, len(tpm_quote._TEMPLATE)) + tpm_quote._TEMPLATE + struct.pack(">HI", 0, 0),
        returns_handle=True,
    )
    device.ask_with_empty_password(0x120, [0x40000001, handle], struct.pack(">I", tpm_quote.AZURE_KEY))
    define_nv(device, tpm_quote.AZURE_REPORT, report, OWNER_READS_AND_WRITES)
    define_nv(device, tpm_quote.AZURE_CERTIFICATE, b"\x30\x03", OWNER_READS_AND_WRITES)
    try:
        attester = Attester(device)
        assert attester.key.handle == tpm_quote.AZURE_KEY
        assert (attester.key.report, attester.key.certificate) == (report, b"\x30\x03")
        check_with_tpm2_tools(tmp_path, attester.quote(DATA), attester.key.public)
    finally:
        device.ask_with_empty_password(0x120, [0x40000001, tpm_quote.AZURE_KEY], struct.pack(">I", tpm_quote.AZURE_KEY))
        for index in (tpm_quote.AZURE_REPORT, tpm_quote.AZURE_CERTIFICATE):
            undefine_nv(device, index)


@pytest.mark.parametrize("without", [1 << 1, 1 << 16, 1 << 18], ids=["can leave", "signs anything", "signs nothing"])
def test_a_key_that_signs_what_it_is_given_is_no_attestation_key(without: int) -> None:
    public = struct.pack(">HHI", 0x0001, 0x000B, tpm_quote._ATTRIBUTES & ~without)
    with pytest.raises(Refused, match="the TPM's key is no RSA key for attestation"):
        tpm_quote._attesting(public)


def test_what_cannot_be_read_is_not_there(device: Tpm) -> None:
    assert tpm_quote.nv(device, 0x01C10077) is None
    define_nv(device, 0x01C10077, b"x", 1 << 1 | 1 << 2 | 1 << 19)  # who has the policy reads it: nobody
    try:
        assert tpm_quote.nv(device, 0x01C10077) is None
    finally:
        undefine_nv(device, 0x01C10077)


def test_an_error_of_the_tpm_is_told(device: Tpm) -> None:
    with pytest.raises(TpmRefused, match="the TPM answers command 0x182 with error 0x") as caught:
        device.extend(15, {"sha256": bytes(31)})
    assert caught.value.code


def lying(response: bytes) -> Tpm:
    return Tpm(lambda _: response)


def head(content: bytes, tag: int = 0x8001, code: int = 0) -> bytes:
    return struct.pack(">HII", tag, 10 + len(content), code) + content


SELECTION = struct.pack(">IIHB", 1, 1, 0x000B, 3) + b"\0\x80\0"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (b"", "has 0 bytes, less than a header"),
        (head(b"")[:9], "has 9 bytes, less than a header"),
        (head(b"") + b"x", "says that it has 10 bytes, and has 11"),
        (head(b"x")[:-1], "says that it has 11 bytes, and has 10"),
        (head(b"", tag=0x8002), "has tag 0x8002, expected 0x8001"),
        (head(b"", code=0x101), "command 0x17e with error 0x101"),
        (head(SELECTION), "breaks off: 4 bytes expected, 0 left"),
        (head(SELECTION + struct.pack(">I", 2)), "other PCRs of bank sha256 than it was asked for"),
        (head(SELECTION + struct.pack(">IH", 1, 32) + bytes(31)), "breaks off: 32 bytes expected, 31 left"),
        (head(SELECTION + struct.pack(">IH", 1, 32) + bytes(33)), "has 1 bytes more than expected"),
        (head(SELECTION + struct.pack(">IH", 1, 20) + bytes(20)), "is not as long as its hash"),
        (head(SELECTION.replace(b"\0\x80\0", b"\0\x40\0") + struct.pack(">IH", 1, 32) + bytes(32)), "other PCRs"),
        (head(SELECTION.replace(b"\0\x80\0", bytes(3)) + bytes(4)), "other PCRs"),
        (head(struct.pack(">II", 1, 0)), "has no bank sha256"),
    ],
)
def test_a_tpm_that_lies_is_refused(response: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        lying(response).value(15, "sha256")


@pytest.mark.parametrize(
    "content",
    [
        struct.pack(">BII", 1, 5, 0),
        struct.pack(">BII", 0, 6, 0),
        struct.pack(">BII", 0, 5, 0xFFFFFFFF),
        struct.pack(">BII", 0, 5, 1),
        struct.pack(">BIIHB", 0, 5, 1, 0x000B, 255),
        struct.pack(">BII", 0, 5, 0) + b"x",
    ],
)
def test_banks_of_a_tpm_that_lies(content: bytes) -> None:
    with pytest.raises(Refused):
        lying(head(content)).banks(15)


def test_banks_nobody_knows_are_left_out() -> None:
    banks = b"".join(struct.pack(">HB", bank, 3) + b"\0\x80\0" for bank in (0x0012, 0x000C, 0x0027))
    empty = struct.pack(">HB", 0x000B, 3) + bytes(3)
    assert lying(head(struct.pack(">BII", 0, 5, 4) + banks + empty)).banks(15) == ("sha384",)


def test_extending_is_done_only_if_the_tpm_says_so() -> None:
    parameters = struct.pack(">I", 0) + struct.pack(">HBH", 0, 1, 0)
    lying(head(parameters, tag=0x8002)).extend(15, {"sha256": bytes(32)})
    for response in (head(b""), head(struct.pack(">I", 1), tag=0x8002), head(b"\0\0\0\1x", tag=0x8002)):
        with pytest.raises(Refused):
            lying(response).extend(15, {"sha256": bytes(32)})


def test_a_device_that_takes_half_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpm, "DEVICE", tmp_path / "tpmrm0")
    with pytest.raises(Refused, match="tpmrm0 cannot be opened: No such file or directory"), tpm.opened():
        pass
    tpm.DEVICE.touch()
    with tpm.opened() as device, pytest.raises(Refused, match="has 0 bytes, less than a header"):
        device.value(15, "sha256")


def test_memory_in_pieces_of_another_length_is_refused() -> None:
    answers = iter(
        [
            head(struct.pack(">H", 14) + struct.pack(">IHIHH", 7, 11, 1 << 17, 0, 600) + b"\0\0"),
            head(struct.pack(">I", 4) + struct.pack(">H", 2) + b"xx", tag=0x8002),
        ]
    )
    with pytest.raises(Refused, match="gives 2 bytes of its memory, asked for 512"):
        tpm_quote.nv(Tpm(lambda _: next(answers)), 7)


def test_a_tpm_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tpm, "PAUSE_SECONDS", 0.0)
    good = head(SELECTION + struct.pack(">IH", 1, 32) + bytes(32))
    answers = [head(b"", code=0x922), head(b"", code=0x90A), head(b"", code=0x908), good]
    assert Tpm(lambda _: answers.pop(0)).value(15, "sha256") == bytes(32)
    asked: list[bytes] = []

    def never(command: bytes) -> bytes:
        asked.append(command)
        return head(b"", code=0x922)

    with pytest.raises(TpmRefused, match="error 0x922"):
        Tpm(never).value(15, "sha256")
    assert len(asked) == tpm.TRIES


def test_fields_say_what_is_missing() -> None:
    with pytest.raises(Refused, match="2 bytes expected, 1 left"):
        Fields(b"x").number(2)
