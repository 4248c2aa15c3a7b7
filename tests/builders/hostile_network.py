"""The other end of a network card whose DHCP server and router say all that a host may hope somebody obeys.

QEMU brings the frames by TCP, each behind its length (`-netdev socket,connect=`). RFC 2131 and 2132 for DHCP, 3442 for routes without
classes, 4861 for router advertisements, 4191 for routes and 8106 for name servers in them.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAC = bytes.fromhex("525400666601")
_SERVER, _CLIENT = IPv4Address("10.66.0.1").packed, IPv4Address("10.66.0.2").packed
_ROUTER, _ALL_NODES = IPv6Address("fe80::6666").packed, IPv6Address("ff02::1").packed
_COOKIE = bytes.fromhex("63825363")
NAME = b"planted"
# Destination, all by way of the server: this machine itself, the metadata service, and half of everything.
ROUTES = ("127.0.0.0/8", "169.254.169.254/32", "128.0.0.0/1")


def _option(code: int, content: bytes) -> bytes:
    return bytes((code, len(content))) + content


def _routes() -> bytes:
    said = b""
    for route in ROUTES:
        address, _, bits = route.partition("/")
        said += bytes((int(bits),)) + IPv4Address(address).packed[: -(-int(bits) // 8)] + _SERVER
    return said


def _options() -> bytes:
    domain = bytes((len(NAME),)) + NAME + b"\x07example\0"
    return b"".join(
        _option(code, content)
        for code, content in (
            *((1, bytes.fromhex("ffffff00")), (3, _SERVER), (6, _SERVER), (51, struct.pack(">I", 3600)), (54, _SERVER)),
            # A name as long as there can be one, and the smallest packets of IPv4 (RFC 791).
            *((12, (NAME + b"-host").ljust(255, b"x")), (26, struct.pack(">H", 68))),
            *((15, NAME + b".example"), (119, domain), (40, NAME + b"-nis"), (43, NAME * 36), (160, b"http://planted.example/")),
            *((33, IPv4Address("127.0.0.2").packed + _SERVER), (121, _routes()), (42, _SERVER), (4, _SERVER)),
            *((100, NAME.upper() + b"0"), (101, b"Pacific/Kiritimati"), (252, b"http://planted.example/wpad.dat")),
            *((114, b"http://planted.example/portal"), (17, b"10.66.0.1:/planted"), (66, b"10.66.0.1"), (67, NAME + b".efi")),
        )
    )  # fmt: skip


def _sum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data)) if len(data) % 2 == 0 else _sum(data + b"\0") ^ 0xFFFF
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _answer(frame: bytes) -> bytes | None:
    """What the server says to a DHCP message in a frame; None where it is none."""
    if len(frame) < 282 or frame[12:14] != b"\x08\0" or frame[23] != 17 or frame[36:38] != b"\0\x43":
        return None
    asked = frame[42:]
    position, kind = 240, 0
    while position + 2 < len(asked) and asked[position] != 255:
        if asked[position] == 53:
            kind = asked[position + 2]
        position += 1 if asked[position] == 0 else 2 + asked[position + 1]
    if kind not in {1, 3}:  # DISCOVER, REQUEST
        return None
    said = b"\2\1\6\0" + asked[4:8] + bytes(4) + bytes(4) + _CLIENT + _SERVER + bytes(4) + asked[28:44] + bytes(192)
    said += _COOKIE + _option(53, b"\2" if kind == 1 else b"\5") + _options() + b"\xff"
    udp = struct.pack(">HHHH", 67, 68, 8 + len(said), 0) + said
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + _SERVER + b"\xff" * 4
    header = header[:10] + struct.pack(">H", _sum(header)) + header[12:]
    return asked[28:34] + _MAC + b"\x08\0" + header + udp


def _advertisement() -> bytes:
    prefix = IPv6Address("2001:db8:66::").packed
    domain = bytes((len(NAME),)) + NAME + b"\x07example\0"
    said = struct.pack(">BBHBBHII", 134, 0, 0, 1, 0xC0, 1800, 0, 0)
    said += struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 3600, 3600, 0) + prefix
    said += struct.pack(">BBHI", 5, 1, 0, 0)
    for half in (IPv6Address("::"), IPv6Address("8000::")):
        said += struct.pack(">BBBBI", 24, 3, 1, 8, 3600) + half.packed
    said += struct.pack(">BBHI", 25, 3, 0, 3600) + _ROUTER
    said += struct.pack(">BBHI", 31, 1 + -(-len(domain) // 8), 0, 3600) + domain + bytes(-len(domain) % 8)
    pseudo = _ROUTER + _ALL_NODES + struct.pack(">II", len(said), 58)
    said = said[:2] + struct.pack(">H", _sum(pseudo + said)) + said[4:]
    header = struct.pack(">IHBB", 6 << 28, len(said), 58, 255) + _ROUTER + _ALL_NODES
    return bytes.fromhex("333300000001") + _MAC + b"\x86\xdd" + header + said


def _serve(listener: socket.socket, answered: list[bytes]) -> None:
    with contextlib.suppress(OSError, EOFError):
        link = listener.accept()[0]
        with link, link.makefile("rb") as frames:
            while length := frames.read(4):
                frame = frames.read(struct.unpack(">I", length)[0])
                for answer in (_answer(frame), _advertisement() if frame[12:14] == b"\x86\xdd" else None):
                    if answer is not None:
                        answered.append(answer)
                        link.sendall(struct.pack(">I", len(answer)) + answer)


@contextlib.contextmanager
def served() -> Iterator[tuple[int, list[bytes]]]:
    """Its port on loopback, and the frames it has answered with so far."""
    answered: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, answered), daemon=True).start()
        yield listener.getsockname()[1], answered
        listener.shutdown(socket.SHUT_RDWR)
