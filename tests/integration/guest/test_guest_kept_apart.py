"""Two kettles of strangers in one machine: what one of them can do to the other. In the image as it runs, for what is seen here
depends on its kernel and on systemd (profile devtools, for the shell that acts as a kettle that got out of workerd).
"""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders.guest_console import ask as ask_console
from builders.http import serve
from builders.names import GOOD, name_server
from builders.network import own_network
from builders.tools import require
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[3]
_BOOT_SECONDS, _ANSWER_SECONDS, _RESTART_SECONDS = 1800, 600, 1200
# Whoever it belongs to: runs any SQL, and can be made to keep its thread for ever, or to take all it can get.
APP = """// %s
const kept = []
export default { async fetch(request, { DB, QUOTE_SERVICE }) {
  if (request.url.endsWith("/loop")) for (;;) {}
  if (request.url.endsWith("/memory")) for (;;) kept.push(new Uint8Array(1 << 20).fill(1))
  if (request.url.endsWith("/log")) for (let i = 0; i < 2000; i++) console.log("x".repeat(1 << 16))
  if (request.url.endsWith("/quotes")) {
    const url = "http://quote/quote?report_data=" + "00".repeat(64)
    const answers = await Promise.allSettled(Array.from({ length: 400 }, () => QUOTE_SERVICE.fetch(url)))
    return Response.json(answers.filter((answer) => answer.value?.status === 200).length)
  }
  if (request.url.endsWith("/heads")) {
    const headers = Object.fromEntries(Array.from({ length: 98 }, (_, i) => [`h${i}`, "x".repeat(65000)]))
    for (let i = 0; i < 10; i++)
      await Promise.allSettled(Array.from({ length: 4 }, () => QUOTE_SERVICE.fetch("http://quote/healthz", { headers })))
  }
  if (request.url.endsWith("/quotes-are-there")) return QUOTE_SERVICE.fetch("http://quote/healthz")
  if (request.url.endsWith("/unread")) await scheduler.wait(600000)
  if (request.url.includes("/name/")) {
    const url = `http://${request.url.split("/name/")[1]}/`
    try { await fetch(url, { signal: AbortSignal.timeout(20000) }) } catch (error) { return new Response(`${error}`) }
  }
  if (request.method !== "POST") return new Response("hello")
  try { return Response.json((await DB.execute(await request.text())).rows) } catch (error) { return Response.json(`${error}`) }
} }
"""
KEPT = "by kettle 1"
# As what, in the control group of what: the firewall goes by the user, systemd's restrictions on ports by the group.
AS_KETTLE = (
    "import os, socket, sys; group, user, port = sys.argv[1:]; "
    "open(f'/sys/fs/cgroup/kettle.slice/kettle-{user}.slice/{group}@{user}.service/cgroup.procs', 'w').write(str(os.getpid())); "
    "os.setgroups([]); os.setgid(2000 + int(user)); os.setuid(2000 + int(user)); "
    "sock = socket.socket(); sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
)
BIND = f"{AS_KETTLE} sock.bind(('127.0.0.1', int(port))); print('bound')"
# Questions to whom it asks for names, each of which takes long; then the number of those that it could send.
ASK_MUCH = f"""
{AS_KETTLE}
import time
udp = socket.socket(type=socket.SOCK_DGRAM)
server = next(line.split()[1] for line in open("/etc/resolv.conf") if line.startswith("nameserver"))
sent = 0
for i in range(6000):
    question = bytes([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"".join(bytes([len(part)]) + part for part in (b"x%d" % i, b"slow", b"test", b""))
    try:
        udp.sendto(i.to_bytes(2, "big") + question + bytes([0, 1, 0, 1]), (server, 53))
        sent += 1
    except OSError:
        pass
    time.sleep(0.0002)
print("sent", sent)
"""
# As what a kettle runs: a process that makes no other, with a kettle's limit of open files (`port`). Sockets that only have a port.
TAKE_PORTS = f"""
{AS_KETTLE}
import resource
from teekit_guest.one_process import confine
resource.setrlimit(resource.RLIMIT_NOFILE, (int(port), int(port)))
confine()
held = []
try:
    while True:
        held.append(socket.socket(type=socket.SOCK_DGRAM))
        held[-1].connect(("127.0.0.1", 9))
except OSError:
    pass
try:
    os.fork()
except OSError:
    print("no process")
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.syscall(425, 8, ctypes.create_string_buffer(120)) < 0:  # io_uring_setup: a ring has files of its own
    print("no ring", ctypes.get_errno())
print("held", len(held))
"""
# As code that got out of workerd: in the unit's whole sandbox, with what workerd itself may not do either (teekit_guest.one_process).
# Each line is what was tried and what came of it.
ESCAPED = """
import ctypes, errno, os, socket
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(4096)
def tell(name, attempt):
    try:
        attempt()
        print(name, "done", flush=True)
    except OSError as error:
        print(name, errno.errorcode[error.errno], flush=True)
def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")
for name, family, kind, protocol in (
    ("netlink", 16, 3, 0), ("vsock", 40, 1, 0), ("packet", 17, 3, 3), ("alg", 38, 5, 0), ("xdp", 44, 3, 0), ("key", 15, 3, 2),
    ("raw", 2, 3, 1), ("raw6", 10, 3, 58),
):
    tell(name, lambda: socket.socket(family, kind, protocol).close())
# asm/unistd_64.h
for name, *arguments in (
    ("bpf", 321, 0, room, 128), ("perf_event_open", 298, room, 0, -1, -1, 0), ("userfaultfd", 323, 0), ("ptrace", 101, 0, 0, 0, 0),
    ("user namespace", 272, 0x10000000), ("setns", 308, 0, 0), ("mount", 165, b"x", b"/tmp", b"tmpfs", 0, 0), ("fsopen", 430, b"tmpfs", 0),
    ("open_tree", 428, -100, b"/", 1), ("chroot", 161, b"/tmp"), ("init_module", 175, room, 16, b""), ("kexec_load", 246, 0, 0, 0, 0),
    ("fanotify", 300, 0, 0), ("io_uring", 425, 8, room), ("settime", 227, 0, room),
    ("open_by_handle_at", 304, -100, room, 0), ("fork", 57), ("vfork", 58),
):
    tell(name, lambda: call(*arguments))
tell("device", lambda: os.mknod("/tmp/device", 0o020666, os.makedev(1, 1)))
tell("set-id", lambda: (open("/tmp/set-id", "w").close(), os.chmod("/tmp/set-id", 0o4755)))
tell("root", lambda: os.setuid(0))
tell("priority", lambda: os.nice(-1))
tell("log of the kernel", lambda: open("/dev/kmsg", "w"))
tell("its own quotes", lambda: socket.socket(socket.AF_UNIX).connect("/run/quote/15/socket"))
for path in ("/run/quote/0/socket", "/run/systemd/private", "/run/systemd/notify", "/run/attestation/https"):
    tell(path, lambda: socket.socket(socket.AF_UNIX).connect(path))
for top, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if os.path.join(top, name) != "/proc"]
    for path in (top, *(os.path.join(top, name) for name in names)):
        if os.access(path, os.W_OK) and not os.path.islink(path):
            print("writable", repr(path), flush=True)
print("ended", flush=True)
"""
# A protocol that is a module, and ends that leave a core; then how many processes there were that it did not make itself.
START_PROGRAMS = f"""
{AS_KETTLE}
def processes():
    return int(next(line.split()[1] for line in open("/proc/stat") if line.startswith("processes")))
before = processes()
for _ in range(20):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, 132)  # SCTP
    except OSError:
        pass
for _ in range(20):
    if (child := os.fork()) == 0:
        os.execv("/bin/sh", ["sh", "-c", "kill -QUIT $$"])  # who has changed his user leaves a core only after that
    os.waitpid(child, 0)
print("others", processes() - before - 20)
"""
# Connections to itself, with as much in each as it takes, which nobody reads.
FILL_SOCKETS = f"""
{AS_KETTLE}
import time
held = []
while True:
    try:
        held.append(socket.create_connection(("127.0.0.1", int(port)), 5))
        held[-1].sendall(b"POST /unread HTTP/1.1\\r\\nHost: kettle\\r\\nContent-Length: 100000000\\r\\n\\r\\n")
        held[-1].setblocking(False)
        while True:
            held[-1].send(bytes(1 << 18))
    except BlockingIOError:
        pass
    except OSError:
        time.sleep(0.1)
"""
# Least, at first and at most, in bytes, as tcp(7) has them for a machine with memory to spare.
LINUX_SOCKETS = {"tcp_rmem": "4096 131072 6291456", "tcp_wmem": "4096 16384 4194304"}
# What the firewall refuses is EPERM at once. What lies behind, if anything, does not matter.
SEND = f"""
{AS_KETTLE}
import errno
for address in ADDRESSES:
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"", (address, 80))
        print(address, "sent")
    except OSError as error:
        print(address, errno.errorcode[error.errno])
"""
CONNECT = f"{AS_KETTLE} sock.settimeout(10); sock.connect(('127.0.0.1', int(port))); print('connected')"


