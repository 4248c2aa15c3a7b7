"""A software TPM 2.0 for one boot, and its PCR values asked from the TPM itself."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import find_program, last_lines, run, started
from teekit_verify.registers.registers import PCR_COUNT, Register, pcr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BANKS = (Algorithm.SHA256, Algorithm.SHA384)

_HINT = "Install swtpm and swtpm-tools, or run `teekit-verify doctor`."
_SETUP_TIMEOUT_SECONDS = 120
_ANSWER_TIMEOUT_SECONDS = 120
_CMD_SET_DATAFD = 0x10  # swtpm_ioctls(3)
_TPM_ST_NO_SESSIONS = 0x8001  # TPM 2.0 Library part 2, 6.9
_TPM_CC_PCR_READ = 0x17E  # part 2, 6.5.2
_MAX_RESPONSE_BYTES = 4096
_SO_ACCEPTCON = 1 << 16  # Linux include/uapi/linux/net.h


def setup_argv(program: str, state: Path) -> tuple[str, ...]:
    """Manufacture a TPM with the SHA-256 and SHA-384 banks allocated and no other: a log lists exactly these."""
    banks = ",".join(bank.value for bank in BANKS)
    return (program, "--tpm2", "--tpmstate", str(state), "--pcr-banks", banks, "--overwrite")


def socket_argv(program: str, state: Path, control: Path) -> tuple[str, ...]:
    """Without --terminate: it outlives the machine, so that its PCRs can be read."""
    return (program, "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={control}")


@dataclass(frozen=True, slots=True)
class SoftwareTpm:
    """A running swtpm; `control` is the Unix socket for QEMU's `-tpmdev emulator`."""

    control: Path

    def read_pcrs(self) -> Mapping[Algorithm, Mapping[Register, Digest]]:
        """All 24 PCRs of both banks. Only after QEMU was killed: it holds the TPM's data channel, and a QEMU that
        ends by itself resets the TPM. Raises TeekitError.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
            ours.settimeout(_ANSWER_TIMEOUT_SECONDS)
            control.settimeout(_ANSWER_TIMEOUT_SECONDS)
            try:
                control.connect(str(self.control))
                descriptors = array.array("i", [theirs.fileno()])
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)
                control.sendmsg([struct.pack(">I", _CMD_SET_DATAFD)], [rights])
                if control.recv(4) != bytes(4):
                    raise TeekitError("swtpm does not open a data channel after the boot")
                return {bank: {pcr(i): _read_pcr(ours, bank, i) for i in range(PCR_COUNT)} for bank in BANKS}
            except OSError as error:
                raise TeekitError(f"swtpm does not answer after the boot: {error}") from error


@contextlib.contextmanager
def running_tpm(directory: Path, *, log: Path) -> Iterator[SoftwareTpm]:
    """A fresh TPM with its state and socket in `directory`, which must be private and its path short (Unix sockets)."""
    if "," in str(directory):
        raise TeekitError(f"swtpm takes no commas in paths: {directory}", hint="Set TMPDIR to another folder.")
    state, control = directory / "tpm", directory / "tpm.sock"
    state.mkdir(mode=0o700)
    run(
        setup_argv(find_program("swtpm_setup", hint=_HINT), state),
        timeout_seconds=_SETUP_TIMEOUT_SECONDS,
        log=log,
    )
    with contextlib.ExitStack() as running:
        argv = socket_argv(find_program("swtpm", hint=_HINT), state, control)
        process = running.enter_context(started(argv, log=log))
        deadline = time.monotonic() + _ANSWER_TIMEOUT_SECONDS
        while not _listens(control):
            if process.poll() is not None or time.monotonic() > deadline:
                running.close()  # only then the log has all it said
                raise TeekitError("swtpm does not start: " + " / ".join(last_lines(log)))
            time.sleep(0.05)
        yield SoftwareTpm(control)


def _listens(control: Path) -> bool:
    """Whether somebody listens at the socket, which has its name a moment earlier: QEMU connects once. By the kernel's list, as swtpm
    would take a connection for the machine's (proc_net(5): the flags in the fourth column, the path in the last).
    """
    lines = Path("/proc/net/unix").read_text(errors="surrogateescape").splitlines()
    return any(line.endswith(f" {control}") and int(line.split()[3], 16) & _SO_ACCEPTCON for line in lines[1:])


def _read_pcr(channel: socket.socket, bank: Algorithm, index: int) -> Digest:
    """TPM2_PCR_Read of one PCR (TPM 2.0 Library part 3, 22.4)."""
    channel.sendall(pcr_read_command(bank, index))
    return parse_pcr_read_response(channel.recv(_MAX_RESPONSE_BYTES), bank)


def pcr_read_command(bank: Algorithm, index: int) -> bytes:
    selection = struct.pack(">IHB", 1, bank.tcg_id, 3) + (1 << index).to_bytes(3, "little")
    return struct.pack(">HII", _TPM_ST_NO_SESSIONS, 10 + len(selection), _TPM_CC_PCR_READ) + selection


def parse_pcr_read_response(response: bytes, bank: Algorithm) -> Digest:
    """The digest in a response to `pcr_read_command`: header (10), update counter (4), selection (4 + 6), digests."""
    layout = struct.Struct(">HII I 10s IH")
    if len(response) < layout.size:
        raise TeekitError(f"the TPM refuses TPM2_PCR_Read: {response.hex()}")
    _, size, code, _, _, count, digest_bytes = layout.unpack_from(response)
    if code != 0 or size != len(response) or count != 1 or layout.size + digest_bytes != size:
        raise TeekitError(f"the TPM has no {bank.value} bank, or its answer is malformed: {response.hex()}")
    return Digest(bank, response[layout.size :])
