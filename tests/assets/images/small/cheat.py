"""Looks for what a build must not see or do, and prints what it got: {"what": "how"}. Run in a build: cheat.py TARGETS.

`TARGETS` is a JSON file with "files" (paths on the host), "words" (what is written in them, in a process and in its
environment, in two halves), "unix" and "abstract" (sockets), "port" (TCP) and "disk" (major and minor number).
With --harmless it only looks: so a test can see it find everything where nothing hinders it.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

targets = json.loads(Path(sys.argv[1]).read_text())
word = "".join(targets["words"]).encode()
got: dict[str, str] = {}
roots = [Path("/"), *Path("/proc").glob("[0-9]*/root"), *Path("/proc").glob("[0-9]*/cwd")]


def read(path: Path) -> bytes:
    with suppress(OSError):
        if path.is_file() and path.stat().st_size < 1 << 20:
            return path.read_bytes()
    return b""


def files_of_the_host() -> None:
    for path in targets["files"]:
        for root in roots:
            with suppress(OSError):
                if (place := root / path.lstrip("/")).exists():
                    got[path] = str(place)
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("environ", "cmdline"):
            with suppress(OSError):
                if word in (process / name).read_bytes():
                    got["a process"] = str(process / name)


def sockets_of_the_host() -> None:
    for what, family, address in (
        ("unix", socket.AF_UNIX, targets["unix"]),
        ("abstract", socket.AF_UNIX, "\0" + targets["abstract"]),
        ("port", socket.AF_INET, ("127.0.0.1", targets["port"])),
    ):
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as stream:
            stream.settimeout(5)
            stream.connect(address)
            got[what] = str(address)


def search_everywhere() -> None:
    """Every file that is not the environment's, also after leaving a root (the well-known way out of chroot(2))."""
    jail = Path("/tmp/jail")  # noqa: S108 - the sandbox's
    jail.mkdir()
    os.chdir("/")
    os.chroot(jail)
    for _ in range(20):
        os.chdir("..")
    os.chroot(".")
    for folder, folders, names in os.walk("/"):
        folders[:] = [
            name for name in folders if (folder, name) not in {("/", "usr"), ("/", "proc"), ("/", "buildroot")}
        ]
        for name in names:
            path = Path(folder, name)
            if word in read(path):
                got["a file with the word"] = str(path)
            if name == "planted" and read(path) != os.uname().nodename.encode():
                got["a file of another build"] = str(path)
        with suppress(OSError):
            Path(folder, "planted").write_text(os.uname().nodename)


def network() -> None:
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
        stream.connect(("192.0.2.1", 53))  # TEST-NET-1 (RFC 5737): connecting sends nothing, but needs a route
        got["network"] = str(stream.getsockname())
    with suppress(OSError), socket.socket(socket.AF_VSOCK):  # to the hypervisor, whatever the network namespace
        got["hypervisor"] = "a socket"


def settings_of_the_host() -> None:
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/dev/kmsg"):
        with suppress(OSError):
            with open(path, "r+b", buffering=0) as stream:  # noqa: PTH123
                stream.write(stream.read(64) if path.endswith("pattern") else b"0")
            got[path] = "written"


def devices_of_the_host() -> None:
    for path in ("/dev/mem", "/dev/kvm", "/dev/fuse", "/dev/loop-control", "/dev/vsock", "/dev/net/tun", "/sys/kernel"):
        if Path(path).exists():
            got[path] = "there"
    libc = ctypes.CDLL(None, use_errno=True)
    node = "/tmp/disk"  # noqa: S108
    with suppress(OSError):
        os.mknod(node, 0o60600, os.makedev(*targets["disk"]))
        got["disk"] = "a device file"
    Path("/tmp/mounted").mkdir()  # noqa: S108
    for kind in ("ext4", "sysfs", "devtmpfs", "debugfs", "securityfs"):
        if libc.mount(node.encode(), b"/tmp/mounted", kind.encode(), 0, None) == 0:
            got[kind] = "mounted"


files_of_the_host()
sockets_of_the_host()
if "--harmless" not in sys.argv:
    network()
    settings_of_the_host()
    devices_of_the_host()
    search_everywhere()
json.dump(got, sys.stdout)