@pytest.fixture(scope="module")
def running(devtools_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What scripts/test_local.sh prints once both kettles answer."""
    require("qemu-system-x86_64")
    folder = tmp_path_factory.mktemp("manifests")
    command = [str(CHECKOUT / "scripts/test_local.sh"), str(devtools_image), "--json", "--timeout", str(_BOOT_SECONDS)]
    with own_network(), serve() as server, name_server() as asked:
        for kettle in (0, 1):
            app = (APP % kettle).encode()
            server.files[f"/{kettle}.js"] = app
            manifest = {
                "app": server.address(f"/{kettle}.js").replace("127.0.0.1", "10.0.2.2"),
                "sha256": hashlib.sha256(app).hexdigest(),
            }
            (folder / f"{kettle}.json").write_text(json.dumps(manifest))
            command += ["--manifest", str(folder / f"{kettle}.json")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline() or "{}")
            assert len(ready.get("kettles", [])) == 2, "it ended before both kettles answered"
            yield {**ready, "asked": asked}
            process.send_signal(signal.SIGINT)
            assert process.wait(_ANSWER_SECONDS) == ExitStatus.HOLDS


@pytest.fixture(scope="module")
def console(running: dict[str, Any]) -> Path:
    path = Path(running["console"])
    assert ask_console(path, "id -u") == "0"
    return path


def sql(running: dict[str, Any], kettle: int, statement: str) -> Any:
    with urllib.request.urlopen(running["kettles"][kettle], statement.encode(), timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - a server of this test
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def escaped(console: Path) -> list[str]:
    """What ESCAPED says as kettle 15, which has no app of its own here."""
    unit = "kettle@15.service"
    start = "/usr/bin/python3 -I -m teekit_guest.one_process /usr/bin/python3 -I /run/kettle/15/escaped.py"
    settings = f"[Service]\\nRestart=no\\nExecStart=\\nExecStart={start}\\n"
    # Packed: a terminal takes 4095 characters in a line.
    packed = base64.b64encode(zlib.compress(ESCAPED.encode())).decode()
    unpack = "import sys, zlib; sys.stdout.buffer.write(zlib.decompress(sys.stdin.buffer.read()))"
    ask_console(
        console,
        f"echo {packed} | base64 -d | python3 -I -c '{unpack}' > /run/kettle/15/escaped.py; chmod 0644 /run/kettle/15/escaped.py; "
        f"mkdir -p /run/systemd/system/{unit}.d; printf '{settings}' > /run/systemd/system/{unit}.d/99-test.conf; "
        f"systemctl daemon-reload; systemctl start --no-block {unit}",
    )
    log, until = "", time.monotonic() + _RESTART_SECONDS
    while not log.endswith("ended"):
        assert time.monotonic() < until, log + ask_console(console, "cat /var/lib/kettle/15/kettle-error.log")
        time.sleep(2)
        log = ask_console(console, "cat /var/lib/kettle/15/kettle.log")
    ask_console(console, f"systemctl stop {unit} sqld@15.service var-lib-kettle-15.mount")
    return log.splitlines()


@pytest.fixture(scope="module")
def database(running: dict[str, Any], console: Path) -> str:
    """The file with what kettle 1 keeps, as the machine's root sees it."""
    sql(running, 1, "create table secrets (text)")
    sql(running, 1, f"insert into secrets values ('{KEPT}')")  # noqa: S608 - a constant
    found = ask_console(console, "find /var/lib/kettle/1/data -type f -name 'data*' | sort").splitlines()
    assert found
    return found[0]


def test_each_kettle_has_its_own_database(running: dict[str, Any], database: str) -> None:
    assert sql(running, 1, "select text from secrets") == [{"text": KEPT}]
    assert "no such table" in sql(running, 0, "select text from secrets")


def test_sql_that_reads_files_finds_none_of_another_kettle(running: dict[str, Any], database: str) -> None:
    own = sql(running, 0, "select name from fsdir('/var/lib/kettle')")
    if isinstance(own, str):
        assert "no such table: fsdir" in own  # a version of sqld that does without
        return
    names = {row["name"] for row in own}
    assert any(name.startswith("/var/lib/kettle/0/data/") for name in names), "it does not even find its own"
    folders = {"/var/lib/kettle", "/var/lib/kettle/0", "/var/lib/kettle/0/data"}
    assert {name for name in names if not name.startswith("/var/lib/kettle/0/data/")} == folders
    for path in (database, "/run/kettle/1/app/app.js", "/var/lib/kettle/1/kettle.log", "/run/kettle/0/app/app.js"):
        assert sql(running, 0, f"select readfile('{path}') is null as missing") == [{"missing": 1}], path
    for path in (database, "/var/lib/kettle/1/planted", "/var/lib/kettle/1/data/planted", "/run/kettle/1/ready"):
        assert sql(running, 0, f"select writefile('{path}', 'x') is null as missing") == [{"missing": 1}], path
    assert "unsupported statement" in sql(running, 0, f"attach '{database}' as other")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("attach ':memory:' as other", "unsupported statement"),
        ("vacuum into '/var/lib/kettle/0/data/copy'", "unsupported statement"),
        ("pragma temp_store_directory = '/tmp'", "unsupported statement"),
        ("pragma writable_schema = on", "unsupported statement"),
        ("pragma mmap_size = 1000000000000", "unsupported statement"),
        ("pragma hard_heap_limit = 0", "unsupported statement"),
        ("select load_extension('/tmp/x')", "not authorized"),
        ("select length(zeroblob(2147483647))", "too big"),
        ("select length(hex(zeroblob(400000000)))", "too big"),
        (f"select {'(' * 5000}1{')' * 5000}", "overflowed its stack"),
        (f"select {'+'.join('1' * 5000)}", "too large"),
        # It has no end, and takes 10 seconds (docs/guest.md).
        (
            "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n",
            "longer than 10 seconds",
        ),
    ],
)
def test_sql_that_takes_more_than_there_is_ends_with_an_error(
    running: dict[str, Any], database: str, statement: str, said: str
) -> None:
    assert said in sql(running, 0, statement)
    assert sql(running, 0, "select 1 as one") == [{"one": 1}]
    assert sql(running, 1, "select text from secrets") == [{"text": KEPT}]


