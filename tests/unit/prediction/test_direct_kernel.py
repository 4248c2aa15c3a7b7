from __future__ import annotations

import hashlib
import struct
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import eventlog as build
from builders.bzimage import KERNEL_BYTES, build_bzimage
from builders.pe import CERTIFICATE_ENTRY_OFFSET, CHECKSUM_OFFSET
from builders.tools import require
from teekit_verify.boot.acpi import argv
from teekit_verify.boot.qtest import FwCfgItem, QtestClient, fw_cfg_read
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.process import started
from teekit_verify.evidence.dstack import parse_dstack_log
from teekit_verify.prediction.direct_kernel import (
    DirectBoot,
    kernel_release,
    load_options,
    patched_kernel,
    predict_direct_boot,
)
from teekit_verify.prediction.edk2 import Edk2
from teekit_verify.registers.registers import pcr, rtmr

MIB = 1 << 20
KERNEL = build_bzimage()
OLD, NEW = Edk2(202502), Edk2(202508)
SETUP_SIZE, SETUP_DATA, KERNEL_SIZE, KERNEL_DATA = 0x17, 0x18, 0x08, 0x11  # QEMU docs/specs/fw_cfg.rst


def _of_qemu(kernel: bytes, initrd: bytes | None, memory_mib: int) -> bytes:
    """The kernel as stock QEMU hands it to firmware."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "kernel").write_bytes(kernel)
        options = ["-nodefaults", "-display", "none", "-machine", "q35", "-m", f"{memory_mib}M", "-append", "quiet"]
        options += ["-kernel", str(folder / "kernel")]
        if initrd is not None:
            (folder / "initrd").write_bytes(initrd)
            options += ["-initrd", str(folder / "initrd")]
        words = argv(require("qemu-system-x86_64"), options, folder)
        with started(words, log=folder / "log") as process:
            deadline = time.monotonic() + 600
            while not (folder / "qtest.sock").exists():
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with QtestClient(folder / "qtest.sock") as qtest:
                return b"".join(
                    fw_cfg_read(qtest, FwCfgItem(data, struct.unpack("<I", fw_cfg_read(qtest, FwCfgItem(size, 4)))[0]))
                    for size, data in ((SETUP_SIZE, SETUP_DATA), (KERNEL_SIZE, KERNEL_DATA))
                )


@pytest.mark.parametrize(
    ("kernel", "initrd", "memory_mib"),
    [
        (KERNEL, None, 512),
        (KERNEL, b"x" * 5000, 512),
        (KERNEL, b"x" * 4096, 2048),
        (KERNEL, b"x" * 5000, 2815),
        (KERNEL, b"x" * 5000, 2816),
        (build_bzimage(flags=0), b"x" * 5000, 4096),
        (build_bzimage(flags=0, initrd_limit=0x37FFFFFF), b"x" * 5000, 2048),
        (build_bzimage(setup_sectors=0), b"x" * 5000, 512),
        (build_bzimage(setup_sectors=40), b"x" * 5000, 512),
    ],
    ids=["no initrd", "initrd", "page", "below the hole", "hole", "limit 2 GiB", "limit", "4 sectors", "long setup"],
)
def test_the_header_as_stock_qemu_writes_it(kernel: bytes, initrd: bytes | None, memory_mib: int) -> None:
    expected = _of_qemu(kernel, initrd, memory_mib)
    size = None if initrd is None else len(initrd)
    assert patched_kernel(kernel, "quiet", size, memory_mib * MIB) == expected
    assert DirectBoot(kernel, "quiet", initrd, memory_mib * MIB).loaded_kernel() == expected
    assert DirectBoot(kernel, "quiet", initrd).loaded_kernel() == kernel


def test_events_in_the_order_of_a_real_guest() -> None:
    """A dstack guest of 64 GiB with edk2 before stable202505: RTMR1 and RTMR2 of its log, but for kernel and initrd."""
    log = parse_dstack_log((build.ASSETS / "dstack-quote-report.json").read_bytes()).events
    for prediction in predict_direct_boot(DirectBoot(KERNEL, "quiet", b"initrd"), OLD)[2:]:
        real = [event for event in log if event.register == prediction.register]
        assert [event.event_type for event in prediction.events] == [event.event_type for event in real]
        for ours, theirs in zip(prediction.events, real, strict=True):
            if ours.data:
                assert ours.data == theirs.data
            if not ours.cause.startswith(("kernel", "initrd", "command line")):
                assert ours.digests == theirs.digests


def test_digests() -> None:
    boot = DirectBoot(KERNEL, "quiet", b"initrd")
    values = {prediction.register: prediction for prediction in predict_direct_boot(boot, OLD)}
    options, initrd = values[rtmr(2)].events
    assert options.digests[0].value == hashlib.sha384("quiet initrd=initrd\0".encode("utf-16-le")).digest()
    assert initrd.digests[0].value == hashlib.sha384(b"initrd").digest()
    tpm = values[pcr(9)].events
    assert tpm[0].digest(Algorithm.SHA384) == options.digests[0]
    assert tpm[1].digest(Algorithm.SHA256).value == hashlib.sha256(b"initrd").digest()
    assert values[pcr(4)].events[0].digest(Algorithm.SHA384) == values[rtmr(1)].events[0].digests[0]


def test_authenticode_of_the_kernel_as_osslsigncode_computes_it(tmp_path: Path) -> None:
    path = tmp_path / "kernel"
    boot = DirectBoot(KERNEL, "quiet", b"initrd", 512 * MIB)
    path.write_bytes(boot.loaded_kernel())
    program = require("osslsigncode")
    signed = tmp_path / "signed"
    result = subprocess.run(
        [program, "extract-data", "-h", "sha384", "-in", path, "-out", signed], capture_output=True, check=False
    )
    digest = predict_direct_boot(boot, OLD)[2].events[0].digests[0]
    assert result.returncode == 0
    assert digest.value in signed.read_bytes()


def test_a_vtpm_takes_the_kernels_events() -> None:
    predictions = {item.register: item for item in predict_direct_boot(DirectBoot(KERNEL), OLD, vtpm=True)}
    assert predictions[rtmr(2)].events == ()
    assert len(predictions[pcr(9)].events) == 1


def test_old_firmware_has_no_separator_in_rtmr1() -> None:
    new, old = (predict_direct_boot(DirectBoot(KERNEL), Edk2(release))[2].events for release in (202411, 202408))
    assert [event.description for event in new if event not in old] == ["separator"]


@pytest.mark.parametrize(
    ("edk2", "cmdline", "initrd", "text"),
    [
        (OLD, "a b", b"x", "a b initrd=initrd"),
        (NEW, "a b", b"x", "initrd=initrd a b"),
        (OLD, "", b"x", " initrd=initrd"),
        (NEW, "", b"x", "initrd=initrd "),
        (NEW, "a b", None, "a b"),
        (OLD, "a b", b"", "a b"),
    ],
)
def test_load_options(edk2: Edk2, cmdline: str, initrd: bytes | None, text: str) -> None:
    assert load_options(DirectBoot(KERNEL, cmdline, initrd), edk2) == (text + "\0").encode("utf-16-le")


def test_an_initrd_that_the_kernel_does_not_load() -> None:
    events = predict_direct_boot(DirectBoot(KERNEL, "noinitrd", b"x"), OLD)[3].events
    assert [event.description for event in events] == ["LOADED_IMAGE::LoadOptions"]


def test_the_kernels_version_decides_what_it_measures() -> None:
    assert kernel_release(KERNEL) == "6.12.1-test"
    old = predict_direct_boot(DirectBoot(build_bzimage(version=b"6.1.0-1 x")), OLD)
    assert [len(prediction.events) for prediction in old] == [3, 1, 5, 0]
    assert old[3].missing  # its vendor may have added the measurement
    unknown = predict_direct_boot(DirectBoot(build_bzimage(version=b"")), OLD)
    with pytest.raises(TeekitError, match=r"RTMR2 cannot be predicted: EV_EVENT_TAG of the kernel"):
        unknown[3].value(Algorithm.SHA384)


BROKEN = {
    "empty": (b"", "boot sector at offset 0x0: needs 514 bytes"),
    "no magic": (bytes(1024), "header magic at offset 0x202: expected b'HdrS'"),
    "cut header": (KERNEL[:0x230], "setup header at offset 0x208: needs 96 bytes, 40 are left"),
    "cut setup": (KERNEL[:0x800], "setup sectors at offset 0x1f1: 8192 bytes of setup code, the file has 2048"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_kernel(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(MalformedInputError, match=f"Linux kernel: {message}"):
        predict_direct_boot(DirectBoot(data), OLD)


def test_what_is_not_predicted() -> None:
    with pytest.raises(UnsupportedInputError, match="boot protocol 0x20b, older than 0x20c"):
        predict_direct_boot(DirectBoot(build_bzimage(protocol=0x20B)), OLD)
    with pytest.raises(UnsupportedInputError, match="QEMU writes the video mode of vga="):
        predict_direct_boot(DirectBoot(KERNEL, "vga=ask", None, 512 * MIB), OLD)
    with pytest.raises(UnsupportedInputError, match="an initrd of 2097152 bytes does not fit into 2097152 bytes"):
        predict_direct_boot(DirectBoot(KERNEL, "", bytes(2 * MIB), 2 * MIB), OLD)
    for cmdline in ("ü", "a" * 65_537):
        with pytest.raises(UnsupportedInputError, match="expected a command line of at most 65536 ASCII characters"):
            load_options(DirectBoot(KERNEL, cmdline), OLD)


NOT_MEASURED = {
    *range(CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4),
    *range(CERTIFICATE_ENTRY_OFFSET, CERTIFICATE_ENTRY_OFFSET + 8),
}
WRITTEN_BY_QEMU = {0x210, 0x211, *range(0x218, 0x220), 0x224, 0x225, *range(0x228, 0x22C)}


@given(st.integers(0, KERNEL_BYTES - 1), st.integers(1, 255), st.sampled_from([None, 512 * MIB]))
def test_a_changed_byte_is_refused_or_measured(offset: int, change: int, memory_bytes: int | None) -> None:
    data = bytearray(KERNEL)
    data[offset] ^= change
    try:
        changed = predict_direct_boot(DirectBoot(bytes(data), "quiet", b"x", memory_bytes), OLD)[2]
    except (MalformedInputError, UnsupportedInputError):
        assert offset < 0x268  # headers only
    else:
        same = changed == predict_direct_boot(DirectBoot(KERNEL, "quiet", b"x", memory_bytes), OLD)[2]
        assert not same or offset in NOT_MEASURED or (memory_bytes is not None and offset in WRITTEN_BY_QEMU)
