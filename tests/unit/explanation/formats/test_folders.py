"""Two folders with planted differences."""

from __future__ import annotations

import os
from pathlib import Path

from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import Explanation


def folder(path: Path) -> Path:
    (path / "sub").mkdir(parents=True)
    (path / "sub/text").write_bytes(b"one\n")
    (path / "same").write_bytes(b"same")
    (path / "link").symlink_to("same")
    return path


def compared(folder_a: Path, folder_b: Path) -> Explanation:
    return explain(folder_a, folder_b, folder=folder_a.parent, with_diffoscope=False)


def test_equal_folders_and_each_difference(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "A"), folder(tmp_path / "B")
    os.utime(b / "same", (1, 1))
    assert compared(a, b).differences == ()
    (b / "sub/text").write_bytes(b"two\n")
    (b / "link").unlink()
    (b / "link").symlink_to("sub")
    (b / "same").chmod(0o600)
    (b / "new").write_bytes(b"")
    found = [(one.name, one.what) for one in compared(a, b).differences[0].children]
    assert found == [
        ("new", "only in B"),
        ("link", "symlink to another place"),
        ("sub/text", "text, 1 different line"),
        ("same", "mode"),
    ]
