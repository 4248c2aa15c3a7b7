"""Commits and tags, fetched from every kind of server; and repositories that want to do something with whoever fetches them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from builders import http
from builders.faults import failing, reset, status
from builders.guest import free_ports
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.core.download import Patience
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import checkout, git
from teekit_verify.rebuild.origin import Origin


@pytest.fixture
def source(tmp_path: Path) -> Repository:
    made = Repository.make(tmp_path / "source")
    made.write("mkosi/mkosi.conf", b"[Output]\n")
    made.write("mkosi/run", b"#!/bin/sh\n", executable=True)
    (made.folder / "mkosi" / "link").symlink_to("../nix/lock")
    made.write("nix/lock", b"{}")
    made.commit()
    return made


def cached(tmp_path: Path, address: str | Path) -> git.Repository:
    return git.Repository.cached(tmp_path / "cache", str(address))


def written(repository: git.Repository, commit: str, place: Path) -> dict[str, str]:
    """path -> content of what is written of a commit."""
    checkout.write_files(repository.folder, checkout.list_files(repository.folder, commit), place)
    return {
        path.relative_to(place).as_posix(): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(place.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@contextmanager
def daemon(folder: Path) -> Iterator[str]:
    """git-daemon(1) on loopback."""
    require("git")
    port = free_ports(1)
    argv = [
        "git",
        "daemon",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--export-all",
        f"--base-path={folder}",
        str(folder),
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 600
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield f"git://127.0.0.1:{port}/"
        finally:
            server.terminate()


@contextmanager
def files_only(bare: Path) -> Iterator[str]:
    """A web server that knows nothing of git."""
    with files_only_server(bare) as server:
        yield server.address("/r.git")


@contextmanager
def files_only_server(bare: Path) -> Iterator[http.Server]:
    subprocess.run(["git", f"--git-dir={bare}", "update-server-info"], check=True)
    with http.serve() as server:
        for path in bare.rglob("*"):
            if path.is_file():
                server.files[f"/r.git/{path.relative_to(bare).as_posix()}"] = path.read_bytes()
        server.files[REFS] = server.files["/r.git/info/refs"]
        yield server


@pytest.mark.parametrize("kind", ["path", "file", "git", "http"])
def test_an_older_commit_and_a_tag_come_from_every_kind_of_server(
    tmp_path: Path, source: Repository, kind: str
) -> None:
    wanted = source.git("rev-parse", "HEAD")
    source.git("tag", "v1")
    source.write("nix/lock", b"newer")
    source.commit()
    bare = source.bare(tmp_path / "served" / "r.git")
    with daemon(bare.parent) as daemons, files_only(bare) as http_address:
        address = {"path": str(bare), "file": f"file://{bare}", "git": f"{daemons}r.git", "http": http_address}[kind]
        repository = cached(tmp_path, address)
        assert repository.commit(wanted, offline=False) == wanted
        assert cached(tmp_path / "other", address).tag("v1", offline=False) == wanted
    assert written(repository, wanted, tmp_path / "out") == {
        "mkosi/link": "-> ../nix/lock",
        "mkosi/mkosi.conf": "[Output]\n",
        "mkosi/run": "#!/bin/sh\n",
        "nix/lock": "{}",
    }
    assert (tmp_path / "out/mkosi/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/nix/lock").stat().st_mode & 0o777 == 0o644
    assert not (tmp_path / "out/.git").exists()


def test_what_is_here_needs_no_network(tmp_path: Path, source: Repository) -> None:
    commit = source.git("rev-parse", "HEAD")
    source.git("tag", "v1")
    repository = cached(tmp_path, source.folder)
    for ask, name, what in ((repository.commit, commit, "commit"), (repository.tag, "v1", "tag")):
        with pytest.raises(git.GitError) as caught:
            ask(name, offline=True)
        assert caught.value.message == f"the {what} {name} of {source.folder} is not in the cache"
        assert caught.value.hint == "Run it once without --offline."
    repository.commit(commit, offline=False)
    repository.tag("v1", offline=False)
    source.folder.rename(tmp_path / "gone")
    assert repository.commit(commit, offline=False) == repository.tag("v1", offline=True) == commit


def test_a_tag_that_moved_names_the_new_commit(tmp_path: Path, source: Repository) -> None:
    source.git("tag", "v1")
    repository = cached(tmp_path, source.folder)
    before = repository.tag("v1", offline=False)
    moved = source.commit("another")
    source.git("tag", "--force", "v1")
    assert repository.tag("v1", offline=False) == moved != before


def test_what_a_killed_fetch_left_is_in_nobodys_way(tmp_path: Path, source: Repository) -> None:
    """Git, killed, leaves lock files, and refuses to work while there are some."""
    commit = source.git("rev-parse", "HEAD")
    source.git("tag", "v1")
    repository = cached(tmp_path, source.folder)
    repository.tag("v1", offline=False)
    source.git("tag", "--force", "v1", source.commit("another"))
    for name in ("shallow.lock", "config.lock", "packed-refs.lock", "HEAD.lock", "refs/tags/v1.lock"):
        (repository.folder / name).touch()
    assert repository.tag("v1", offline=False) != commit


@pytest.mark.parametrize("damage", ["HEAD", "objects", "pack", "a blob", "a folder"])
def test_a_damaged_cache_is_fetched_again(tmp_path: Path, source: Repository, damage: str) -> None:
    commit = source.git("rev-parse", "HEAD")
    repository = cached(tmp_path, source.folder)
    repository.commit(commit, offline=False)
    spoil(repository.folder, damage, source.git("rev-parse", f"{commit}:{'nix/lock' if damage == 'a blob' else 'nix'}"))
    with pytest.raises(git.GitError, match=f"the commit {commit} of {source.folder} is not in the cache"):
        repository.commit(commit, offline=True)
    repository.commit(commit, offline=False)
    assert written(repository, commit, tmp_path / "out")["nix/lock"] == "{}"


def spoil(folder: Path, damage: str, object_id: str) -> None:
    """As a disk does, or somebody who wants other files under the commit's name."""
    (pack,) = folder.glob("objects/pack/*.pack")
    if damage in {"HEAD", "pack"}:
        place = pack if damage == "pack" else folder / "HEAD"
        place.chmod(0o644)
        place.write_bytes(b"")
        return
    content = pack.read_bytes()
    shutil.rmtree(folder / "objects")
    if damage == "objects":
        return
    (folder / "objects").mkdir()
    subprocess.run(["git", f"--git-dir={folder}", "unpack-objects", "-q"], input=content, check=True)
    replace_object(folder / "objects", object_id)