def test_the_file_system_of_a_kettle_has_nothing_of_another(console: Path, database: str) -> None:
    for unit in ("kettle@0.service", "sqld@0.service"):
        root = f"/proc/$(systemctl show --property=MainPID --value {unit})/root"
        places = " ".join(f"{root}/{place}" for place in ("var/lib/kettle", "run/kettle", "run/quote"))
        found = ask_console(console, f"find {places} -mindepth 1 -maxdepth 1 2>/dev/null | sed 's:.*/root/::'")
        assert set(found.split()) <= {"var/lib/kettle/0", "run/kettle/0", "run/quote/0"}
        assert found, "it does not even find its own"
        hidden = {
            "kettle@0.service": ("sys/kernel", "sys/fs", "sys/firmware", "etc/kettle"),
            "sqld@0.service": ("sys",),
        }
        for place in hidden[unit]:
            assert ask_console(console, f"stat -c %a {root}/{place}") == "0", place
        assert ask_console(console, f"ls {root}/run/systemd | grep journal") == ""
        assert "there" in ask_console(console, f"test -e {root}/usr && echo there")
        assert "there" not in ask_console(console, f"test -e {root}{database} && echo there")


def as_kettle(console: Path, program: str, group: str, kettle: int, port: int) -> str:
    return ask_console(console, f'python3 -I -c "{program}" {group} {kettle} {port}')


