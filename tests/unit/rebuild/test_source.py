"""The copy of the source that a build sees: what git would keep, whatever the host's umask."""

from __future__ import annotations

import hashlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.model import SourceKind
from teekit_verify.rebuild import source
from teekit_verify.rebuild.source import copy_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.documents.model import SourceFile


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    folder = root / "mkosi" / "inner"
    folder.mkdir(parents=True)
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o750)
    (folder / "data").write_bytes(b"\0data")
    (folder / "data").chmod(0o664)
    (folder.parent / "a.conf").write_text("[Config]\n")
    (folder.parent / "a.conf").chmod(0o400)
    (folder.parent / "link").symlink_to("inner/../nowhere")
    (folder.parent / "lock.json").write_text("{}")
    return root


def everything(_: str) -> bool:
    return True


def copy(project: Path, wanted: Callable[[str], bool] = everything) -> tuple[SourceFile, ...]:
    return copy_source(project, project / "mkosi", project.parent / "copy", wanted=wanted)


def modes(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mode & 0o7777
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink()
    }


@pytest.fixture(params=[0o077, 0o002, 0o000], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_modes_are_gits_whatever_the_umask(project: Path) -> None:
    copy(project)
    assert modes(project.parent / "copy") == {
        ".": 0o755,
        "inner": 0o755,
        "inner/script": 0o755,
        "inner/data": 0o644,
        "a.conf": 0o644,
        "lock.json": 0o644,
    }


def test_what_is_copied_is_what_is_recorded(project: Path) -> None:
    files = copy(project, lambda path: path != "lock.json")
    sha256 = {
        "mkosi/a.conf": hashlib.sha256(b"[Config]\n").hexdigest(),
        "mkosi/inner/data": hashlib.sha256(b"\0data").hexdigest(),
        "mkosi/inner/script": hashlib.sha256(b"#!/bin/sh\n").hexdigest(),
        "mkosi/link": hashlib.sha256(b"inner/../nowhere").hexdigest(),
    }
    assert [(file.path, file.sha256.hex) for file in files] == sorted(sha256.items())
    assert [file.kind for file in files] == [
        SourceKind.FILE,
        SourceKind.FILE,
        SourceKind.EXECUTABLE,
        SourceKind.SYMLINK,
    ]
    place = project.parent / "copy"
    assert (place / "inner/data").read_bytes() == b"\0data"
    assert str((place / "link").readlink()) == "inner/../nowhere"
    assert not (place / "lock.json").exists()


def test_a_link_out_of_the_source_is_copied_as_a_link(project: Path) -> None:
    (project.parent / "secret").mkdir()
    (project.parent / "secret" / "key").write_text("secret")
    (project / "mkosi" / "out").symlink_to(project.parent / "secret")
    copy(project)
    assert (project.parent / "copy" / "out").is_symlink()


def test_times_and_empty_folders_are_no_input(project: Path) -> None:
    before = copy(project)
    (project / "mkosi" / "empty").mkdir()
    os.utime(project / "mkosi" / "a.conf", (1, 1))
    (project.parent / "copy").rename(project.parent / "first")
    assert copy(project) == before
    assert not (project.parent / "copy" / "empty").exists()


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_is_refused(project: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "mkosi")  # a socket's path is short
    if kind == "fifo":
        os.mkfifo("odd")
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("odd")
    with pytest.raises(TeekitError) as caught:
        copy(project)
    assert caught.value.message == "mkosi/odd is neither a file, a folder nor a symlink"
    assert caught.value.hint == "Remove it from the source."


@pytest.mark.parametrize(("name", "shown"), [(b"bad\xff", r"mkosi/bad\udcff"), (b"new\nline", r"mkosi/new\nline")])
def test_a_name_that_is_no_plain_text_is_refused(project: Path, name: bytes, shown: str) -> None:
    (project / "mkosi" / os.fsdecode(name)).touch()
    with pytest.raises(TeekitError) as caught:
        copy(project)
    assert caught.value.message == f"'{shown}': a file's name is not plain text"


def test_a_symlink_may_lead_to_any_bytes(project: Path) -> None:
    (project / "mkosi" / "zz").symlink_to(os.fsdecode(b"bad\xff"))
    assert copy(project)[-1].sha256.hex == hashlib.sha256(b"bad\xff").hexdigest()


def test_sizes_and_numbers_are_bounded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MAX_FILE_BYTES", 9)
    with pytest.raises(TeekitError, match="mkosi/inner/script has 10 bytes, at most 9 are expected"):
        copy(project)
    monkeypatch.setattr(source, "_MAX_FILES", 2)
    with pytest.raises(TeekitError, match="mkosi has more than 2 files"):
        copy_source(project, project / "mkosi", project.parent / "second", wanted=everything)


def test_nothing_to_copy_is_an_error(project: Path) -> None:
    (project / "none").mkdir()
    with pytest.raises(TeekitError, match="none has no files"):
        copy_source(project, project / "none", project.parent / "copy", wanted=everything)


def test_what_cannot_be_read_is_said(project: Path) -> None:
    with pytest.raises(TeekitError) as caught:
        copy_source(project, project / "gone", project.parent / "copy", wanted=everything)
    assert caught.value.message == f"{project}/gone cannot be copied: No such file or directory"
