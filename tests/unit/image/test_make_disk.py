"""The disk images of the clouds, as the image's build makes them: the same bytes every time, and what other tools make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from builders.tools import require
from builders.uki import build_uki
from teekit_verify.artifacts import vhd
from teekit_verify.artifacts.boot_artifact import open_boot_artifact
from teekit_verify.artifacts.magic import VHD_FOOTER_BYTES, ArtifactKind
from teekit_verify.boot.layout import DISK_GUID, GIB

DISK = Path(__file__).parents[3] / "mkosi/mkosi.profiles/disk"
UKI = build_uki()


def make(folder: Path, cloud: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as mkosi does: a UKI in the output folder, and nothing else known."""
    for program in ("sfdisk", "mformat", "mmd", "mcopy", "tar", "gzip"):
        require(program)
    folder.mkdir(exist_ok=True)
    (folder / "tdx-test.efi").write_bytes(UKI)
    return subprocess.run(
        [sys.executable, "-B", DISK / "make_disk.py", cloud],
        env={"PATH": os.environ["PATH"] + ":/usr/sbin", "OUTPUTDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gcp")
    assert make(folder, "gcp").stderr == ""
    return folder / "tdx-test.tar.gz"


@pytest.fixture(scope="module")
def virtual_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("azure")
    assert make(folder, "azure").stderr == ""
    return folder / "tdx-test.vhd"


def test_google_clouds_archive_is_as_google_wants_it(archive: Path) -> None:
    """Of its documentation: "The disk image filename must be disk.raw", "the RAW file must have a size in an increment of 1 GB", "oldgnu"."""
    assert sorted(path.name for path in archive.parent.iterdir()) == ["tdx-test.efi", "tdx-test.tar.gz"]
    with tarfile.open(archive) as members:
        (member,) = members.getmembers()
        assert (member.name, member.size, member.mtime, member.mode) == ("disk.raw", GIB, 0, 0o644)
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "root", "root")
    header = subprocess.run(["gzip", "-dc", archive], capture_output=True, check=True).stdout[:512]
    assert header[257:265] == b"ustar  \0"
    assert archive.read_bytes()[3:8] == bytes(5)  # RFC 1952: flags (no name), and no time
    with open_boot_artifact(archive) as boot:
        assert (boot.kind, bytes(boot.uki.data)) == (ArtifactKind.TAR_GZ, UKI)


def test_the_verifier_lays_disks_out_as_the_image_does() -> None:
    """The image's build sees its own files only, so the layout stands twice."""
    ours = Path(__file__).parents[3] / "verifier/teekit_verify/boot/layout.py"
    assert ours.read_bytes() == (DISK / "layout.py").read_bytes()


def test_the_archive_is_the_same_wherever_the_file_has_holes(archive: Path, tmp_path: Path) -> None:
    """Made again, with the holes of the ESP filled with zeros before tar sees it, as another file system might."""
    fill = tmp_path / "bin" / "tar"
    fill.parent.mkdir()
    script = 'cd "$OUTPUTDIR" && dd if=disk.raw of=disk.raw conv=notrunc bs=1M count=280 status=none'
    fill.write_text(f'#!/bin/sh\n{script}\nexec {require("tar")} "$@"\n')
    fill.chmod(0o755)
    path = f"{fill.parent}:{os.environ['PATH']}:/usr/sbin"
    assert make(tmp_path / "again", "gcp", PATH=path, TZ="Asia/Tokyo").stderr == ""
    assert (tmp_path / "again/tdx-test.tar.gz").read_bytes() == archive.read_bytes()


def test_azures_disk_is_a_fixed_one_of_whole_mebibytes(virtual_disk: Path) -> None:
    size = virtual_disk.stat().st_size
    assert size == GIB + VHD_FOOTER_BYTES
    assert virtual_disk.stat().st_blocks * 512 < size // 2  # sparse
    with virtual_disk.open("rb") as stream:
        stream.seek(-VHD_FOOTER_BYTES, os.SEEK_END)
        footer = vhd.parse_footer(stream.read(), size)
    assert (footer.size_bytes, footer.timestamp, footer.creator) == (GIB, 0, "qem2")
    assert str(footer.unique_id).upper() == DISK_GUID
    assert footer.geometry == vhd.geometry_of(GIB)
    information = (require("qemu-img"), "info", "-f", "vpc", "--output=json", str(virtual_disk))
    seen = json.loads(subprocess.run(information, capture_output=True, check=True).stdout)
    assert (seen["format"], seen["virtual-size"]) == ("vpc", GIB)
    with open_boot_artifact(virtual_disk) as boot:
        assert (boot.kind, bytes(boot.uki.data)) == (ArtifactKind.VHD, UKI)


def test_the_size_of_azures_disk_is_a_setting(tmp_path: Path) -> None:
    assert make(tmp_path, "azure", AZURE_DISK_GIB="30").returncode == 0
    made = tmp_path / "tdx-test.vhd"
    assert made.stat().st_size == 30 * GIB + VHD_FOOTER_BYTES
    assert made.stat().st_blocks * 512 < GIB
    table = subprocess.run([require("sfdisk"), "--json", made], capture_output=True, check=True).stdout
    assert json.loads(table)["partitiontable"]["partitions"][0]["start"] == 2048


@pytest.mark.parametrize(("size", "message"), [("0", "a disk of 0 bytes for a UKI of"), ("x", "invalid literal")])
def test_a_size_that_does_not_fit_is_refused(tmp_path: Path, size: str, message: str) -> None:
    result = make(tmp_path, "azure", AZURE_DISK_GIB=size)
    assert result.returncode != 0
    assert message in result.stderr
    assert not (tmp_path / "tdx-test.vhd").exists()


@pytest.mark.parametrize("gib", [1, 2, 3, 4, 7, 8, 30, 31, 127, 128, 1024])
def test_the_geometry_is_the_specifications(gib: int) -> None:
    """Two implementations of the appendix "CHS Calculation": the builder's and the verifier's."""
    code = f"import make_disk; print(*make_disk.chs({gib * GIB // 512}))"
    output = subprocess.run([sys.executable, "-B", "-c", code], cwd=DISK, capture_output=True, text=True, check=True)
    expected = vhd.geometry_of(gib * GIB)
    assert output.stdout.split() == [str(expected.cylinders), str(expected.heads), str(expected.sectors)]