def script_as_kettle(console: Path, script: str, group: str, kettle: int, port: int) -> str:
    """As long as one likes, and with quotes in it."""
    packed = base64.b64encode(script.encode()).decode()
    return ask_console(
        console, f"echo {packed} | base64 -d > /run/script.py; python3 -I /run/script.py {group} {kettle} {port}"
    )


@pytest.mark.parametrize(
    ("group", "port", "said"),
    [
        ("kettle", 3001, "Address already in use"),  # its own: the kettle has it, and it may ask
        ("sqld", 4001, "Address already in use"),
        ("kettle", 3002, "Operation not permitted"),
        ("kettle", 3016, "Operation not permitted"),
        ("kettle", 4002, "Operation not permitted"),
        ("kettle", 4001, "Operation not permitted"),
        ("kettle", 8080, "Operation not permitted"),
        ("sqld", 3016, "Operation not permitted"),
    ],
)
def test_a_kettle_takes_no_port_but_its_own(console: Path, group: str, port: int, said: str) -> None:
    assert said in as_kettle(console, BIND, group, 0, port)


@pytest.mark.parametrize(
    ("group", "port", "said"),
    [
        ("kettle", 3001, "connected"),
        ("kettle", 4001, "connected"),
        ("kettle", 3002, "refused"),
        ("kettle", 4002, "refused"),
        ("sqld", 4002, "refused"),
    ],
)
def test_a_kettle_connects_to_no_other(console: Path, group: str, port: int, said: str) -> None:
    assert said in as_kettle(console, CONNECT, group, 0, port)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:3002", "[::ffff:127.0.0.1]:3002", "0.0.0.0:3002", "10.0.2.15:3002", "10.0.2.2:8090"]
)
def test_an_app_has_no_answer_from_another_kettle_or_the_metadata_service(running: dict[str, Any], host: str) -> None:
    """Both are there, and answer others."""
    assert "rror" in asked(running, 0, f"/name/{host}")[1]


