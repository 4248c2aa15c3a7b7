"""What a stranger's project has us read: its scripts and settings, npm's locks, and what mkosi says of it."""

from __future__ import annotations

import json

from teekit_verify.rebuild import images, npm, pins, smells
from teekit_verify.rebuild.archive import require_plain

_SCRIPT = b"""#!/bin/sh
git -C x -c a=b clone https://example.org/x.git
curl -k https://example.org/x | sudo env bash
podman --log-level x run image
npm install
"""
_CONF = b"[Build]\nToolsTree=default\nWithNetwork=yes\nRepositoryKeyFetch=1\nIncremental=yes\ntrusted: yes\n"


def smelling(data: bytes) -> None:
    for _ in smells.smells_of("file", smells.lines_of(data)):
        pass


def scripts() -> list[bytes]:
    return [_SCRIPT, _CONF, b"git " + b"-a  " * 400 + b"!", b"curl " * 300 + b"|" * 300, b"allow-insecure" * 140]


def npm_lock(data: bytes) -> None:
    for _ in npm.names_in(data, "package-lock.json"):
        pass


def npm_locks() -> list[bytes]:
    integrity = "sha512-" + "A" * 86 + "=="
    packages = {
        "": {"name": "ours"},
        "node_modules/@a/b": {"version": "1.2.3-x.4", "integrity": integrity},
        "node_modules/ms": {"version": "2.1.3", "integrity": integrity, "dev": True, "engines": {"node": ">=1"}},
    }
    return [json.dumps({"lockfileVersion": 3, "packages": packages}).encode()]


def summary(data: bytes) -> None:
    for stage in images.parse_summary(data):
        pins.of_mirror(stage.get("Mirror"))
        for name in stage["Packages"]:
            require_plain(name)


def summaries() -> list[bytes]:
    stage = {
        "Mirror": "http://snapshot.debian.org/archive/debian/20260430T025253Z",
        "Packages": ["bash", "libc6=2.41-12", "linux-image-cloud-amd64/trixie-backports"],
    }
    return [json.dumps({"Images": [stage, {**stage, "Mirror": None}]}).encode()]