def replace_object(objects: Path, object_id: str) -> None:
    """Another content of the same kind and size, which git itself takes for the object."""
    place = objects / object_id[:2] / object_id[2:]
    content = zlib.decompress(place.read_bytes())
    place.chmod(0o644)
    place.write_bytes(zlib.compress(content.replace(b"lock", b"loch").replace(b"{}", b"[]")))


@pytest.mark.parametrize("name", ["nix/lock", "nix"])
def test_a_repository_that_lies_about_a_commit_is_refused(tmp_path: Path, source: Repository, name: str) -> None:
    """A checkout in an archive, say, with other files under the name of a commit that everybody knows."""
    commit = source.git("rev-parse", "HEAD")
    changed = source.git("rev-parse", f"{commit}:{name}")
    replace_object(source.folder / ".git/objects", changed)
    with pytest.raises(git.GitError, match=f"is damaged: it has no object {changed}, or another one under its name"):
        written(git.Repository(source.folder, ""), commit, tmp_path / "out")


def test_what_is_not_there_is_said(tmp_path: Path, source: Repository) -> None:
    repository = cached(tmp_path, source.folder)
    with pytest.raises(git.GitError) as caught:
        repository.commit("0" * 40, offline=False)
    assert f"{source.folder} has no commit {'0' * 40}" in caught.value.message
    with pytest.raises(
        git.GitError, match=r"(?s)the tag v9 of .* could not be fetched: git failed .*couldn't find remote ref"
    ):
        repository.tag("v9", offline=False)
    source.git("tag", "tree", "HEAD^{tree}")
    with pytest.raises(git.GitError, match="the tag tree names no commit"):
        repository.tag("tree", offline=False)
    with pytest.raises(git.GitError, match="could not be fetched"):
        cached(tmp_path, tmp_path / "none").commit("0" * 40, offline=False)


