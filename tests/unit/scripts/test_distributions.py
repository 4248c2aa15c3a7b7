"""The sdist and the wheel, by the facts that twine and check-wheel-contents look at: both pass them."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[3]
BUILD = """
import sys, warnings
warnings.simplefilter("ignore")
from setuptools import build_meta
folder = sys.argv[1]  # which setuptools replaces
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, built from a copy: setuptools writes beside what it packs."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "verifier", copy / "verifier", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=copy, check=True, capture_output=True)
    return folder


def test_the_wheel_has_the_package_and_nothing_else(made: Path) -> None:
    (path,) = made.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (record,) = [name for name in names if name.endswith(".dist-info/RECORD")]
        rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(wheel.read(record).decode()))}
        assert set(rows) == set(names)
        for name in set(names) - {record}:
            digest = base64.urlsafe_b64encode(hashlib.sha256(wheel.read(name)).digest()).rstrip(b"=").decode()
            assert rows[name] == [f"sha256={digest}", str(len(wheel.read(name)))]
    assert len(names) == len(set(names))
    assert {name.partition("/")[0] for name in names} == {"teekit_verify", record.partition("/")[0]}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".orig", ".rej"))]
    folders = os.walk(ROOT / "verifier/teekit_verify", followlinks=True)  # data/platforms leads to reference/
    files = {Path(folder, file).relative_to(ROOT / "verifier") for folder, _, found in folders for file in found}
    source = {path.as_posix() for path in files if "__pycache__" not in path.parts and path.name != "README.md"}
    assert {name for name in names if name.startswith("teekit_verify/")} == source


def test_both_have_a_description_that_an_index_can_show(made: Path) -> None:
    (wheel,), (sdist,) = made.glob("*.whl"), made.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        texts = [archive.read(name)]
        assert [name for name in archive.namelist() if PurePosixPath(name).name == "LICENSE"]
    with tarfile.open(sdist) as packed:
        (member,) = [one for one in packed.getnames() if one.count("/") == 1 and one.endswith("/PKG-INFO")]
        stream = packed.extractfile(member)
        assert stream is not None
        texts.append(stream.read())
    for text in texts:
        metadata = message_from_bytes(text)
        assert metadata["Name"] == "teekit-verify"
        assert metadata["Description-Content-Type"] == "text/markdown"
        assert metadata["License-Expression"] == "Apache-2.0"
        assert "# teekit-verify" in text.decode()
