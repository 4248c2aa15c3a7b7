"""What is hashed of a file before it is known what it is."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from teekit_verify.artifacts import mapped
from teekit_verify.core.files import open_input

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.core.beside import Beside
    from teekit_verify.core.digest import Digest


@pytest.mark.parametrize("size_bytes", [2, 5, 64, 1001])
def test_the_digest_of_a_whole_executable_is_hashlibs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    monkeypatch.setattr(mapped, "_PIECE_BYTES", 64)
    data = b"MZ" + bytes(range(250)) * 4
    path = tmp_path / "image.efi"
    path.write_bytes(data[:size_bytes])
    with open_input(path) as file, mapped.whole_digest(file) as digest:
        assert digest is not None
        assert digest.result().value == hashlib.sha256(data[:size_bytes]).digest()


@pytest.mark.parametrize("data", [b"", b"M", b"not an executable"])
def test_nothing_else_is_hashed_beforehand(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(data)
    with open_input(path) as file, mapped.whole_digest(file) as digest:
        assert digest is None


def test_a_digest_that_nobody_waits_for_is_not_finished_and_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_PIECE_BYTES", 64)
    stopped = threading.Event()
    monkeypatch.setattr(mapped, "Event", lambda: stopped)

    class Slow:
        """Stands for hashlib's state: the first piece takes until nobody asks any more."""

        pieces = 0

        def update(self, _data: memoryview) -> None:
            Slow.pieces += 1
            stopped.wait()

        def digest(self) -> bytes:
            raise AssertionError("a digest of the beginning alone")

    monkeypatch.setattr(hashlib, "new", lambda *_args, **_more: Slow())
    path = tmp_path / "image.efi"
    path.write_bytes(b"MZ" + bytes(1000))
    digests: list[Beside[Digest]] = []

    def refuse(digest: Beside[Digest] | None) -> None:
        assert digest is not None
        digests.append(digest)
        raise KeyError

    with open_input(path) as file, pytest.raises(KeyError), mapped.whole_digest(file) as digest:
        refuse(digest)
    assert Slow.pieces <= 1
    with pytest.raises(RuntimeError, match="nobody asks"):
        digests[0].result()
