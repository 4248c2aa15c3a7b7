"""A shell in the environment: the folder one stands in and the network, and no right of the host's root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from builders import rebuilds
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import idmapped, shell
from teekit_verify.rebuild.sandbox import FIRST_ID, Sandbox

if TYPE_CHECKING:
    from teekit_verify.rebuild.provision import Provision

needs_root = pytest.mark.skipif(not idmapped.is_host_root(), reason="only the host's root has ids to choose from")

_PROCESS = """\
import sys
from pathlib import Path
from types import SimpleNamespace
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.shell import become_shell
provision = SimpleNamespace(environment=lambda: SimpleNamespace(root=Path(sys.argv[1])))
try:
    become_shell(provision, Path(sys.argv[2]), sys.argv[3:])
except TeekitError as error:
    sys.exit(f"{error.message}; {error.hint}")
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("bwrap")
    made = rebuilds.make_tree(tmp_path_factory.mktemp("environment") / "tree")
    (made / "etc/resolv.conf").touch()
    return made


@pytest.fixture
def provision(tree: Path) -> Provision:
    class Stand:
        def environment(self) -> object:
            return rebuilds.environment(tree)

    return cast("Provision", Stand())


@pytest.fixture
def givable(tmp_path: Path) -> Path:
    """A folder on a file system that can be mounted with other ids: the overlay of a container cannot."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True).stdout
    if idmapped.is_host_root() and kind.strip() == "overlayfs":
        pytest.skip("the temporary directory is on an overlay")
    return tmp_path


def in_shell(tree: Path, here: Path, script: str) -> tuple[int, str]:
    command = [sys.executable, "-c", _PROCESS, str(tree), str(here), "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def test_a_shell_may_write_its_working_directory_and_nothing_else(tree: Path, givable: Path) -> None:
    here = givable / "here"
    here.mkdir()
    (givable / "secret").touch()
    script = f"pwd; touch made; ls {givable}; touch /usr/x 2>/dev/null || echo read-only"
    assert in_shell(tree, here, script) == (0, f"{here}\nhere\nread-only\n")
    owner = here.stat()
    assert ((here / "made").stat().st_uid, (here / "made").stat().st_gid) == (owner.st_uid, owner.st_gid)
    assert in_shell(tree, here, "exit 7")[0] == 7


_TYPES = """\
import fcntl, os, sys
for request in 0x5412, 0x541C:
    try:
        fcntl.ioctl(0, request, b"x")
        print("typed")
    except OSError as error:
        print(error.strerror)
"""


def test_nothing_is_typed_into_the_terminal(tmp_path: Path) -> None:
    """What a program types there, with TIOCSTI, the shell that one comes back to would run: as root, on the host."""
    ours, theirs = os.openpty()
    sandbox = Sandbox(root=Path("/"), tree=("usr",), network=True, terminal=True)
    inside = sandbox.command_line(["python3", "-c", _TYPES])
    # The leader of a session has the first terminal that it opens.
    command = ["setsid", "sh", "-c", 'exec "$@" <>"$0"', os.ttyname(theirs), *inside]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, done.stdout) == (0, "Operation not permitted\n" * 2)


def test_a_shell_has_the_network_and_the_terminal(provision: Provision, tmp_path: Path) -> None:
    sandbox = shell.shell_sandbox(provision, tmp_path)
    assert sandbox.network
    assert sandbox.terminal


@needs_root
def test_root_is_nobody_on_the_host(tree: Path, givable: Path) -> None:
    """Also where the folder is behind one that only root may enter."""
    here = givable / "closed" / "here"
    here.mkdir(parents=True)
    here.parent.chmod(0o700)
    status, said = in_shell(tree, here, "id -u; cat /proc/self/uid_map /proc/self/gid_map")
    assert (status, said.split()) == (0, ["0", *2 * ["0", str(FIRST_ID), "65536"]])


@needs_root
@pytest.mark.parametrize(
    "attempt",
    [
        "echo 1 >/proc/sys/kernel/printk",
        "echo h >/proc/sysrq-trigger",
        "mknod disk b 8 0",
        "mount -t sysfs none /tmp",
        "mount -o remount,bind,suid . && touch made",
        "cat foreign",
        "echo x >>foreign",
        "chown 0:0 own",
    ],
)
def test_what_only_the_hosts_root_may(tree: Path, givable: Path, attempt: str) -> None:
    """In a folder of another user, with a file of root's in it."""
    here = givable / "here"
    here.mkdir()
    (here / "own").write_text("mine")
    os.chown(here / "own", 4321, 4322)
    (here / "foreign").write_text("root's")
    (here / "foreign").chmod(0o600)
    os.chown(here, 4321, 4322)
    status, said = in_shell(tree, here, f"cat own; ({attempt}) 2>/dev/null && echo it worked; echo; touch made")
    assert (status, said) == (0, "mine\n") or attempt.startswith("chown")
    assert [(path.stat().st_uid, path.stat().st_gid) for path in (here / "own", here / "made")] == 2 * [(4321, 4322)]
    assert (here / "foreign").read_text() == "root's"


@needs_root
def test_a_folder_that_cannot_be_given_is_refused(tree: Path) -> None:
    """The kernel maps the ids of no file system like /proc."""
    status, said = in_shell(tree, Path("/proc/self"), "true")
    assert status == 1
    assert (
        "cannot be given to a shell that is nobody on the host: Invalid argument; Change into a folder on ext4" in said
    )


@pytest.mark.parametrize(
    ("id_map", "is_host"),
    [("0 0 4294967295\n", True), ("0 1000 1\n1 100000 65536\n", False), ("0 100000 65536\n", False)],
)
def test_root_of_a_container_is_somebody_else_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id_map: str, *, is_host: bool
) -> None:
    (tmp_path / "map").write_text(id_map)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert idmapped.is_host_root(tmp_path / "map") is is_host
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not idmapped.is_host_root(tmp_path / "map")


def test_a_shell_without_a_resolver_on_the_host(
    provision: Provision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: str(path) != "/etc/resolv.conf")
    assert shell.shell_sandbox(provision, tmp_path).read_only_binds == {}


@pytest.mark.parametrize("place", ["/", "/usr", "/usr/bin", "/etc"])
def test_a_shell_cannot_stand_where_the_environment_is(provision: Provision, place: str) -> None:
    with pytest.raises(TeekitError) as caught:
        shell.shell_sandbox(provision, Path(place))
    assert caught.value.message == f"{Path(place).resolve()} would take the environment's place"
    assert caught.value.hint == "Change into another folder."
