"""The pinned environment, with the real nix, the real assemble script and packages of the test's own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import rebuilds
from builders.debian_archive import make_deb
from builders.standins import StandIns
from builders.tools import require
from teekit_verify.core import process
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DownloadError, DownloadStore
from teekit_verify.core.errors import ToolFailedError, ToolMissingError
from teekit_verify.rebuild import environment
from teekit_verify.rebuild.environment import Environment, PinnedEnvironmentError
from teekit_verify.rebuild.lock import EnvironmentIdentity, LockedPackage, PackageLock
from teekit_verify.rebuild.project import Project
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator


def nix_store(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require("nix-store"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment.nix_environment(),
    )


class Workbench:
    """A lock of two packages, where they can be had, and a name in the store that nothing else uses."""

    def __init__(self, folder: Path) -> None:
        require("nix")
        self.folder = folder
        self.store = DownloadStore(folder / "downloads")
        self.packages = (
            self._package("tool", {"usr/bin/tool": "#!/bin/sh\n", "etc/tool.conf": "x"}),
            self._package("other", {"usr/share/doc/other/copyright": "long", "usr/share/other/data": str(folder)}),
        )
        self.lock = rebuilds.lock_of(*self.packages)

    def _package(self, name: str, files: dict[str, str]) -> LockedPackage:
        deb = make_deb(self.folder / "pool", name, "1", files)
        content = deb.read_bytes()
        package = rebuilds.locked_package(content, name)
        place = self.folder / "mirror" / package.path
        place.parent.mkdir(parents=True)
        deb.rename(place)
        return package

    def build(self, lock: PackageLock | None = None) -> Environment:
        locked = lock or self.lock
        files = [package.remote_file([("debian", f"file://{self.folder}/mirror")]) for package in locked.packages]
        progress = StderrProgress()
        return environment.build(locked, self.store, files, self.folder / "scratch", progress=progress)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    monkeypatch.setattr(environment, "STORE_NAME", f"teekit-test-{os.getpid()}")
    made = Workbench(tmp_path)
    yield made
    for path in Path("/nix/store").glob(f"*-{environment.STORE_NAME}"):
        nix_store("--delete", path)


def test_the_identity_is_what_nix_says_it_is(bench: Workbench) -> None:
    built = bench.build()
    root = built.root
    assert root.parent == Path("/nix/store")
    assert (root / "usr/bin/tool").read_text() == "#!/bin/sh\n"
    assert not (root / "usr/share/doc").exists()
    assert nix_store("--verify-path", root).returncode == 0
    base32 = nix_store("--query", "--hash", root).stdout.strip().removeprefix("sha256:")
    to_sri = [require("nix"), "hash", "to-sri", "--type", "sha256", base32]
    sri = subprocess.run(to_sri, capture_output=True, text=True, check=True, env=environment.nix_environment())
    assert built.identity.nar_hash == sri.stdout.strip()
    assert not (bench.folder / "scratch").exists()


def test_the_same_packages_make_the_same_environment(bench: Workbench) -> None:
    first = bench.build()
    nix_store("--delete", first.root)
    assert bench.build().identity == first.identity
    assert environment.existing(bench.lock) is None  # the lock says nothing yet
    locked = bench.lock.with_environment(first.identity)
    found = environment.existing(locked)
    assert found is not None
    assert found.identity == first.identity
    assert found.lock_sha256.hex == hashlib.sha256(locked.dump()).hexdigest()


def test_another_identity_than_the_locks_names_both(bench: Workbench) -> None:
    real = bench.build().identity
    wrong = EnvironmentIdentity(
        store_path="/nix/store/" + "0" * 32 + "-teekit-build-env", nar_hash="sha256-" + "A" * 43 + "="
    )
    locked = bench.lock.with_environment(wrong)
    assert environment.existing(locked) is None
    with pytest.raises(PinnedEnvironmentError) as caught:
        bench.build(locked)
    assert caught.value.message == (
        f"the environment is {real.store_path} with {real.nar_hash}, "
        f"but its lock says {wrong.store_path} with {wrong.nar_hash}"
    )
    assert caught.value.hint == ("Restore the lock, or write a new one with `teekit-verify env lock`.")


def damage(root: Path, how: str) -> None:
    bin_folder = root / "usr/bin"
    for path in (root / "usr", bin_folder, bin_folder / "tool"):
        path.chmod(0o755)
    match how:
        case "byte":
            (bin_folder / "tool").write_text("#!/bin/xh\n")
        case "mode":
            (bin_folder / "tool").chmod(0o755)
            (root / "etc/tool.conf").chmod(0o755)
        case "extra":
            (bin_folder / "evil").touch()
        case _:
            root.chmod(0o755)
            subprocess.run(["chmod", "-R", "u+w", root], check=True)
            shutil.rmtree(root)


@pytest.mark.parametrize("how", ["byte", "mode", "extra", "gone"])
def test_a_damaged_environment_is_noticed_and_made_anew(bench: Workbench, how: str) -> None:
    """Nix itself believes its database: adding the same tree again would leave the damage."""
    identity = bench.build().identity
    locked = bench.lock.with_environment(identity)
    assert environment.existing(locked) is not None
    damage(Path(identity.store_path), how)
    assert environment.existing(locked) is None
    assert bench.build(locked).identity == identity
    assert environment.existing(locked) is not None
    assert nix_store("--verify-path", identity.store_path).returncode == 0


def test_a_damaged_environment_that_nix_holds_fast_is_refused(bench: Workbench, tmp_path: Path) -> None:
    identity = bench.build().identity
    nix_store("--add-root", tmp_path / "root", "--indirect", "--realise", identity.store_path)
    damage(Path(identity.store_path), "byte")
    with pytest.raises(PinnedEnvironmentError) as caught:
        bench.build(bench.lock.with_environment(identity))
    assert caught.value.message.startswith(
        f"the Nix store has a damaged {identity.store_path} and cannot delete it: nix-store failed with exit status 1"
    )
    assert "still alive" in caught.value.message
    assert caught.value.hint == (
        f"Remove what holds it (nix-store --query --roots {identity.store_path}), and run it again."
    )
    (tmp_path / "root").unlink()


def test_a_folder_that_nix_does_not_know_is_replaced(bench: Workbench) -> None:
    """What an interrupted add leaves."""
    identity = bench.build().identity
    nix_store("--delete", identity.store_path)
    Path(identity.store_path).mkdir()
    (Path(identity.store_path) / "half").touch()
    locked = bench.lock.with_environment(identity)
    assert environment.existing(locked) is None
    assert bench.build(locked).identity == identity


def use_script(bench: Workbench, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    script = bench.folder / "script"
    script.write_text(text)
    monkeypatch.setattr(environment, "ASSEMBLE_SCRIPT", script)


def test_a_script_that_changed_makes_another_environment(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = bench.lock.with_environment(bench.build().identity)
    use_script(bench, monkeypatch, environment.ASSEMBLE_SCRIPT.read_text() + "\necho changed >usr/changed\n")
    with pytest.raises(PinnedEnvironmentError, match="but its lock says"):
        bench.build(locked)


def test_a_script_that_fails_is_told_and_leaves_no_scratch(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    use_script(bench, monkeypatch, "echo the reason >&2; exit 4")
    with pytest.raises(
        ToolFailedError, match=r"bwrap failed with exit status 4; its last lines were:\n  \| the reason"
    ):
        bench.build()
    assert not (bench.folder / "scratch").exists()


def test_what_an_interrupted_run_left_is_removed(bench: Workbench) -> None:
    closed = bench.folder / "scratch" / "tree" / "closed"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    expected = bench.build().identity
    assert (expected.store_path, (Path(expected.store_path) / "closed").exists()) == (expected.store_path, False)


def test_a_package_that_cannot_be_had(bench: Workbench) -> None:
    shutil.rmtree(bench.folder / "mirror")
    with pytest.raises(DownloadError, match=r"package tool 2\.10-3"):
        bench.build()


def test_a_store_that_is_somewhere_else(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nix of a user without rights prints a path in /nix/store that is not there."""
    stand_ins = StandIns.make(bench.folder / "bin")
    path = "/nix/store/" + "0" * 32 + "-teekit-build-env"
    stand_ins.add("nix", f"case $1 in hash) echo sha256-{'A' * 43}= ;; *) echo {path} ;; esac")
    stand_ins.add("nix-store")
    monkeypatch.setenv("PATH", f"{stand_ins.folder}:{os.environ['PATH']}")
    with pytest.raises(PinnedEnvironmentError) as caught:
        bench.build()
    assert caught.value.message == f"the Nix store made {path} with None, expected sha256-{'A' * 43}="
    assert caught.value.hint == "Run `teekit-verify doctor`, and check the disk of /nix."


