from __future__ import annotations

import json

import pytest

from teekit_verify.artifacts.manifest import ManifestPackage, parse_manifest
from teekit_verify.core.errors import MalformedInputError

# The beginning of a manifest of mkosi 25.3.
BASH = {"type": "deb", "name": "bash", "version": "5.2.37-2+b10", "architecture": "amd64"}
SAMPLE = {"manifest_version": 1, "config": {"name": "tdx-debian", "release": "trixie"}, "packages": [BASH]}


def test_a_manifest() -> None:
    found = parse_manifest(json.dumps(SAMPLE).encode())
    assert found.packages == (ManifestPackage("deb", "bash", "amd64", "5.2.37-2+b10"),)
    assert found.config == (("name", '"tdx-debian"'), ("release", '"trixie"'))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "manifest: JSON at offset 0x0: Expecting"),
        (b"\xff", "manifest: JSON at offset 0x0: "),
        (b"[" * 100_000, "manifest: JSON at offset 0x0: nested too deeply"),
        (b"[]", "manifest: packages at offset 0x0: there is no list of packages"),
        (b'{"packages": {}}', "manifest: packages at offset 0x0: there is no list of packages"),
        (b'{"packages": [], "config": 1}', "manifest: packages at offset 0x0: 0 packages, at most 100000 are read"),
        (b'{"packages": [1]}', "manifest: package at offset 0x0: has no type, name, architecture and version"),
        (json.dumps({"packages": [{**BASH, "version": 5}]}).encode(), "manifest: package at offset 0x0: has no type"),
        (bytes((16 << 20) + 1), "manifest: file size at offset 0x0: 16777217 bytes, at most 16777216 are read"),
    ],
)
def test_what_is_no_manifest(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        parse_manifest(data)
    assert caught.value.message.startswith(message)
