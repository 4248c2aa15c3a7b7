"""What a commit only names, taken from where the user has it: by its digest, or not at all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from builders.repositories import Repository
from teekit_verify.rebuild import checkout, named_only, stranger
from teekit_verify.rebuild.git import GitError
from teekit_verify.rebuild.named_only import Allowed
from teekit_verify.rebuild.origin import Change, ChangeKind, Origin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SUBMODULES, LARGE = Allowed(submodules=True), Allowed(large_files=True)


def with_submodule(folder: Path) -> tuple[Repository, Repository]:
    """A project, and the repository that it has as a submodule in `lib`, as git itself brings it."""
    inner = Repository.make(folder / "inner")
    inner.write("tool", b"#!/bin/sh\n", executable=True)
    inner.commit()
    outer = Repository.make(folder / "outer")
    outer.write("mkosi.conf", b"[Output]\n")
    outer.git("-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(inner.folder), "lib")
    outer.commit()
    return outer, inner


def copied(place: Path) -> dict[str, bytes]:
    return {
        path.relative_to(place).as_posix(): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()
    }


def test_a_submodule_is_copied_at_the_commit_that_is_named(tmp_path: Path) -> None:
    outer, _ = with_submodule(tmp_path)
    commit = outer.git("rev-parse", "HEAD")
    (outer.folder / "lib/tool").write_text("changed, and not looked at")
    (outer.folder / "lib/new").touch()
    origin = stranger.copy_project(outer.folder, tmp_path / "copy", allow_dirty=False, allowed=SUBMODULES)
    assert origin == Origin(None, commit)
    found = copied(tmp_path / "copy")
    assert sorted(found) == [".gitmodules", "lib/tool", "mkosi.conf"]
    assert found["lib/tool"] == b"#!/bin/sh\n"
    assert (tmp_path / "copy/lib/tool").stat().st_mode & 0o777 == 0o755


def test_without_the_option_it_is_refused_and_the_option_named(tmp_path: Path) -> None:
    outer, _ = with_submodule(tmp_path)
    with pytest.raises(GitError, match="lib is a submodule, and those are not fetched") as caught:
        stranger.copy_project(outer.folder, tmp_path / "copy", allow_dirty=False)
    assert "--with-submodules" in str(caught.value.hint)


def test_a_submodule_that_is_not_there(tmp_path: Path) -> None:
    outer, inner = with_submodule(tmp_path)
    commit = inner.git("rev-parse", "HEAD")
    clone = tmp_path / "clone"
    outer.git("clone", "--quiet", str(outer.folder), str(clone))
    with pytest.raises(GitError) as caught:
        stranger.copy_project(clone, tmp_path / "copy", allow_dirty=False, allowed=SUBMODULES)
    assert caught.value.message == f"lib is a submodule at commit {commit}, which is not there"
    assert caught.value.hint == "Bring it with `git submodule update --init --recursive`."


def test_a_submodule_without_the_commit(tmp_path: Path) -> None:
    """Another repository lies in its place."""
    outer, _ = with_submodule(tmp_path)
    outer.git("update-index", "--cacheinfo", f"160000,{'1' * 40},lib")
    outer.git("commit", "--quiet", "--message", "another one")
    with pytest.raises(GitError, match=r"^submodule lib: the files of the commit 1{40} cannot be listed"):
        stranger.copy_project(outer.folder, tmp_path / "copy", allow_dirty=False, allowed=SUBMODULES)


CONTENT = b"a large file\0" * 100


def pointer(content: bytes) -> bytes:
    """As git-lfs writes it (docs/spec.md)."""
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()


def with_large_file(folder: Path) -> Repository:
    """As git-lfs leaves a work tree: git has the pointer, the tree the content."""
    made = Repository.make(folder)
    made.write("big.img", pointer(CONTENT))
    made.write("mkosi.conf", b"[Output]\n")
    made.commit()
    made.write("big.img", CONTENT)
    return made


def test_a_file_of_lfs_is_copied_with_the_digest_that_is_named(tmp_path: Path) -> None:
    source = with_large_file(tmp_path / "source")
    commit = source.git("rev-parse", "HEAD")
    origin = stranger.copy_project(source.folder, tmp_path / "copy", allow_dirty=False, allowed=LARGE)
    assert origin == Origin(None, commit)
    assert copied(tmp_path / "copy") == {"big.img": CONTENT, "mkosi.conf": b"[Output]\n"}
    with pytest.raises(GitError, match=r"big\.img"):
        stranger.copy_project(source.folder, tmp_path / "other", allow_dirty=False)


@pytest.mark.parametrize("content", [b"other" + CONTENT[5:], CONTENT + b"\0", b"", pointer(CONTENT)])
def test_other_content_is_a_change_or_is_not_there(tmp_path: Path, content: bytes) -> None:
    source = with_large_file(tmp_path / "source")
    source.write("big.img", content)
    with pytest.raises(GitError, match=r"changed big\.img|does not have the content"):
        stranger.copy_project(source.folder, tmp_path / "copy", allow_dirty=False, allowed=LARGE)


def test_no_link_is_followed_out_of_the_project(tmp_path: Path) -> None:
    source = with_large_file(tmp_path / "source")
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (source.folder / "big.img").unlink()
    (source.folder / "big.img").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GitError, match=r"changed big\.img"):
        stranger.copy_project(source.folder, tmp_path / "copy", allow_dirty=False, allowed=LARGE)


def test_other_changes_count_as_ever(tmp_path: Path) -> None:
    source = with_large_file(tmp_path / "source")
    source.write("mkosi.conf", b"[Build]\n")
    with pytest.raises(GitError, match=r"changes that are in no commit: changed mkosi\.conf"):
        stranger.copy_project(source.folder, tmp_path / "copy", allow_dirty=False, allowed=LARGE)


def test_a_submodule_behind_a_link_of_the_same_name(tmp_path: Path) -> None:
    """The tree has `a` twice: a link out of the copy, written last, and the folder of a submodule."""
    outer, inner = with_submodule(tmp_path)
    (tmp_path / "outside").mkdir()
    commit, link = inner.git("rev-parse", "HEAD"), outer.blob(str(tmp_path / "outside").encode())
    folder = outer.git("mktree", "--missing", stdin=f"160000 commit {commit}\tb\n".encode())
    hostile = outer.commit_tree(f"120000 blob {link}\ta", f"040000 tree {folder}\ta")
    outer.git("clone", "--quiet", str(inner.folder), str(outer.folder / "a/b"))
    with pytest.raises(GitError, match="a/b is a submodule behind a link"):
        named_only.write(outer.folder, hostile, tmp_path / "copy", SUBMODULES)
    assert list((tmp_path / "outside").iterdir()) == []


def test_git_is_asked_once_whatever_the_number_of_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project chooses how many small files it has, and its attributes whether git writes them otherwise."""
    source = Repository.make(tmp_path / "source")
    for number in range(20):
        source.write(f"{number}", b"as it was")
    source.commit()
    commit, asked, objects = source.git("rev-parse", "HEAD"), [], checkout.objects

    def counted(folder: Path, object_ids: Sequence[str]) -> list[bytes]:
        asked.append(len(object_ids))
        return objects(folder, object_ids)

    monkeypatch.setattr(checkout, "objects", counted)
    changes = tuple(Change(ChangeKind.CHANGED, str(number)) for number in range(20))
    assert named_only.unchanged(source.folder, commit, changes) == changes
    assert asked[-1] == 20
    assert len(asked) == 2, "the folders, and the pointers"
