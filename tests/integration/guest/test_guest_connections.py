"""How many connections one address may hold open, tried with the image's firewall rules between two networks of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders.tools import require

RULES = Path(__file__).parents[3] / "mkosi/mkosi.images/tdx-kettle/mkosi.extra/etc/nftables-kettle.conf"
MOST = 256  # docs/guest.md

# Root in a new network, with a second network of a child at the other end of a cable. The child is the client.
TRY = """
import ctypes, json, os, resource, socket, subprocess, sys, time

rules, most = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))

def run(command):
    subprocess.run(command.split(), check=True)

def connected(sock, source, to):
    # Longer than the burst lasts: what is beyond 50 a second comes again after a second.
    sock.settimeout(30)
    try:
        sock.bind((source, 0))
        sock.connect((to, 3001))
        return True
    except OSError:
        return False

def held(sources, to):
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    kept = []
    for source in sources:
        sock = socket.socket(family)
        if not connected(sock, source, to):
            sock.close()
            return kept, False
        kept.append(sock)
    return kept, True

ready, go, answer = os.pipe(), os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    ctypes.CDLL(None).unshare(0x40000000)  # CLONE_NEWNET
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    run("ip link set there up")
    for address in ("10.9.0.2/24", "10.9.0.3/24"):
        run(f"ip addr add {address} dev there")
    for address in ("fd09::2/48", "fd09::3/48", "fd09:0:0:1::2/48"):
        run(f"ip -6 addr add {address} dev there nodad")
    found = {}
    for name, to, one, other in (("4", "10.9.0.1", ["10.9.0.2"], "10.9.0.3"), ("6", "fd09::1", ["fd09::2", "fd09::3"], "fd09:0:0:1::2")):
        kept, _ = held((one * 2 * most)[: most + 44], to)
        more, let_in = held(one[:1], to)
        others, other_let_in = held([other], to)
        for sock in kept:
            sock.close()
        # The kernel forgets those that ended as it counts, a few at a time.
        for attempt in range(100):
            again, let_in_again = held(one[:1], to)
            if let_in_again:
                break
            time.sleep(0.1)
        found[name] = [len(kept), let_in, other_let_in, let_in_again]
    os.write(answer[1], json.dumps(found).encode())
    os._exit(0)
