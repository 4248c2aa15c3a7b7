"""The workspace: one run at a time, nothing of somebody else's touched, everything of ours removable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import teekit_verify
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.workspace import Workspace, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

_IMPORTS = [str(Path(teekit_verify.__file__).parents[1])]
HOLD = (
    "import sys, pathlib\n"
    "from teekit_verify.rebuild.workspace import Workspace\n"
    "with Workspace(pathlib.Path(sys.argv[1])).locked():\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


def refusal(root: Path) -> TeekitError:
    with pytest.raises(TeekitError) as caught, Workspace(root).locked():
        pass
    return caught.value


def test_nobody_else_reaches_what_a_build_makes(tmp_path: Path) -> None:
    """Which may be set-user-ID, of the user who builds."""
    (tmp_path / "there").mkdir(mode=0o755)
    for root in (tmp_path / "there", tmp_path / "new"):
        with Workspace(root).locked():
            assert root.stat().st_mode & 0o777 == 0o700


def test_a_second_process_is_refused_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLD, str(tmp_path / "w")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        error = refusal(tmp_path / "w")
        assert error.message == f"another run is using {tmp_path / 'w'}"
        assert error.hint == "Wait for it, or build in another folder."
        holder.kill()
    with Workspace(tmp_path / "w").locked():
        pass


@pytest.mark.parametrize("prepared", ["none", "empty", "used"])
def test_a_new_an_empty_and_a_used_workspace_are_taken(tmp_path: Path, prepared: str) -> None:
    root = tmp_path / "deep" / "w"
    if prepared != "none":
        root.mkdir(parents=True)
    if prepared == "used":
        with Workspace(root).locked():
            (root / "A").mkdir()
    with Workspace(root).locked():
        assert (root / "A").exists() == (prepared == "used")


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "thesis.tex").write_text("all of it")
    error = refusal(tmp_path / "w")
    assert error.message == f"{tmp_path / 'w'} has other files in it"
    assert error.hint == "Name an empty or new folder to build in."
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["thesis.tex"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").touch()
    error = refusal(tmp_path / "w")
    assert error.message == f"{tmp_path / 'w'} cannot be built in: File exists"
    assert error.hint == "Name another folder to build in."
    assert refusal(tmp_path / "w" / "x").message.endswith("cannot be built in: Not a directory")


def test_clearing_keeps_the_lock(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "w")
    with place.locked():
        (place.build("A") / "output").mkdir(parents=True)
        place.packages.mkdir()
        (place.root / "file").touch()
        place.clear()
        assert "another run" in refusal(place.root).message
        assert len(list(place.root.iterdir())) == 1


def test_space_is_asked_for_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - what shutil returns
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 2 * 10**9, 2 * 10**9))
    Workspace(tmp_path).require_space(2 * 10**9)
    with pytest.raises(TeekitError) as caught:
        Workspace(tmp_path).require_space(6_442_450_944)
    assert caught.value.message == f"{tmp_path} has 2.0 GB free, the builds need 6.4 GB"
    assert caught.value.hint == "Free some space, or build in a folder elsewhere."


def test_everything_can_be_removed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("fifo", "file", "folder", "link", "dangling", "not-there"):
        remove(tmp_path / name)
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "file"]


REMOVE = "import sys, pathlib; from teekit_verify.rebuild.workspace import remove; remove(pathlib.Path(sys.argv[1]))"
SUBORDINATE_IDS = "nobody:600000:65536\n65534:600000:65536\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("owner", [65534, 600042])
def test_what_a_build_left_is_removed_by_a_user_without_rights(open_folder: Path, owner: int) -> None:
    """Folders that the build closed, and files of the build's other users: the user's subordinate ids own them."""
    home, tree = open_folder / "home", open_folder / "home" / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").touch()
    (tree / "a" / "out").symlink_to(open_folder / "kept")
    (open_folder / "kept").mkdir()
    for path in (tree / "a" / "b" / "file", tree / "a" / "b", tree / "a"):
        os.chown(path, owner, owner)
    for folder in (home, tree):
        os.chown(folder, 65534, 65534)
    for folder in (tree / "a" / "b", tree / "a", tree):
        folder.chmod(0)
    (open_folder / "ids").write_text(SUBORDINATE_IDS)
    script = (
        'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && '
        'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    )
    argv = [require("unshare"), "--mount", "sh", "-c", script, "sh", str(open_folder / "ids")]
    python = [*argv, "/usr/bin/python3", "-c", f"import sys; sys.path[:0] = {_IMPORTS!r}; {REMOVE}", str(tree)]
    completed = subprocess.run(python, capture_output=True, check=False)
    assert completed.stderr == b""
    assert not tree.exists()
    assert (open_folder / "kept").is_dir()


def test_a_folder_that_is_still_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox of a run that was killed needs a moment to end."""
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    real = os.rmdir

    def late(path: str, **options: int) -> None:
        (tree / "a" / "late").touch()
        real(path, **options)

    monkeypatch.setattr(os, "rmdir", late)
    remove(tree)
    assert not tree.exists()