REFS = "/r.git/info/refs?service=git-upload-pack"
HASTY = Patience(attempts=3, first_pause=0.0)


@pytest.mark.parametrize("fault", [reset, status(503), status(429), status(408)])
def test_a_server_that_fails_for_a_moment_is_asked_again(
    tmp_path: Path, source: Repository, fault: Callable[[http.Exchange], None]
) -> None:
    wanted = source.git("rev-parse", "HEAD")
    bare = source.bare(tmp_path / "served" / "r.git")
    with files_only_server(bare) as server:
        server.answers[REFS] = failing(2, fault, server.files[REFS])
        repository = replace(cached(tmp_path, server.address("/r.git")), patience=HASTY)
        assert repository.commit(wanted, offline=False) == wanted


@pytest.mark.parametrize(("fault", "asked"), [(status(404), 1), (status(403), 1), (status(503), 3), (reset, 3)])
def test_how_often_a_server_is_asked_and_what_is_said(
    tmp_path: Path, source: Repository, fault: Callable[[http.Exchange], None], asked: int
) -> None:
    bare = source.bare(tmp_path / "served" / "r.git")
    with files_only_server(bare) as server:
        server.answers[REFS] = fault
        repository = replace(cached(tmp_path, server.address("/r.git")), patience=HASTY)
        with pytest.raises(git.GitError) as raised:
            repository.tag("v1", offline=False)
        refs = [path for path, _ in server.requests if path == REFS]
    assert len(refs) >= asked
    assert len(refs) < 3 or asked == 3
    assert raised.value.code == ("git_unanswered" if asked == 3 else "git")
    assert ("in 3 attempts" in raised.value.message) == (asked == 3)
    assert (raised.value.hint or "").startswith("Run it again" if asked == 3 else "Check the address")


def test_nothing_else_is_tried_at_a_server_that_does_not_answer(tmp_path: Path, source: Repository) -> None:
    """All branches are for servers that do not give single commits."""
    wanted = source.git("rev-parse", "HEAD")
    bare = source.bare(tmp_path / "served" / "r.git")
    with files_only_server(bare) as server:
        server.answers[REFS] = reset
        repository = replace(cached(tmp_path, server.address("/r.git")), patience=HASTY)
        with pytest.raises(git.UnansweredError, match=f"the commit {wanted} of .* in 3 attempts"):
            repository.commit(wanted, offline=False)


@pytest.mark.parametrize(
    ("require_it", "text"),
    [
        *((git.require_commit, text) for text in ("HEAD", "abc", "--upload-pack=x", "A" * 40, "a" * 40 + "\n")),
        *((git.require_tag, text) for text in ("", "-x", "a..b", "refs/../x", "a b", "x.lock", "a:b", "a\n")),
        *(
            (git.require_repository, text)
            for text in (
                "ext::sh -c touch% x",
                "ssh://host/x",
                "--upload-pack=x",
                "host:x",
                "relative",
                "https://a b",
                "https://user:password@host/x",
                "/a\n",
            )
        ),
    ],
)
def test_names_that_would_be_more_than_names(require_it: object, text: str) -> None:
    with pytest.raises(git.GitError):
        require_it(text)  # type: ignore[operator]