@pytest.mark.parametrize(
    ("said", "addresses"),
    [
        # The metadata service as translators and tunnels have it (RFC 6052, 8215, 3056, 4291, 2765); QEMU's host.
        (
            "EPERM",
            [
                "64:ff9b::a9fe:a9fe",
                "64:ff9b:1::a9fe:a9fe",
                "2002:a9fe:a9fe::",
                "::a9fe:a9fe",
                "::ffff:0:a9fe:a9fe",
                "fec0::2",
            ],
        ),
        ("sent", ["64:ff9b::808:808", "2600::1"]),
    ],
)
def test_a_kettle_reaches_only_public_addresses_by_ipv6(console: Path, said: str, addresses: list[str]) -> None:
    lines = script_as_kettle(console, SEND.replace("ADDRESSES", repr(addresses)), "kettle", 0, 0).splitlines()
    assert lines == [f"{address} {said}" for address in addresses]


def test_a_kettle_that_asks_for_many_names_leaves_others_theirs(running: dict[str, Any], console: Path) -> None:
    """They come from the host, as if DHCP had said so: what a cloud says is not for a test to choose."""
    settings = "[Network]\\nDNS=10.0.2.2\\n[DHCPv4]\\nUseDNS=no\\n"
    folder = "/run/systemd/network/80-dhcp.network.d"
    ask_console(
        console, f"mkdir -p {folder}; printf '{settings}' > {folder}/test.conf; systemctl restart systemd-networkd"
    )
    until = time.monotonic() + _RESTART_SECONDS
    while f"before.{GOOD}" not in running["asked"]:
        asked(running, 1, f"/name/before.{GOOD}")
        assert time.monotonic() < until, ask_console(console, "cat /etc/resolv.conf /run/systemd/resolve/resolv.conf")
    said = script_as_kettle(console, ASK_MUCH, "kettle", 0, 0)
    assert int(said.rpartition("sent ")[2]) > 1000, said
    asked(running, 1, f"/name/after.{GOOD}")
    assert f"after.{GOOD}" in running["asked"]


