"""The sdist and the wheel: what is in them, and what twine and check-wheel-contents say of them."""

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


def test_twine_has_nothing_to_say(made: Path) -> None:
    said = _judged("twine", "check", "--strict", *map(str, sorted(made.iterdir())))
    assert said.count("PASSED") == 2


def test_check_wheel_contents_has_nothing_to_say(made: Path) -> None:
    (wheel,) = made.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")  # the same for every processor
    assert _judged("check_wheel_contents", str(wheel)).rstrip().endswith(": OK")


def _judged(module: str, *arguments: str) -> str:
    """What a module says that is run as a program. Raises CalledProcessError where it finds something."""
    argv = [sys.executable, "-I", "-W", "ignore", "-m", module, *arguments]
    environment = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environment).stdout