def test_without_nix(bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError) as caught:
        bench.build()
    assert caught.value.message == "the program 'nix' is not installed"
    assert caught.value.hint == "Run scripts/setup_deps.sh, which installs nix."


def test_the_tools_are_listed_one_a_line(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.environment_packages.parent.mkdir()
    project.environment_packages.write_text("# a comment\n\n bash \nmkosi\n")
    assert environment.tools(project) == ["bash", "mkosi"]


def test_nix_is_told_not_to_build_or_substitute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_CONFIG", "sandbox = true")
    settings = environment.nix_environment()["NIX_CONFIG"].splitlines()
    assert settings[:2] == ["experimental-features = nix-command flakes", "substituters ="]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "build-users-group =" in environment.nix_environment()["NIX_CONFIG"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "build-users-group =" not in environment.nix_environment()["NIX_CONFIG"]


@pytest.mark.parametrize(
    ("writable", "daemon", "held"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_an_environment_in_somebody_elses_store_is_used_and_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, writable: bool, daemon: bool, held: bool
) -> None:
    """Only who may write to /nix/var, or has a daemon to ask, can keep something from being collected."""
    calls: list[object] = []
    state = tmp_path / "nix/var/nix"
    state.mkdir(parents=True)
    if daemon:
        (state / "daemon-socket").mkdir()
        (state / "daemon-socket/socket").touch()
    monkeypatch.setattr(environment, "_STATE", state)
    monkeypatch.setattr(os, "access", lambda place, _mode: writable or place != state)
    monkeypatch.setattr(process, "run", lambda argv, **_: calls.append(argv))
    found = Environment(rebuilds.IDENTITY, Digest.of(Algorithm.SHA256, b""))
    environment.hold(found, tmp_path / "link")
    assert bool(calls) is held
