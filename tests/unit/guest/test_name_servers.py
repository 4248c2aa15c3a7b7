"""Who says where a server is, is the host's choice, and the C library waits for him as long as he likes: not so what we run.

In a network of the test's own, with the C library's own settings of who is asked: port 53 of loopback.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import builders
import teekit_guest
from builders.names import AAAA, A
from builders.tools import require

ROOT_OF_ITS_OWN = () if os.geteuid() == 0 else ("--user", "--map-root-user")
IMPORTS = [str(Path(package.__path__[0]).parent) for package in (builders, teekit_guest)]
SETTINGS = """
printf 'nameserver 127.0.0.1\\n' > "$1/resolv.conf" && printf 'hosts: dns\\n' > "$1/nsswitch.conf" &&
mount --bind "$1/resolv.conf" /etc/resolv.conf && mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf &&
ip link set lo up && shift && exec "$@"
"""
# What a download came to, and what the name server was asked for meanwhile. The end does not wait for a thread that still asks.
DOWNLOAD = f"""
import json, sys, time
sys.path[:0] = {IMPORTS!r}
from builders.http import serve
from builders.names import name_server_by_tcp
from teekit_guest import fetch
seconds, answered = float(sys.argv[1]), json.loads(sys.argv[2])
with serve() as server, name_server_by_tcp("127.0.0.1", answered) as asked:
    server.files["/app.js"] = b"the app"
    try:
        came = fetch.download(server.address("/app.js").replace("127.0.0.1", "apps.test"), seconds=seconds, most_bytes=100).decode()
    except fetch.Unreachable as error:
        came = str(error)
    while not asked:  # a busy machine: the thread has not come so far yet
        time.sleep(0.01)
    print(json.dumps([came, sorted(set(asked))]))
"""


def download(folder: Path, seconds: float, answered: list[int]) -> Any:
    unshare = [require("unshare"), *ROOT_OF_ITS_OWN, "--net", "--mount", "sh", "-c", SETTINGS, "sh", str(folder)]
    argv = [*unshare, sys.executable, "-c", DOWNLOAD, str(seconds), json.dumps(answered)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_name_server_that_answers_by_tcp(tmp_path: Path) -> None:
    assert download(tmp_path, 600, [A, AAAA]) == ["the app", [A, AAAA]]


@pytest.mark.parametrize("answered", [[A], [AAAA]])
def test_a_name_server_that_answers_one_of_two_questions_takes_no_longer_than_a_download_may(
    tmp_path: Path, answered: list[int]
) -> None:
    """By TCP, and keeps the connection: getaddrinfo() of glibc 2.41 would wait for the other answer for ever."""
    came, asked = download(tmp_path, 1, answered)
    assert came == "the name servers did not say in time where 'apps.test' is"
    assert asked