def test_hooks_filters_and_settings_of_the_host_and_the_repository_do_nothing(
    tmp_path: Path, source: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these touches `ran` where it is obeyed."""
    ran = tmp_path / "ran"
    evil = f"touch {ran}"
    source.write(".gitattributes", b"* filter=evil diff=evil text eol=crlf export-subst\n")
    source.write("nix/lock", b"a\n$Format:%H$\n")
    commit = source.commit()
    settings = (
        f"[core]\n hooksPath = {tmp_path}/hooks\n fsmonitor = {evil}\n sshCommand = {evil}\n pager = {evil}\n"
        f'[filter "evil"]\n smudge = {evil}\n clean = {evil}\n process = {evil}\n required = true\n'
        f"[uploadpack]\n packObjectsHook = {evil}\n[credential]\n helper = !{evil}\n"
        f'[url "ext::{evil} "]\n insteadOf = {source.folder}\n'
    )
    (tmp_path / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor-watchman"):
        for folder in (tmp_path / "hooks", source.folder / ".git" / "hooks"):
            folder.mkdir(exist_ok=True)
            (folder / hook).write_text(f"#!/bin/sh\n{evil}\n")
            (folder / hook).chmod(0o755)
    for place in (tmp_path / ".gitconfig", tmp_path / "config" / "git" / "config"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(settings)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_DIR", "/none")
    with (source.folder / ".git" / "config").open("a") as stream:
        stream.write(settings.partition("[url")[0])
    repository = cached(tmp_path, source.folder)
    repository.commit(commit, offline=False)
    assert written(repository, commit, tmp_path / "out")["nix/lock"] == "a\n$Format:%H$\n"
    assert checkout.origin_of(source.folder, "nix") == Origin(None, commit)
    assert not ran.exists()


def _submodule(source: Repository) -> str:
    settings = source.blob(b'[submodule "x"]\n path = x\n url = ext::sh -c "touch ran"\n')
    return source.commit_tree(f"100644 blob {settings}\t.gitmodules", f"160000 commit {'1' * 40}\tx")


def _deep(source: Repository) -> str:
    line = f"100644 blob {source.blob(b'x')}\tfile"
    for _ in range(70):
        line = f"040000 tree {source.git('mktree', stdin=line.encode())}\td"
    return source.commit_tree(line)


def _tree_with(name: str, mode: str = "100644") -> object:
    def make(source: Repository) -> str:
        return source.commit_tree(f"{mode} blob {source.blob(b'x')}\t{name}")

    return make


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (_submodule, "x is a submodule, and those are not fetched|could not be fetched"),
        (_tree_with(".git"), "'.git' is not a name of a file to write|could not be fetched|cannot"),
        (_tree_with(".GIT"), "'.GIT' is not a name of a file to write|could not be fetched"),
        (_tree_with(".."), "'..' is not a name of a file to write|could not be fetched"),
        (_tree_with("a\x1b"), "is not a name of a file to write"),
        (_deep, "is not a name of a file to write"),
    ],
)
def test_hostile_trees_are_refused(tmp_path: Path, source: Repository, make: object, problem: str) -> None:
    commit = make(source)  # type: ignore[operator]
    source.point("odd", commit)
    repository = cached(tmp_path, source.folder)
    with pytest.raises(TeekitError, match=problem):
        checkout.list_files(repository.folder, repository.commit(commit, offline=False))


@pytest.mark.parametrize("name", ["..", ".git", "a\x1b"])
def test_hostile_names_are_refused_also_where_git_did_not_look(source: Repository, name: str) -> None:
    commit = source.commit_tree(f"100644 blob {source.blob(b'x')}\t{name}")
    with pytest.raises(git.GitError, match="is not a name of a file to write"):
        checkout.list_files(source.folder, commit)


def test_links_lead_nothing_out_of_the_tree(tmp_path: Path, source: Repository) -> None:
    """`a` is a link to a folder outside in one place and a folder in another: nothing is written through the link."""
    (tmp_path / "victim").mkdir()
    link, inner = source.blob(str(tmp_path / "victim").encode()), source.blob(b"evil")
    tree = source.git("mktree", stdin=f"100644 blob {inner}\tfile\n".encode())
    commit = source.commit_tree(f"120000 blob {link}\ta", f"040000 tree {tree}\ta")
    entries = checkout.list_files(source.folder, commit)
    with pytest.raises(git.GitError, match="cannot be written"):
        checkout.write_files(source.folder, entries, tmp_path / "out")
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_file_that_is_elsewhere_is_refused(tmp_path: Path, source: Repository) -> None:
    """What git-lfs leaves in the tree for a file."""
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    source.write("big", f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n".encode())
    with pytest.raises(git.GitError, match="big is kept with Git LFS, which is not fetched"):
        written(git.Repository(source.folder, ""), source.commit(), tmp_path / "out")


def test_a_link_to_no_name_is_refused(tmp_path: Path, source: Repository) -> None:
    commit = source.commit_tree(f"120000 blob {source.blob(bytes(2))}\tlink")
    with pytest.raises(git.GitError, match=r"cannot be written to .*embedded null "):
        checkout.write_files(source.folder, checkout.list_files(source.folder, commit), tmp_path / "out")


def test_too_many_or_too_large_files_are_refused(
    tmp_path: Path, source: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = source.git("rev-parse", "HEAD")
    monkeypatch.setattr(checkout, "_MAX_FILES", 3)
    with pytest.raises(git.GitError, match=f"the commit {commit} has 4 files, at most 3 are expected"):
        checkout.list_files(source.folder, commit)
    monkeypatch.setattr(checkout, "_MAX_FILES", 4)
    monkeypatch.setattr(checkout, "_MAX_BYTES", 10)
    with pytest.raises(git.GitError, match="have 32 bytes, at most 10 are expected"):
        checkout.list_files(source.folder, commit)
    source.write("huge", bytes(range(256)) * 2000)
    commit = source.commit()
    monkeypatch.setattr(git, "_BOUNDED", ("prlimit", "--fsize=1000"))
    with pytest.raises(git.GitError, match="could not be fetched"):
        cached(tmp_path, source.folder).commit(commit, offline=False)


def test_files_are_written_in_batches(tmp_path: Path, source: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "_BATCH_BYTES", 10)
    assert len(written(git.Repository(source.folder, ""), source.git("rev-parse", "HEAD"), tmp_path / "out")) == 4


def test_a_clean_checkout_has_no_changes(source: Repository) -> None:
    commit = source.git("rev-parse", "HEAD")
    source.write("docs/draft")  # takes no part in a build
    assert checkout.origin_of(source.folder, "mkosi", "nix") == Origin(None, commit)
    below = Repository(source.folder)
    assert checkout.origin_of(below.folder / "mkosi", ".").commit == commit


def test_every_change_is_named_also_of_files_that_git_ignores(source: Repository) -> None:
    commit = source.git("rev-parse", "HEAD")
    source.write(".gitignore", b"*.cache\n")
    source.write("mkosi/x.cache")
    source.write("mkosi/mkosi.conf", b"[Output]\nSeed=\n")
    (source.folder / "mkosi/run").chmod(0o644)
    (source.folder / "nix/lock").unlink()
    (source.folder / "mkosi/link").unlink()
    (source.folder / "mkosi/link").symlink_to("elsewhere")
    (source.folder / "mkosi/folder").symlink_to("/usr")
    assert checkout.origin_of(source.folder, "mkosi", "nix") == Origin(
        None,
        commit,
        changes=(
            "added mkosi/folder",
            "changed mkosi/link",
            "changed mkosi/mkosi.conf",
            "changed mkosi/run",
            "added mkosi/x.cache",
            "removed nix/lock",
        ),
    )


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert checkout.origin_of(tmp_path, ".") == Origin(None, None)


def test_a_repository_of_sha256(tmp_path: Path) -> None:
    folder = tmp_path / "sha256"
    folder.mkdir()
    made = Repository(folder)
    made.git("init", "--quiet", "--object-format=sha256")
    made.write("mkosi/a", b"text")
    commit = made.commit()
    assert len(commit) == 64
    assert checkout.origin_of(folder, "mkosi") == Origin(None, commit)
