"""What the documents claim of the images, looked up in the initrds that were built: neither in the sources nor in a stage,
because mkosi changes things after a stage is done.
"""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from builders.tools import require
from teekit_verify.artifacts.uki import open_uki

from .conftest import FinishedRebuild

pytestmark = pytest.mark.slow

GENERATORS = ("debug", "fstab", "getty", "gpt-auto", "hibernate-resume", "run", "ssh", "system-update", "tpm2")
UNITS = (
    *("debug-shell.service", "emergency.service", "getty@.service", "rescue.service", "serial-getty@.service"),
    *("systemd-firstboot.service", "systemd-network-generator.service", "systemd-pcrphase.service", "systemd-sysext.service"),
    *("systemd-udev-load-credentials.service", "systemd-volatile-root.service"),
)  # fmt: skip
# To become somebody else, to log in, to enter or make namespaces, to start what one likes, to write to the firmware.
NOT_NEEDED = (
    *("agetty", "capsh", "efibootmgr", "getty", "login", "newgrp", "nsenter", "passwd", "pivot_root", "pkexec", "run0"),
    *(
        "runuser",
        "setpriv",
        "su",
        "sudo",
        "sulogin",
        "switch_root",
        "systemd-creds",
        "systemd-firstboot",
        "systemd-mount",
    ),
    *("systemd-run", "systemd-sulogin-shell", "systemd-sysext", "unix_chkpwd", "unshare"),
)
MODULES = {"efivarfs", "efi-pstore", "dmi-sysfs", "qemu_fw_cfg", "virtio-rng", "virtio_console", "virtio_balloon", "af_alg", "fuse", "overlay"}  # fmt: skip


@pytest.fixture(scope="module", params=["base", "kettles"])
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an initrd, with their modes, as zstd and cpio see them."""
    fixture, name = {
        "base": ("finished_rebuild", "tdx-debian-base.efi"),
        "kettles": ("kettle_rebuild", "tdx-debian.efi"),
    }[request.param]
    rebuilt: FinishedRebuild = request.getfixturevalue(fixture)
    tree = tmp_path_factory.mktemp(f"initrd-{request.param}")
    with open_uki(rebuilt.directory / "artifacts" / name) as uki:
        (section,) = uki.named(".initrd")
        packed = bytes(uki.content(section))
    plain = subprocess.run([require("zstd"), "-dc"], input=packed, check=True, capture_output=True).stdout
    unpack = [require("cpio"), "--extract", "--make-directories", "--quiet", "--no-absolute-filenames"]
    subprocess.run([*unpack, "--no-preserve-owner"], cwd=tree, input=plain, check=True)
    return tree


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_is_gone_and_masked(tree: Path, name: str) -> None:
    file = f"systemd/system-generators/systemd-{name}-generator"
    assert not (tree / "usr/lib" / file).exists()
    assert (tree / "etc" / file).readlink() == Path("/dev/null")


def test_no_generator_is_left(tree: Path) -> None:
    for kind in (
        "system-generators",
        "system-environment-generators",
        "user-generators",
        "user-environment-generators",
    ):
        assert not [*(tree / "usr/lib/systemd" / kind).glob("*")]


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_is_masked(tree: Path, unit: str) -> None:
    assert (tree / "etc/systemd/system" / unit).readlink() == Path("/dev/null")


def test_what_the_boot_needs_is_not_masked(tree: Path) -> None:
    """Seen once: kmod-static-nodes.service and systemd-halt.service, by a race."""
    lists = [Path(__file__).parents[2] / f"mkosi/mkosi.images/{stage}/units.allow" for stage in ("base", "tdx-kettle")]
    allowed = {line.partition("#")[0].strip() for path in lists for line in path.read_text().splitlines()} - {""}
    masked = {path.name for path in (tree / "etc/systemd/system").iterdir() if path.is_symlink() and path.readlink() == Path("/dev/null")}  # fmt: skip
    assert not allowed & masked
    assert len(masked) > 100


def test_no_unit_of_ours_is_masked(tree: Path) -> None:
    """Nor one that the build makes: seen once, the mounts without which no kettle starts."""
    masked = {path.name for path in (tree / "etc/systemd/system").iterdir() if path.is_symlink() and path.readlink() == Path("/dev/null")}  # fmt: skip
    units = {path.name for path in (tree / "usr/lib/systemd/system").iterdir() if path.is_file()}
    ours = {name for name in units if name.startswith(("cert-", "cloud-config", "kettle", "quote", "sqld", "teekit-", "var-lib-kettle-"))}  # fmt: skip
    assert "teekit-ready.service" in ours
    assert not ours & masked


def test_programs_nobody_needs_are_gone(tree: Path) -> None:
    programs = {
        path.name for folder in ("usr/bin", "usr/sbin", "usr/lib/systemd") for path in (tree / folder).iterdir()
    }
    assert not programs & set(NOT_NEEDED)


def test_only_temporary_folders_are_for_everybody_to_write(tree: Path) -> None:
    found = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not path.is_symlink() and path.lstat().st_mode & stat.S_IWOTH}  # fmt: skip
    assert found == {"tmp", "var/tmp"}
    for path in found:
        assert (tree / path).lstat().st_mode & stat.S_ISVTX


def test_nothing_is_setuid_or_setgid(tree: Path) -> None:
    assert [path for path in tree.rglob("*") if path.lstat().st_mode & 0o6000 and path.is_file()] == []


def test_modules_that_carry_the_hosts_words_are_not_there(tree: Path) -> None:
    modules = {path.name.partition(".ko")[0] for path in (tree / "usr/lib/modules").rglob("*.ko*")}
    assert {"virtio_net", "gve", "hv_netvsc", "tdx-guest", "tsm_report", "vsock", "nft_ct", "configfs"} <= modules
    assert not modules & MODULES
    assert len(modules) < 70


def test_udev_has_no_rule_that_reads_a_disk(tree: Path) -> None:
    rules = "\n".join(path.read_text() for path in (tree / "usr/lib/udev/rules.d").iterdir())
    for word in ('IMPORT{builtin}="blkid', "disk/by-", "scsi_id", "ata_id", "cdrom_id"):
        assert word not in rules
    assert [path.name for path in (tree / "usr/lib/udev").iterdir()] == ["rules.d"]


def test_systemd_is_told_not_to_ask_the_firmware(tree: Path) -> None:
    assert (
        'DefaultEnvironment="SYSTEMD_EFI_OPTIONS="'
        in (tree / "usr/lib/systemd/system.conf.d/50-teekit.conf").read_text()
    )
    assert (tree / "init").read_text().splitlines()[-1].startswith("exec env -i ")