def test_what_says_who_the_name_servers_are_speaks_to_nobody_else(console: Path) -> None:
    sockets = ask_console(console, "stat -c '%a %U' /run/systemd/resolve/io.*").splitlines()
    assert sockets
    assert set(sockets) == {"600 systemd-resolve"}
    assert ask_console(console, "ss -lnu | grep -c '127.0.0.5[34]'") == "0"


def test_a_kettle_does_not_see_who_visits_another(console: Path) -> None:
    for unit in ("kettle@0.service", "sqld@0.service"):
        for process in ask_console(
            console, f"cat /sys/fs/cgroup/kettle.slice/kettle-0.slice/{unit}/cgroup.procs"
        ).split():
            assert ask_console(console, f"stat -c %a /proc/{process}/root/proc; ls /proc/{process}/root/proc") == "0"


def test_a_kettle_leaves_others_their_ports(console: Path) -> None:
    """Of which the machine has some 50000."""
    group = "/sys/fs/cgroup/kettle.slice/kettle-0.slice/kettle@0.service/cgroup.procs"
    workerd = ask_console(console, f"for i in $(cat {group}); do grep -lx workerd /proc/$i/comm; done | cut -d/ -f3")
    assert workerd.isdigit(), workerd
    filters = "grep Seccomp_filters /proc/{}/status | cut -f2"
    of_unit = int(ask_console(console, filters.format("$(systemctl show -P MainPID kettle@0)")))
    assert int(ask_console(console, filters.format(workerd))) == of_unit + 1
    most = int(ask_console(console, f"grep 'open files' /proc/{workerd}/limits").split()[4])
    said = script_as_kettle(console, TAKE_PORTS, "kettle", 0, most)
    assert "no process" in said
    assert "no ring 1\n" in said
    low, high = map(int, ask_console(console, "cat /proc/sys/net/ipv4/ip_local_port_range").split())
    assert most * 0.9 < int(said.rpartition("held ")[2]) <= most < (high - low) / 3


def test_a_kettle_has_no_way_to_pid_1(console: Path) -> None:
    for unit in ("kettle@0.service", "sqld@0.service"):
        process = ask_console(console, f"systemctl show --no-pager -P MainPID {unit}")
        assert ask_console(console, f"grep -c NOTIFY_SOCKET /proc/{process}/environ") == "0"
        sockets = ask_console(
            console, f"find /proc/{process}/root/run -type s 2>/dev/null | sed 's:.*/root/::'"
        ).split()
        assert set(sockets) <= {
            "run/quote/0/socket",
            *("run/systemd/resolve/io.systemd.Resolve", "run/systemd/resolve/io.systemd.Resolve.Monitor"),
        }


