"""A TPM 2.0, by the few commands that measuring and quoting take. The image has no TPM tools.

Commands and structures: TPM 2.0 Library Specification 1.59, parts 2 and 3; all integers are big-endian. A response is checked in
all its lengths: on most machines the TPM is the host's.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DEVICE = Path("/dev/tpmrm0")  # the kernel's resource manager: what a program loaded goes when it closes the file
VERSION = Path("/sys/class/tpm/tpm0/tpm_version_major")
MOST_RESPONSE_BYTES = 4096
PCRS = 24
TRIES = 20
PAUSE_SECONDS = 0.1
# Part 2, 6.3. Banks of other algorithms nobody quotes.
ALGORITHMS = {0x0004: "sha1", 0x000B: "sha256", 0x000C: "sha384", 0x000D: "sha512"}
IDENTIFIERS = {name: number for number, name in ALGORITHMS.items()}

_NO_SESSIONS, _SESSIONS = 0x8001, 0x8002
_GET_CAPABILITY, _PCR_READ, _PCR_EXTEND = 0x17A, 0x17E, 0x182
_CAPABILITY_PCRS = 5
_MOST_BANKS = 16
# TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY: nothing was done yet, and the same command is to be sent again.
_PASSING = frozenset({0x908, 0x90A, 0x922})
# TPM_RS_PW, no nonce, no attributes, an empty password: what PCRs, the hierarchies of clouds' TPMs and their keys take.
_EMPTY_PASSWORD = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
_HEADER = struct.Struct(">HII")


class TpmRefused(Refused):
    """The TPM answered with an error. `code` is TPM_RC (part 2, 6.6)."""

    def __init__(self, command: int, code: int) -> None:
        super().__init__(f"the TPM answers command {command:#x} with error {code:#x}")
        self.code = code


def is_there() -> bool:
    """Whether the machine has a TPM 2.0. One of which the kernel knows and the device is missing counts as well: it must not be passed over."""
    try:
        return VERSION.read_text().strip() == "2"
    except OSError:
        return DEVICE.exists()


@contextmanager
def opened() -> Iterator[Tpm]:
    """Raises Refused where the device cannot be opened."""
    try:
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{DEVICE} cannot be opened: {error.strerror}") from None

    def exchange(command: bytes) -> bytes:
        try:
            if os.write(descriptor, command) != len(command):
                raise Refused(f"{DEVICE} took half a command")
            return os.read(descriptor, MOST_RESPONSE_BYTES)
        except OSError as error:
            raise Refused(f"{DEVICE} gives no answer: {error.strerror}") from None

    try:
        yield Tpm(exchange)
    finally:
        os.close(descriptor)


class Fields:
    """Reads a response from its start; what is not there is refused."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def take(self, count: int) -> bytes:
        if count > len(self._left):
            raise Refused(f"the TPM's answer breaks off: {count} bytes expected, {len(self._left)} left")
        taken, self._left = self._left[:count], self._left[count:]
        return bytes(taken)

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self) -> bytes:
        """A TPM2B: two bytes of size, and as many bytes."""
        return self.take(self.number(2))

    def end(self) -> None:
        if self._left:
            raise Refused(f"the TPM's answer has {len(self._left)} bytes more than expected")


