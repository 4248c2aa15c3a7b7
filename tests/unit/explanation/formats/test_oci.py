"""What the files of an OCI layout are for, where the layout is a stranger's."""

from __future__ import annotations

import json

from teekit_verify.explanation.formats import oci

INDEX = "blobs/sha256/" + "a" * 64
"""Its name says a digest that it need not have: so it can name itself."""


def test_an_index_that_names_itself_over_and_over_is_read_once() -> None:
    """It would be 5000 to the power of its depth."""
    rows = [{"digest": "sha256:" + "a" * 64}] * 5000
    asked: list[str] = []

    def read(name: str) -> bytes:
        asked.append(name)
        return json.dumps({"manifests": rows}).encode()

    found = oci.roles(["oci-layout", "index.json", INDEX], read)
    assert asked == ["index.json", INDEX]
    assert list(found.values()) == [INDEX]


def test_names_beyond_the_bound_are_not_asked_for() -> None:
    digests = [f"{number:064x}" for number in range(5000)]
    names = ["oci-layout", "index.json", *(f"blobs/sha256/{digest}" for digest in digests)]
    asked: list[str] = []

    def read(name: str) -> bytes:
        asked.append(name)
        rows = [{"digest": f"sha256:{digest}"} for digest in digests] if name == "index.json" else []
        return json.dumps({"manifests": rows}).encode()

    assert len(oci.roles(names, read)) == 1000
    assert len(asked) <= 1000
