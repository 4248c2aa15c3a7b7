from __future__ import annotations

import socket
import struct
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import logs
from builders.tools import require
from teekit_verify.boot import acpi
from teekit_verify.boot.qtest import FwCfgItem, PciFunction, QtestClient, fw_cfg_directory, fw_cfg_read
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.process import started

if TYPE_CHECKING:
    from collections.abc import Iterator

MACHINE = ("-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", "256M")


@contextmanager
def _served(*answers: bytes) -> Iterator[QtestClient]:
    """A client whose every command gets the next of `answers`; then the server hangs up."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as server:
        path = Path(name) / "q"
        server.bind(str(path))
        server.listen()

        def talk() -> None:
            with suppress(OSError), server.accept()[0] as connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)
                connection.recv(4096)

        threading.Thread(target=talk, daemon=True).start()
        with QtestClient(path) as client:
            yield client


@pytest.fixture(scope="module")
def real() -> Iterator[QtestClient]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "qtest.sock"
        words = acpi.argv(require("qemu-system-x86_64"), MACHINE, Path(name))
        with started(words, log=Path(name) / "log") as process:
            deadline = time.monotonic() + 600
            while not path.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            with QtestClient(path) as client:
                yield client


def test_a_real_machine(real: QtestClient) -> None:
    assert PciFunction(real, 0, 0).read(0) == 0x29C08086  # Intel 82G33 host bridge, as `info pci` says
    assert PciFunction(real, 5, 0).read(0) == 0xFFFFFFFF
    real.write_memory(0x1000, b"some bytes")
    assert real.read_memory(0x1000, 10) == b"some bytes"
    assert fw_cfg_read(real, FwCfgItem(0, 4)) == b"QEMU"  # docs/specs/fw_cfg.rst: the signature
    assert fw_cfg_read(real, FwCfgItem(0, 0)) == b""
    directory = fw_cfg_directory(real)
    assert directory["etc/acpi/rsdp"].size_bytes == 20
    with pytest.raises(TeekitError, match="QEMU refuses the qtest command 'nonsense'"):
        real.command("nonsense")


def test_answers_that_are_none() -> None:
    with (
        _served(b"ERR no\n") as client,
        pytest.raises(TeekitError, match="QEMU refuses the qtest command 'inl': b'ERR"),
    ):
        client.command("inl")
    with _served(b"OK zz\n") as client, pytest.raises(TeekitError, match="answer to `read` is not hexadecimal"):
        client.read_memory(0, 1)
    with _served(b"OK\n", b"OK zz\n") as client, pytest.raises(TeekitError, match="answer to `inl` is not a number"):
        PciFunction(client, 0, 0).read(0)


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="QEMU's qtest socket does not answer"):
        QtestClient(tmp_path / "none")


def test_fw_cfg_answers_that_are_hostile() -> None:
    failed = b"OK 0x" + struct.pack(">I", 1).hex().encode() + b"\n"
    with (
        _served(b"OK\n", b"OK\n", b"OK\n", failed) as client,
        pytest.raises(TeekitError, match=r"cannot read .* item 0x7"),
    ):
        fw_cfg_read(client, FwCfgItem(7, 4))
    done = b"OK 0x00000000\n"
    many = (b"OK\n", b"OK\n", b"OK\n", done, b"OK 0xffffffff\n")
    with (
        _served(*many) as client,
        pytest.raises(MalformedInputError, match=r"number of items .* 4294967295 are too many"),
    ):
        fw_cfg_directory(client)
    with _served() as client, pytest.raises(MalformedInputError, match=r"item size .* 4194305 bytes are too many"):
        fw_cfg_read(client, FwCfgItem(7, (4 << 20) + 1))


def test_tables_of_a_machine() -> None:
    require("qemu-system-x86_64")
    view = acpi.generate((*MACHINE, "-device", "virtio-rng-pci"))
    names = [name for name, _ in view.acpi]
    assert names == ["etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables"]
    blobs = dict(view.acpi)
    assert blobs["etc/acpi/rsdp"][:16] == b"RSD PTR \0BOCHS \0"
    offset = int.from_bytes(blobs["etc/acpi/rsdp"][16:20], "little")
    assert blobs["etc/acpi/tables"][offset : offset + 4] == b"RSDT"
    assert b"MCFG" in blobs["etc/acpi/tables"]  # only there when the firmware has set up the configuration space
    assert (0xE0000000).to_bytes(8, "little") in blobs["etc/acpi/tables"]
    assert view.fw_cfg == (("BootMenu", bytes(2)),)
    tables = view.measured("7.2.22")
    assert tables.cause == "computed from: the arguments of QEMU, by QEMU 7.2.22 itself"
    assert [blob.name for blob in tables.acpi] == names
    assert tables.fw_cfg is not None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("-device", "pcie-root-port"),
            UnsupportedInputError,
            "the PCI bridge at 00:01.0: ACPI tables of machines with",
        ),
        (("-no-acpi",), UnsupportedInputError, "this machine gives its firmware no ACPI tables"),
        (("-device", "nonsense"), TeekitError, "QEMU does not start; its last lines were:\n.*nonsense"),
    ],
)
def test_machines_whose_tables_are_not_generated(
    arguments: tuple[str, ...], error: type[TeekitError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("qemu-system-x86_64")
    logs.are_written_late(monkeypatch)
    options = (*MACHINE[:5], "q35,acpi=off", *MACHINE[6:]) if arguments == ("-no-acpi",) else (*MACHINE, *arguments)
    with pytest.raises(error, match=message):
        acpi.generate(options)


def _entry(kind: int, name: bytes) -> bytes:
    return struct.pack("<I56s68x", kind, name)


def test_the_order_of_loading() -> None:
    loader = _entry(1, b"etc/acpi/rsdp") + _entry(2, b"etc/acpi/tables") + _entry(1, b"etc/acpi/tables") + bytes(128)
    assert acpi.allocated(loader) == ["etc/acpi/rsdp", "etc/acpi/tables"]
    for size in (127, (1 << 20) + 128):
        with pytest.raises(
            MalformedInputError, match="ACPI table loader: size at offset 0x0: expected a multiple of 128"
        ):
            acpi.allocated(bytes(size))