os.read(ready[0], 1)
run(f"nft -f {rules}")
run("ip link set lo up")
run(f"ip link add name here type veth peer name there netns {child}")
run("ip addr add 10.9.0.1/24 dev here")
run("ip link set here up")
run("ip -6 addr add fd09::1/48 dev here nodad")
server = socket.create_server(("::", 3001), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
os.write(go[1], b"x")
os.close(answer[1])
kept = []
server.settimeout(0.2)
while True:
    try:
        kept.append(server.accept()[0])
    except TimeoutError:
        pass
    # What the other end closed is closed here too.
    for sock in kept:
        sock.setblocking(False)
    still = []
    for sock in kept:
        try:
            closed = sock.recv(1) == b""
        except BlockingIOError:
            closed = False
        except OSError:
            closed = True
        if closed:
            sock.close()
        else:
            still.append(sock)
    kept = still
    if os.waitpid(child, os.WNOHANG)[0]:
        break
print(os.read(answer[0], 4096).decode())
"""
# As kettles that got out of workerd: how many of so many datagrams, each to a port of its own, the machine lets out.
SEND = """
import json, os, resource, socket, subprocess, sys

rules, count = sys.argv[1], int(sys.argv[2])
for command in (f"nft -f {rules}", "ip link set lo up", "ip link add name out0 type veth peer name in0", "ip link set in0 up",
                "ip addr add 10.9.0.1/24 dev out0", "ip link set out0 up", "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev out0"):
    subprocess.run(command.split(), check=True)

def sent(user, count):
    receive, send = os.pipe()
    if os.fork() == 0:
        os.setgroups([]); os.setgid(user); os.setuid(user)
        sock, out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
        for port in range(1024, 1024 + count):
            try:
                sock.sendto(b"x", ("10.9.0.2", port))
                out += 1
            except OSError:
                pass
        os.write(send, str(out).encode())
        os._exit(0)
    os.wait()
    return int(os.read(receive, 64))

print(json.dumps([sent(2000, count), sent(2001, 100), sent(1990, 3000)]))
"""

# As a kettle that got out of workerd, and as another user: to which of these addresses a datagram to DHCP's port gets out, and one to another.
RELEASE = """
import json, os, socket, subprocess, sys

for command in (f"nft -f {sys.argv[1]}", "ip link set lo up", "ip link add name out0 type veth peer name in0", "ip link set in0 up",
                "ip addr add 10.9.0.1/24 dev out0", "ip -6 addr add fd09::1/64 dev out0 nodad", "ip link set out0 up",
                "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:01 dev out0", "ip -6 neigh add fd09::2 lladdr 02:00:00:00:00:01 dev out0",
                "ip route add default via 10.9.0.2"):
    subprocess.run(command.split(), check=True)

def sent(user):
    receive, send = os.pipe()
    if os.fork() == 0:
        os.setgroups([]); os.setgid(user); os.setuid(user)
        out = []
        for address, port in (("10.9.0.2", 67), ("255.255.255.255", 67), ("fd09::2", 547), ("10.9.0.2", 68)):
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            try:
                sock.sendto(b"x", (address, port))
                out.append(True)
            except OSError:
                out.append(False)
        os.write(send, json.dumps(out).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(receive, 64))

print(json.dumps([sent(2000), sent(1990)]))
"""

# Within one machine: how many connections root, as nginx, has to a kettle, and whether another user, the kettle, still has one.
WITHIN = """
import os, socket, subprocess, sys

for command in (f"nft -f {sys.argv[1]}", "ip link set lo up"):
    subprocess.run(command.split(), check=True)
server = socket.create_server(("127.0.0.1", 3001), backlog=1024)
held = []
try:
    while len(held) < 500:
        held.append(socket.create_connection(("127.0.0.1", 3001), timeout=600))
except ConnectionRefusedError:
    pass
print(len(held))
os.setgid(2000); os.setuid(2000)
socket.create_connection(("127.0.0.1", 3001), timeout=600)
"""


def test_a_kettle_has_so_many_visitors_and_still_asks_itself_whether_it_is_there(tmp_path: Path) -> None:
    """Fewer than it may have open files, or workerd would end. (The limit is made lower here.)"""
    if os.geteuid() != 0:
        pytest.skip("making a network needs root")
    require("nft")
    text = RULES.read_text()
    assert text.count("ct count over 4096") == 2  # who comes from outside, and nginx
    (tmp_path / "rules").write_text(text.replace("ct count over 4096", "ct count over 100"))
    argv = [require("unshare"), "--net", sys.executable, "-c", WITHIN, str(tmp_path / "rules")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout) == (0, "100\n"), done.stderr


@pytest.fixture(scope="module")
def found() -> dict[str, list[object]]:
    if os.geteuid() != 0:
        pytest.skip("making a network needs root")
    require("nft")
    argv = [require("unshare"), "--net", sys.executable, "-c", TRY, str(RULES), str(MOST)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    results: dict[str, list[object]] = json.loads(done.stdout)
    return results


def test_a_kettle_that_talks_to_everybody_leaves_room_for_others() -> None:
    """All share the kernel's table of connections."""
    if os.geteuid() != 0:
        pytest.skip("making a network needs root")
    require("nft")
    argv = [require("unshare"), "--net", sys.executable, "-c", SEND, str(RULES), "10000"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    hostile, other, service = json.loads(done.stdout)
    assert 1000 <= hostile <= 2048  # docs/guest.md
    assert (other, service) == (100, 3000)


def test_a_kettle_does_not_give_the_machine_s_address_back() -> None:
    """DHCPRELEASE needs no port of its own, and names the machine by what every program may read (RFC 2131, 4.4.6)."""
    if os.geteuid() != 0:
        pytest.skip("making a network needs root")
    require("nft")
    argv = [require("unshare"), "--net", sys.executable, "-c", RELEASE, str(RULES)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    kettle, other = json.loads(done.stdout)
    assert (kettle, other) == ([False, False, False, True], [True, True, True, True])


@pytest.mark.parametrize("version", ["4", "6"])
def test_one_address_holds_so_many_and_others_still_come_in(found: dict[str, list[object]], version: str) -> None:
    """Of IPv6, all addresses of a network of 64 bits together. [held, one more, another's, one more after all were closed]"""
    assert found[version] == [MOST, False, True, True]