class Tpm:
    """`exchange` gives the response to a command."""

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange

    def ask(self, command: int, parameters: bytes) -> Fields:
        """A command without authorisation; `parameters` begins with the handles. Gives what follows the response's header."""
        return Fields(self._response(command, _NO_SESSIONS, parameters))

    def ask_with_empty_password(
        self, command: int, handles: Sequence[int], parameters: bytes, *, returns_handle: bool = False
    ) -> tuple[int, Fields]:
        """A command whose first handle takes an empty password. Gives the handle of the response, or 0, and its parameters."""
        numbers = b"".join(struct.pack(">I", handle) for handle in handles)
        session = struct.pack(">I", len(_EMPTY_PASSWORD)) + _EMPTY_PASSWORD
        fields = Fields(self._response(command, _SESSIONS, numbers + session + parameters))
        handle = fields.number(4) if returns_handle else 0
        return handle, Fields(fields.take(fields.number(4)))

    def _response(self, command: int, tag: int, content: bytes) -> bytes:
        for _ in range(TRIES - 1):
            try:
                return self._one_response(command, tag, content)
            except TpmRefused as refusal:
                if refusal.code not in _PASSING:
                    raise
                time.sleep(PAUSE_SECONDS)
        return self._one_response(command, tag, content)

    def _one_response(self, command: int, tag: int, content: bytes) -> bytes:
        response = self._exchange(_HEADER.pack(tag, _HEADER.size + len(content), command) + content)
        if len(response) < _HEADER.size:
            raise Refused(f"the TPM's answer has {len(response)} bytes, less than a header")
        got, size, code = _HEADER.unpack_from(response)
        if size != len(response):
            raise Refused(f"the TPM's answer says that it has {size} bytes, and has {len(response)}")
        if code:
            raise TpmRefused(command, code)
        if got != tag:
            raise Refused(f"the TPM's answer has tag {got:#x}, expected {tag:#x}")
        return response[_HEADER.size :]

    def banks(self, pcr: int) -> tuple[str, ...]:
        """Names of the hash algorithms in whose bank this PCR is, as hashlib has them. TPM2_GetCapability (part 3, 30.2)."""
        fields = self.ask(_GET_CAPABILITY, struct.pack(">III", _CAPABILITY_PCRS, 0, 1))
        more, capability, count = fields.number(1), fields.number(4), fields.number(4)
        if more or capability != _CAPABILITY_PCRS or count > _MOST_BANKS:
            raise Refused("the TPM does not say which banks it has")
        found = []
        for _ in range(count):
            algorithm, selected = fields.number(2), int.from_bytes(fields.take(fields.number(1)), "little")
            if selected >> pcr & 1 and algorithm in ALGORITHMS:
                found.append(ALGORITHMS[algorithm])
        fields.end()
        return tuple(found)

    def value(self, pcr: int, bank: str) -> bytes:
        """TPM2_PCR_Read (part 3, 22.4)."""
        return self.values([pcr], bank)[pcr]

    def values(self, pcrs: Sequence[int], bank: str) -> Mapping[int, bytes]:
        """The same of several; a TPM gives up to eight at a time."""
        found: dict[int, bytes] = {}
        while len(found) < len(pcrs):
            given = self._some_values([pcr for pcr in pcrs if pcr not in found], bank)
            found.update(given)
        return found

    def _some_values(self, pcrs: Sequence[int], bank: str) -> Mapping[int, bytes]:
        fields = self.ask(_PCR_READ, selection(pcrs, bank))
        fields.take(4)  # how often PCRs were changed
        if fields.number(4) != 1 or fields.number(2) != IDENTIFIERS[bank]:
            raise Refused(f"the TPM has no bank {bank}")
        bits = int.from_bytes(fields.take(fields.number(1)), "little")
        given = [pcr for pcr in range(PCRS) if bits >> pcr & 1]
        if not given or not set(given) <= set(pcrs) or fields.number(4) != len(given):
            raise Refused(f"the TPM gives other PCRs of bank {bank} than it was asked for")
        values = {pcr: fields.sized() for pcr in given}
        fields.end()
        if any(len(value) != hashlib.new(bank).digest_size for value in values.values()):
            raise Refused(f"the TPM gives a PCR of bank {bank} that is not as long as its hash")
        return values

    def extend(self, pcr: int, digests: Mapping[str, bytes]) -> None:
        """TPM2_PCR_Extend (part 3, 22.2), in all these banks at once."""
        content = struct.pack(">I", len(digests))
        content += b"".join(struct.pack(">H", IDENTIFIERS[bank]) + digest for bank, digest in digests.items())
        _, fields = self.ask_with_empty_password(_PCR_EXTEND, [pcr], content)
        fields.end()


def selection(pcrs: Sequence[int], bank: str) -> bytes:
    """TPML_PCR_SELECTION of one bank (part 2, 10.9.7)."""
    bits = sum(1 << pcr for pcr in set(pcrs))
    return struct.pack(">IHB", 1, IDENTIFIERS[bank], 3) + bits.to_bytes(3, "little")
