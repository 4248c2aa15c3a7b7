"""What a kettle reaches with the image's firewall rules, tried by its user in a network of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders.tools import require

EXTRA = Path(__file__).parents[3] / "mkosi/mkosi.images/tdx-kettle/mkosi.extra"
BASE = Path(__file__).parents[3] / "mkosi/mkosi.images/base/mkosi.extra"

# Runs as root in a new network: one interface that leads nowhere, and servers on loopback. Says for each user and address
# whether the connection was made ("yes"), refused ("no") or let out without an answer ("out").
TRY = """
import json, os, socket, subprocess, sys

rules, wanted = json.loads(sys.argv[1])
for command in ("ip link set lo up", "ip link add name out0 type veth peer name in0", "ip link set in0 up",
                "ip addr add 10.0.2.15/24 dev out0", "ip link set out0 up",
                *(f"ip neigh add 10.0.2.{host} lladdr 02:00:00:00:00:01 dev out0" for host in (2, 3)),
                "ip route add default via 10.0.2.3", "ip -6 addr add fd00::15/64 dev out0 nodad",
                *(f"ip -6 neigh add {host} lladdr 02:00:00:00:00:01 dev out0" for host in ("fd00::3", "fe80::1")),
                "ip -6 route add default via fd00::3 dev out0", *(f"nft -f {path}" for path in rules)):
    subprocess.run(command.split(), check=True)
listening = [socket.create_server(address) for address in
             [("127.0.0.1", port) for port in (3001, 3002, 3003, 4000, 4001, 4002, 4016)] + [("127.0.0.53", 53)]]

def start(user, host, port):
    address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    if (process := os.fork()) == 0:
        os.setgroups([]); os.setgid(user); os.setuid(user)
        with socket.socket(address[0]) as sock:
            # By IPv6, the first refusal is lost, and the second attempt comes after a second.
            sock.settimeout(5 if address[0] == socket.AF_INET6 else 0.5)
            try:
                sock.connect(address[4])
                os._exit(0)
            except TimeoutError:
                os._exit(2)
            except OSError:
                os._exit(1)
    return process

processes = [start(*one) for one in wanted]
print(json.dumps([["yes", "no", "out"][os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])] for process in processes]))
"""
ROOT, CLOUD_CONFIG, RESOLVER, FIRST, SECOND, LAST = 0, 1990, 998, 2000, 2001, 2015
REACHED = [
    (FIRST, "127.0.0.1", 4001, "yes"),  # its own database
    (SECOND, "127.0.0.1", 4002, "yes"),
    (LAST, "127.0.0.1", 4016, "yes"),
    (FIRST, "127.0.0.1", 4002, "no"),  # another's
    (SECOND, "127.0.0.1", 4001, "no"),
    (LAST, "127.0.0.1", 4001, "no"),
    (FIRST, "127.0.0.1", 3001, "yes"),  # itself, for its supervisor
    (SECOND, "127.0.0.1", 3001, "no"),
    (FIRST, "127.0.0.1", 4000, "no"),  # nothing is there any more
    (FIRST, "fd20:ce::254", 80, "no"),  # metadata of Google by IPv6
    (FIRST, "2001:db8::1", 443, "out"),
    (CLOUD_CONFIG, "fd20:ce::254", 80, "out"),
    (FIRST, "127.0.0.53", 53, "no"),  # nobody answers there; if somebody did, all would share it
    (FIRST, "169.254.169.254", 53, "out"),  # names, at Google
    (FIRST, "168.63.129.16", 53, "out"),  # and at Azure
    (FIRST, "fd20:ce::254", 53, "out"),
    (FIRST, "fd20:ce::253", 53, "no"),
    (FIRST, "10.0.2.3", 53, "out"),
    (FIRST, "169.254.169.253", 53, "no"),
    (FIRST, "127.0.0.1", 3002, "no"),  # another kettle
    (FIRST, "10.0.2.15", 3002, "no"),  # by any address
    (FIRST, "169.254.169.254", 80, "no"),  # metadata of Google and Azure
    (FIRST, "168.63.129.16", 80, "no"),  # Azure's host
    (FIRST, "10.0.2.2", 8090, "no"),  # metadata of QEMU
    (FIRST, "10.0.2.2", 443, "out"),  # elsewhere
    (FIRST, "192.0.2.1", 443, "out"),
    # Where a network translates (RFC 6052): metadata, Azure's host, loopback and neighbours, but not who is public.
    *(
        (FIRST, f"64:ff9b::{address}", 80, "no")
        for address in ("169.254.169.254", "168.63.129.16", "127.0.0.1", "0.1.2.3")
    ),
    *((FIRST, f"64:ff9b::{address}", 443, "no") for address in ("10.0.2.2", "100.64.0.1", "172.31.0.1", "192.168.0.1")),
    *(
        (FIRST, f"64:ff9b::{address}", 443, "out")
        for address in ("9.255.255.255", "11.0.0.0", "100.128.0.0", "172.32.0.0")
    ),
    *(
        (FIRST, f"64:ff9b::{address}", 443, "out")
        for address in ("168.63.129.17", "169.255.0.0", "192.169.0.0", "8.8.8.8")
    ),
    (FIRST, "64:ff9b:1::a9fe:a9fe", 80, "no"),  # RFC 8215
    (FIRST, "2002:a9fe:a9fe::1", 80, "no"),  # 6to4 (RFC 3056)
    (FIRST, "::a9fe:a9fe", 80, "no"),  # RFC 4291, 2.5.5.1
    (FIRST, "::ffff:0:a9fe:a9fe", 80, "no"),  # RFC 2765
    (FIRST, "fec0::2", 8090, "no"),  # QEMU's host, by a site-local address
    (FIRST, "fec0::3", 53, "out"),  # and its name server
    (CLOUD_CONFIG, "64:ff9b::a9fe:a9fe", 80, "out"),
    (ROOT, "127.0.0.1", 4001, "no"),
    (ROOT, "127.0.0.1", 3001, "yes"),
    (RESOLVER, "127.0.0.1", 3001, "yes"),  # as nginx does
    (RESOLVER, "127.0.0.1", 4001, "no"),
    (RESOLVER, "169.254.169.254", 53, "out"),  # Google's name server
    (CLOUD_CONFIG, "169.254.169.254", 80, "out"),
    (CLOUD_CONFIG, "10.0.2.2", 8090, "out"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What was tried, in the order of REACHED."""
    if os.geteuid() != 0:
        pytest.skip("making a network with other users in it needs root")
    base = tmp_path_factory.mktemp("rules") / "nftables.conf"
    included = f'include "{EXTRA}/etc/nftables.d/*.nft"'
    base.write_text((BASE / "etc/nftables.conf").read_text().replace('include "/etc/nftables.d/*.nft"', included))
    assert included in base.read_text()
    require("nft")
    rules = [str(base), str(EXTRA / "etc/nftables-kettle.conf")]
    asked = json.dumps([rules, [one[:3] for one in REACHED]])
    argv = [require("unshare"), "--net", sys.executable, "-c", TRY, asked]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    results: list[str] = json.loads(done.stdout)
    return results


@pytest.mark.parametrize(
    "number", range(len(REACHED)), ids=[f"{user} to {host}:{port} {answer}" for user, host, port, answer in REACHED]
)
def test_who_reaches_what(found: list[str], number: int) -> None:
    assert found[number] == REACHED[number][3]
