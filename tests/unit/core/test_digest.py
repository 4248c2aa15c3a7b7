"""Digests. Expected values: FIPS 180-4 examples and GB/T 32905-2016, A.1 ("abc"), and the identifiers of the TCG Algorithm Registry."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from teekit_verify.core.digest import Algorithm, Digest, digest_file, digest_stream
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path

ABC = {
    Algorithm.SHA1: "a9993e364706816aba3e25717850c26c9cd0d89d",
    Algorithm.SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    Algorithm.SHA384: (
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
    ),
    Algorithm.SHA512: (
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    ),
    Algorithm.SM3: "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
}


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_way_to_a_digest_gives_the_standards_example(algorithm: Algorithm, tmp_path: Path) -> None:
    expected = Digest.from_hex(algorithm, ABC[algorithm])
    (tmp_path / "abc").write_bytes(b"abc")
    assert expected.hex == ABC[algorithm]
    assert Digest.of(algorithm, b"abc") == expected
    assert Digest.of_parts(algorithm, [b"a", memoryview(b"bc")]) == expected
    assert digest_stream(algorithm, io.BytesIO(b"abc")) == expected
    assert digest_file(tmp_path / "abc", algorithm) == expected
    assert str(expected) == f"{algorithm.value}:{ABC[algorithm]}"
    assert Digest.zero(algorithm).value == bytes(len(ABC[algorithm]) // 2)


def test_tcg_ids() -> None:
    assert [algorithm.tcg_id for algorithm in Algorithm] == [0x0004, 0x000B, 0x000C, 0x000D, 0x0012]


def test_digests_of_different_algorithms_differ() -> None:
    assert Digest.of(Algorithm.SHA256, b"") != Digest.of(Algorithm.SHA384, b"")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("zz" * 32, "not a hexadecimal sha256 digest: 'zzzz"),
        ("", "a sha256 digest has 32 bytes, found 0"),
        (ABC[Algorithm.SHA384], "a sha256 digest has 32 bytes, found 48"),
    ],
)
def test_what_is_no_digest(text: str, message: str) -> None:
    with pytest.raises(TeekitError) as caught:
        Digest.from_hex(Algorithm.SHA256, text)
    assert caught.value.message.startswith(message)