ESCAPED_ATTEMPTS = 36
# By systemd's filter of families, by the lack of a capability, and where a socket is not there at all.
REFUSED = {
    **dict.fromkeys(("netlink", "vsock", "packet", "alg", "xdp", "key"), "EAFNOSUPPORT"),
    **dict.fromkeys(("/run/quote/0/socket", "/run/systemd/private", "/run/systemd/notify"), "ENOENT"),
    "/run/attestation/https": "ENOENT",
    "log of the kernel": "EROFS",
    "its own quotes": "done",
}


def test_code_that_got_out_of_workerd_finds_no_way_on(escaped: list[str]) -> None:
    """What nothing else is said of is refused with EPERM."""
    tried = dict(line.rsplit(" ", 1) for line in escaped if not line.startswith("writable ") and " " in line)
    assert len(tried) == ESCAPED_ATTEMPTS
    assert {name: said for name, said in tried.items() if said != REFUSED.get(name, "EPERM")} == {}


def test_code_that_got_out_of_workerd_writes_into_its_own_folder_for_temporary_files(escaped: list[str]) -> None:
    """And into devices that keep nothing, and queues and memory of its own (PrivateIPC=, and a limit)."""
    writable = {line.removeprefix("writable ").strip("'") for line in escaped if line.startswith("writable ")}
    devices = {f"/dev/{name}" for name in ("full", "null", "ptmx", "random", "tty", "urandom", "zero")}
    assert writable == {"/tmp", "/tmp/set-id", "/dev/shm", "/dev/mqueue", *devices}  # noqa: S108


def test_nothing_that_a_kettle_does_makes_the_kernel_start_a_program(console: Path) -> None:
    """It would be root's, and in no control group: neither memory nor processor time of it would count as the kettle's."""
    said = script_as_kettle(console, START_PROGRAMS, "sqld", 0, 0)
    assert int(said.rpartition("others ")[2]) < 10, said  # the machine itself starts some


def test_the_memory_of_sockets_is_limited_for_each_service_and_not_for_all_together(console: Path) -> None:
    pages = int(ask_console(console, "cat /sys/fs/cgroup/kettle.slice/kettle-0.slice/memory.max")) // 4096
    for name in ("tcp_mem", "udp_mem"):
        assert int(ask_console(console, f"cat /proc/sys/net/ipv4/{name}").split()[0]) > 16 * pages


def test_a_kettle_that_fills_sockets_ends_by_its_own_limit_of_memory(
    running: dict[str, Any], console: Path, database: str
) -> None:
    """Which is larger than what the kernel gives all TCP connections together where nobody says otherwise.

    Each has what Linux lets one hold: of the image's sockets, with a tenth of that, it takes so many that an emulated guest is at it for ten minutes.
    """
    limits = {name: f"/proc/sys/net/ipv4/{name}" for name in LINUX_SOCKETS}
    of_the_image = {name: ask_console(console, f"cat {file}") for name, file in limits.items()}
    for name, file in limits.items():
        ask_console(console, f"echo {LINUX_SOCKETS[name]} > {file}")
        assert ask_console(console, f"cat {file}").split() == LINUX_SOCKETS[name].split()
    ended = "grep -w oom_kill /sys/fs/cgroup/kettle.slice/kettle-0.slice/memory.events"
    others = "systemctl show --no-pager -P NRestarts kettle@1 sqld@1 quote attestation"
    before, restarts = ask_console(console, ended), ask_console(console, others)
    packed = base64.b64encode(FILL_SOCKETS.encode()).decode()
    ask_console(
        console, f"echo {packed} | base64 -d > /run/fill.py; (python3 -I /run/fill.py kettle 0 3001 &) <&- &> /dev/null"
    )
    until = time.monotonic() + _RESTART_SECONDS
    while ask_console(console, ended) == before:
        assert sql(running, 1, "select text from secrets") == [{"text": KEPT}]
        assert asked(running, 1, "/quotes-are-there")[0] == 200
        assert time.monotonic() < until
    ask_console(console, "pkill -f /run/fill.py")
    for name, file in limits.items():
        ask_console(console, f"echo {' '.join(of_the_image[name].split())} > {file}")
    assert asked(running, 1, "/.kettle/health")[0] == 200
    assert ask_console(console, others) == restarts
    while asked(running, 0, "/") != (200, "hello"):
        assert time.monotonic() < until
        time.sleep(1)


