from __future__ import annotations

import array
import hashlib
import os
import socket
import struct
import sys
import tempfile
from pathlib import Path

import pytest

from builders import eventlog as build
from builders.tools import require
from teekit_verify.boot.swtpm import parse_pcr_read_response, pcr_read_command, running_tpm
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import TeekitError
from teekit_verify.evidence.eventlog import parse_event_log
from teekit_verify.registers.registers import pcr
from teekit_verify.registers.replay import replay

STARTUP_CLEAR = bytes.fromhex("8001 0000000c 00000144 0000")
EXTENDED = hashlib.sha256(b"measured").digest()


def _act_as_a_machine(control_path: Path, *, locality: int = 0, index: int = 9) -> None:
    """What QEMU and firmware do: initialize, TPM2_Startup(CLEAR) from a locality, TPM2_PCR_Extend; then be gone."""
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_UNIX) as control:
        control.connect(str(control_path))
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))
        control.sendmsg([struct.pack(">I", 0x10)], [rights])
        assert control.recv(4) == bytes(4)
        control.sendall(struct.pack(">II", 2, 0))
        assert control.recv(4) == bytes(4)
        for command, from_locality in ((STARTUP_CLEAR, locality), (_extend(index, EXTENDED), 0)):
            control.sendall(struct.pack(">IB", 5, from_locality))
            assert control.recv(4) == bytes(4)
            ours.sendall(command)
            assert ours.recv(4096)[6:10] == bytes(4)


def _extend(index: int, digest: bytes) -> bytes:
    """TPM2_PCR_Extend with an empty password session (TPM 2.0 Library part 3, 22.2), SHA-256 bank."""
    session = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
    body = struct.pack(">II", index, len(session)) + session + struct.pack(">IH", 1, 0xB) + digest
    return struct.pack(">HII", 0x8002, 10 + len(body), 0x182) + body


def test_pcrs_of_a_real_swtpm_after_the_machine_is_gone() -> None:
    require("swtpm")
    require("swtpm_setup")
    with tempfile.TemporaryDirectory() as name:
        with running_tpm(Path(name), log=Path(name, "log")) as tpm:
            _act_as_a_machine(tpm.control)
            values = tpm.read_pcrs()
            again = tpm.read_pcrs()
        assert values == again
        assert values[Algorithm.SHA256][pcr(9)].value == hashlib.sha256(bytes(32) + EXTENDED).digest()
        assert values[Algorithm.SHA384][pcr(9)].value == bytes(48)
        assert values[Algorithm.SHA384][pcr(17)].value == b"\xff" * 48  # the dynamic root of trust's PCRs start so
        assert [len(bank) for bank in values.values()] == [24, 24]


def test_a_socket_that_nobody_listens_at_yet_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine stops between bind(2) and listen(2), and QEMU connects once."""
    slow = tmp_path / "swtpm"
    slow.write_text(
        f"#!{sys.executable}\nimport socket, sys, time\nserver = socket.socket(socket.AF_UNIX)\n"
        'server.bind(sys.argv[-1].partition("path=")[2])\ntime.sleep(1)\nserver.listen()\nserver.accept()\ntime.sleep(60)\n'
    )
    (tmp_path / "swtpm_setup").write_text("#!/bin/sh\n")
    for program in tmp_path.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with (
        tempfile.TemporaryDirectory() as name,
        running_tpm(Path(name), log=Path(name, "log")) as tpm,
        socket.socket(socket.AF_UNIX) as machine,
    ):
        machine.connect(str(tpm.control))


def test_a_startup_from_locality_3_replays_to_what_swtpm_holds() -> None:
    require("swtpm")
    require("swtpm_setup")
    with tempfile.TemporaryDirectory() as name, running_tpm(Path(name), log=Path(name, "log")) as tpm:
        _act_as_a_machine(tpm.control, locality=3, index=0)
        held = tpm.read_pcrs()[Algorithm.SHA256][pcr(0)]
    started = build.record(0, 3, {build.SHA256: bytes(32)}, b"StartupLocality\0\3")
    log = parse_event_log(build.header(build.SHA256) + started + build.record(0, 8, {build.SHA256: EXTENDED}))
    assert replay(log.events, Algorithm.SHA256) == {pcr(0): held}
    assert held.value != hashlib.sha256(bytes(32) + EXTENDED).digest()


def test_pcr_read_command_is_the_specification_s() -> None:
    """TPM2_PCR_Read: tag, size 20, code, one selection, algorithm, three bytes of bits."""
    expected = "8001 00000014 0000017e 00000001 000b 03 000200"
    assert pcr_read_command(Algorithm.SHA256, 9) == bytes.fromhex(expected)


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("80010000000a00000100", "the TPM refuses TPM2_PCR_Read: 80010000000a00000100"),
        ("", "the TPM refuses TPM2_PCR_Read: "),
        ("8001 00000018 00000000 00000007 00000001000b03000000 00000000".replace(" ", "") + "0000", "no sha256 bank"),
        (
            "8001 0000003e 00000000 00000007 00000001000b03000200 00000001 0020".replace(" ", "") + "11" * 31,
            "no sha256 bank, or its answer is malformed",
        ),
    ],
)
def test_a_tpm_without_an_answer(response: str, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        parse_pcr_read_response(bytes.fromhex(response), Algorithm.SHA256)


def test_a_folder_that_swtpm_would_take_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TeekitError) as caught, running_tpm(tmp_path / "a,b", log=tmp_path / "log"):
        pass
    assert caught.value.message == f"swtpm takes no commas in paths: {tmp_path}/a,b"
    assert caught.value.hint == "Set TMPDIR to another folder."
