"""Manifests that name apps of the image, against an image."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from builders.cpio import Entry, build_cpio
from builders.progress import Recorder
from builders.uki import build_uki
from teekit_verify.core.errors import TeekitError
from teekit_verify.local.image_apps import IMAGE_MANIFEST, file_of_image, require_apps_of_image

if TYPE_CHECKING:
    from pathlib import Path

APP = b"export default {}"
SHA256, OTHER = hashlib.sha256(APP).hexdigest(), hashlib.sha256(b"another").hexdigest()


def manifest(sha256: str, app: str = "file:///usr/lib/kettle/app.js") -> bytes:
    return json.dumps({"app": app, "sha256": sha256}).encode()


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    """The last of two archives counts, as for Linux."""
    archives = [build_cpio([Entry("usr/lib/kettle/app.js", content)]) for content in (b"another", APP)]
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki(sections=[(".linux", b"MZ"), (".initrd", b"".join(archives))]))
    return path


def test_an_app_that_the_image_has(uki: Path) -> None:
    progress = Recorder()
    require_apps_of_image(
        [manifest(SHA256), manifest(SHA256.upper(), "file://localhost/usr/lib/kettle/app%2ejs")], uki, progress
    )
    assert progress.said == []


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            manifest(OTHER),
            f"manifest 0 names /usr/lib/kettle/app.js with SHA-256 {OTHER}, which has SHA-256 {SHA256}",
        ),
        (
            manifest(SHA256, "file:///usr/lib/kettle/mine.js"),
            f"manifest 0 names /usr/lib/kettle/mine.js with SHA-256 {SHA256}, which is not in the image",
        ),
    ],
)
def test_an_app_that_the_image_does_not_have_is_known_before_the_boot(uki: Path, given: bytes, reason: str) -> None:
    with pytest.raises(TeekitError) as raised:
        require_apps_of_image([given], uki, Recorder())
    assert raised.value.message == reason
    assert (
        raised.value.hint
        == "Run it with --app kettle-artifacts/app.js, or build the image with it: KETTLE_SRC=DIR make build"
    )
    # Where another kettle can run, it is a warning.
    progress = Recorder()
    require_apps_of_image([given, manifest(OTHER, "https://a.example/app.js")], uki, progress)
    assert progress.said == [f"warning: {reason}"]


@pytest.mark.parametrize(
    "given", [b"", b"[]", b"{}", b'{"app": 7, "sha256": 7}', b'{"app": "file:///x", "sha256": 7}', b"\xff"]
)
def test_what_is_no_manifest_is_for_the_guest_to_refuse(uki: Path, given: bytes) -> None:
    progress = Recorder()
    require_apps_of_image([given, manifest(OTHER, "http://a.example/app.js")], uki, progress)
    assert progress.said == []


def test_a_file_of_the_image(uki: Path) -> None:
    """The last one counts here as well; the image's own manifest is read so."""
    assert file_of_image(uki, "/usr/lib/kettle/app.js") == APP
    with pytest.raises(TeekitError, match=f"the image has no {IMAGE_MANIFEST}"):
        file_of_image(uki, IMAGE_MANIFEST)
