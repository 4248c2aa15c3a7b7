"""A UKI made of the installed systemd-stub with objcopy, measured by the command and by other people's tools.

What other tests compare already is left out: PE images made byte by byte with pesign and osslsigncode (test_pe), two logs
with tpm2_eventlog (test_eventlog), the common sections with systemd-measure (test_boot).
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from builders.tools import require
from builders.uki import kernel
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.files import read_log
from teekit_verify.registers.replay import replay

BOOTS = sorted((Path(__file__).parents[1] / "assets" / "boots").glob("*.bin"))
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
MEASURE = "/usr/lib/systemd/systemd-measure"
SECTIONS = {
    ".osrel": b"ID=teekit\nVERSION_ID=1\n",
    ".cmdline": b"console=ttyS0 quiet",
    ".dtb": b"\xd0\x0d\xfe\xed" + bytes(60),
    ".uname": b"6.12.107-amd64",
    ".splash": b"BM" + bytes(200),
    ".pcrpkey": b"-----BEGIN PUBLIC KEY-----\n",
    ".linux": kernel(payload=bytes(range(256)) * 40),
    ".initrd": b"070701" * 1001,
}
"""Each of a size that is no multiple of the file alignment."""
BASE = 0x1000000


@pytest.fixture(scope="module")
def uki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not STUB.exists():
        require("linuxx64.efi.stub (systemd-boot-efi)")
    folder = tmp_path_factory.mktemp("uki")
    options: list[str] = []
    for number, (name, content) in enumerate(SECTIONS.items()):
        (folder / name).write_bytes(content)
        options += ["--add-section", f"{name}={folder / name}", "--change-section-vma", f"{name}={BASE * (number + 1)}"]
    path = folder / "image.efi"
    _run("objcopy", *options, STUB, path)
    data = path.read_bytes()
    path.write_bytes(data + bytes(-len(data) % 8))  # signing tools do so first, and sign these zeros too
    return path


@pytest.fixture(scope="module")
def signed(uki: Path) -> Path:
    """The same, signed by sbsign."""
    key, certificate, path = uki.with_name("key.pem"), uki.with_name("cert.pem"), uki.with_name("signed.efi")
    subject = ("-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=t")
    _run("openssl", "req", *subject, "-keyout", key, "-out", certificate)
    _run("sbsign", "--key", key, "--cert", certificate, "--output", path, uki)
    return path


def _run(program: str, *arguments: str | Path) -> str:
    argv = [require(program), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def _registers(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["measure", str(path), "--json"]) == ExitStatus.HOLDS
    registers: dict[str, Any] = json.loads(capsys.readouterr().out)["platforms"]["uefi-vtpm"]
    return registers


def _event(path: Path, description: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    events = _registers(path, capsys)["PCR4"]["events"]
    found: dict[str, str] = next(event["digests"] for event in events if event["description"] == description)
    return found


def _pesign(path: Path) -> str:
    words = _run("pesign", "-h", "-d", "sha256", "-i", path).split()
    return words[-1] if words[0] == "hash:" else words[0]


def test_the_uki_is_what_pesign_computes(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _event(uki, "UKI (Authenticode)", capsys)["sha256"] == _pesign(uki)


def test_the_kernel_is_what_pesign_computes_of_the_section(uki: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """objcopy takes the section out again, in the size it has in memory."""
    inner = uki.with_name("kernel.efi")
    _run("objcopy", "--dump-section", f".linux={inner}", uki, uki.with_name("copy.efi"))
    inner.write_bytes(inner.read_bytes()[: len(SECTIONS[".linux"])])
    assert _event(uki, "kernel (Authenticode)", capsys)["sha256"] == _pesign(inner)


def test_a_signature_by_sbsign_signs_what_is_measured(
    uki: Path, signed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """osslsigncode prints the digest in the signature, and the one it computes."""
    argv = [require("osslsigncode"), "verify", "-in", str(signed)]
    printed = subprocess.run(argv, check=False, capture_output=True, text=True).stdout  # not a certificate it trusts
    digests = re.findall(r"message digest\s*:\s*([0-9A-F]{64})", printed)
    assert len(digests) >= 2
    ours = _event(signed, "UKI (Authenticode)", capsys)
    assert {ours["sha256"].upper()} == set(digests)
    assert ours == _event(uki, "UKI (Authenticode)", capsys)
    assert ours["sha256"] == _pesign(signed)


def test_a_signature_changes_no_register(uki: Path, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert signed.stat().st_size > uki.stat().st_size
    assert _registers(signed, capsys) == _registers(uki, capsys)


@pytest.mark.parametrize("bank", ["sha256", "sha384"])
def test_pcr_11_with_every_section_that_systemd_measure_knows(
    uki: Path, bank: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tool, of the version of the stub, gets the files that the sections were made of; the stub's own .sbat too."""
    if not Path(MEASURE).exists():
        require("systemd-measure")
    known = set(re.findall(r"--(\w+)=PATH .*→ (\.\w+)", _printed("--help")))
    files = {section: uki.with_name(section) for section in SECTIONS}
    _run("objcopy", "--dump-section", f".sbat={tmp_path / '.sbat'}", STUB, tmp_path / "copy.efi")
    files[".sbat"] = tmp_path / ".sbat"
    options = [f"--{option}={files[section]}" for option, section in known if section in files]
    assert len(options) >= 7
    printed = _printed("calculate", f"--bank={bank}", "--phase=:", *options)
    expected = re.search(rf"11:{bank}=([0-9a-f]+)", printed)
    assert expected is not None
    assert _registers(uki, capsys)["PCR11"]["values"][bank] == expected[1]


def _printed(*arguments: str) -> str:
    return subprocess.run([MEASURE, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("path", BOOTS, ids=lambda path: path.stem)
def test_logs_of_real_boots_replay_as_tpm2_eventlog_says(path: Path) -> None:
    registers = _run("tpm2_eventlog", path).partition("\npcrs:\n")[2]
    log = read_log(path)
    for algorithm in (Algorithm.SHA256, Algorithm.SHA384):
        bank = re.search(rf"  {algorithm.value}:\n((?:    .*\n)+)", registers)
        assert bank is not None
        theirs = {(int(index), value.lower()) for index, value in re.findall(r"(\d+)\s*: 0x(\w+)", bank[1])}
        assert theirs == {(register.index, value.hex) for register, value in replay(log.events, algorithm).items()}


def test_the_uki_is_what_virt_firmware_computes(uki: Path, signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It gives SHA-384 too, which pesign does not."""
    pefile, pesign = importlib.import_module("pefile"), importlib.import_module("virt.peutils.pesign")
    for path in (uki, signed):
        image = pefile.PE(data=path.read_bytes(), fast_load=True)
        ours = _event(path, "UKI (Authenticode)", capsys)
        for bank in ("sha256", "sha384"):
            assert pesign.pe_authenticode_hash(image, bank).hex() == ours[bank]