def test_a_kettle_does_not_end_the_service_that_others_ask_for_quotes(running: dict[str, Any], console: Path) -> None:
    state = "systemctl show --no-pager -P NRestarts quote.service"
    before = ask_console(console, state)
    asked(running, 0, "/heads")
    assert asked(running, 1, "/quotes-are-there")[0] == 200
    assert ask_console(console, state) == before


def test_a_kettle_that_keeps_its_thread_is_started_anew_and_the_other_does_not_notice(
    running: dict[str, Any], console: Path, database: str
) -> None:
    state = "systemctl show --no-pager --property=NRestarts --value kettle@{}.service"
    # Where the boot was slow, systemd may have started one twice already.
    before = [ask_console(console, state.format(kettle)) for kettle in (0, 1)]
    port = int(running["kettles"][1].rpartition(":")[2])
    until = time.monotonic() + _RESTART_SECONDS
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /loop HTTP/1.0\r\nHost: kettle\r\n\r\n")
        while ask_console(console, state.format(1)) == before[1]:
            assert sql(running, 0, "select 1 as one") == [{"one": 1}]
            assert time.monotonic() < until
            time.sleep(2)
    while True:
        try:
            assert sql(running, 1, "select text from secrets") == [{"text": KEPT}]
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(1)
    assert ask_console(console, state.format(0)) == before[0]


def asked(running: dict[str, Any], kettle: int, path: str) -> tuple[int, str]:
    """Status and text; 0 where no answer comes."""
    url = f"{running['kettles'][kettle].rstrip('/')}{path}"
    try:
        with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310 - a server of this test
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError:
        return 0, ""


# SQL writes as many files as it likes, into its own folder.
FILES = (
    "with recursive n(i) as (select 0 union all select i + 1 from n where i < 1999) "
    "select count(writefile('/var/lib/kettle/0/data/{}-' || i, 'x')) as n from n"
)


def test_a_kettle_that_takes_all_it_can_get_takes_nothing_from_another(
    running: dict[str, Any], console: Path, database: str
) -> None:
    """Room for logs, files, quotes and memory, one after the other. That each is used up is seen too."""

    def others_are_well() -> None:
        assert sql(running, 1, "select text from secrets") == [{"text": KEPT}]
        assert asked(running, 1, "/.kettle/health")[0] == 200

    others_are_well()
    assert asked(running, 0, "/log")[0] == 200
    assert ask_console(console, "df --output=pcent /var/lib/kettle/0 | tail -n 1").strip() == "100%"
    others_are_well()
    if "no such table: fsdir" not in str(sql(running, 0, "select name from fsdir('/var/lib/kettle')")):
        for name in "abc":
            sql(running, 0, FILES.format(name))
        assert ask_console(console, "df --output=ipcent /var/lib/kettle/0 | tail -n 1").strip() == "100%"
    assert asked(running, 0, "/.kettle/health")[0] == 500
    others_are_well()
    assert asked(running, 0, "/quotes")[0] == 200
    others_are_well()
    # Tests before this one ended it too, and systemd starts nobody anew more than five times in five minutes.
    ask_console(console, "systemctl reset-failed kettle@0.service")
    restarts = "systemctl show --no-pager --property=NRestarts --value kettle@0.service"
    before = ask_console(console, restarts)
    assert asked(running, 0, "/memory") == (0, "")
    others_are_well()
    until = time.monotonic() + _RESTART_SECONDS
    while ask_console(console, restarts) == before:
        assert time.monotonic() < until
        time.sleep(2)
    others_are_well()
