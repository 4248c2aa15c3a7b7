"""What a newcomer mistypes: each error names what is wrong and what to do next, in one line each, and none is a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.uki import build_uki
from teekit_verify.cli.app import main

EVENTLOGS = Path(__file__).parents[2] / "assets/eventlogs"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a UKI, a quote, an event log, other files, and a folder."""
    (tmp_path / "uki").write_bytes(build_uki())
    (tmp_path / "text").write_bytes(b"hello\n")
    (tmp_path / "json").write_bytes(b'{"a": 1}')
    (tmp_path / "quote").write_bytes((EVENTLOGS / "gcp-cos113-quote.bin").read_bytes())
    (tmp_path / "log").write_bytes((EVENTLOGS / "gcp-cos113-ccel-data.bin").read_bytes())
    (tmp_path / "page").write_text("<!DOCTYPE html>\n<html><title>404 Not Found</title></html>\n")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


MISTAKES = [
    # a command, or one of its own, that there is not
    ("mesure uki", "'mesure'. Did you mean 'measure'?", "`teekit-verify --help`"),
    ("verify uki", "No such command 'verify'", "`teekit-verify --help`"),
    ("uki", "No such command 'uki'", "`teekit-verify --help`"),
    ("version", "No such command 'version'", "Did you mean --version?"),
    ("-version", "No such option: -v", "Did you mean --version?"),
    ("quote -help", "No such option: -e", "Did you mean --help? Run `teekit-verify quote --help`"),
    ("measure -platform gcp uki", "No such option: -p", "Did you mean --platform?"),
    ("env help", "No such command 'help'", "Did you mean --help? Run `teekit-verify env --help`"),
    ("rebuilderd", "Missing command", "Choose one of: sync, backend."),
    ("rebuilderd sink", "No such command 'sink'", "Choose one of: sync, backend."),
    ("env", "Missing command", "build"),
    ("inputs", "Missing command", "prune"),
    ("reference", "Missing command", "sign"),
    ("release lst", "Did you mean 'list'?", "Choose one of: diff, list, show, sbom."),
    ("attest", "Missing command", "verify"),
    ("collateral text", "No such command 'text'", "fetch"),
    ("help nosuch", "No such command 'nosuch'", "`teekit-verify --help`"),
    ("explain uki text --html", "Option '--html' requires an argument", "Run `teekit-verify explain --help`"),
    ("reference add json json -o", "requires an argument", "Run `teekit-verify reference add --help`"),
    ("measure uki --platform GCP", "no such platform: GCP", "Did you mean gcp? Choose one of: uefi-vtpm, tdx,"),
    ("measure uki --format pcr-lock", "no such format to write: pcr-lock", "Did you mean pcrlock? Choose one of:"),
    ("quote quote --allow-unchecked TCB", "no such name: 'TCB'", "Did you mean tcb? Choose one of: report-data,"),
    ("man nosuch", "No such command 'nosuch'", "`teekit-verify --help`"),
    ("man mesure", "No such command 'mesure'. Did you mean 'measure'?", "`teekit-verify --help`"),
    ("man env shel", "No such command 'shel'. Did you mean 'shell'?", "Choose one of: build, show, lock"),
    ("man quote extra", "`quote` has no commands of its own, so no 'extra'", "Leave that word out."),
    ("help quote extra", "`quote` has no commands of its own, so no 'extra'", "Leave that word out."),
    # arguments and options that are missing, too many, or of another command
    ("audit", "Missing option '--statements'", "`teekit-verify audit --help`"),
    ("audit --statements folder", "Missing option '--name'", "`teekit-verify audit --help`"),
    ("audit --statements folder --name alice", "Missing option '--key'", "`teekit-verify audit --help`"),
    ("monitor", "Missing option '--statements'", "`teekit-verify monitor --help`"),
    ("packages", "Missing argument 'LOCK'", "`teekit-verify packages --help`"),
    ("packages json", "--rebuilderd URL or --from FILE", "`teekit-verify packages --help`"),
    ("site folder", "Missing option '--trusted-keys'", "`teekit-verify site --help`"),
    ("release sbom", "Missing argument 'NAME'", "`teekit-verify release sbom --help`"),
    ("release diff one", "Missing argument 'B'", "`teekit-verify release diff --help`"),
    ("attest sign", "Missing argument 'DIR'", "`teekit-verify attest sign --help`"),
    ("attest verify text", "Missing option '--threshold'", "`teekit-verify attest verify --help`"),
    ("measure uki uki", "unexpected extra argument", "`teekit-verify measure --help`"),
    ("measure", "Missing argument 'FILE'", "`teekit-verify measure --help`"),
    ("guest http://host", "Missing option '--reference'", "`teekit-verify guest --help`"),
    ("explain uki", "Missing argument 'B'", "`teekit-verify explain --help`"),
    ("boot uki --memory 1", "No such option: --memory", "`teekit-verify boot --help`"),
    (
        "audit --statements folder --name a --key text --jobs 2",
        "No such option: --jobs",
        "`teekit-verify audit --help`",
    ),
    ("completion tcsh", "'tcsh' is not one of 'bash', 'zsh', 'fish'", "`teekit-verify completion --help`"),
    # places that are not there, or of another kind
    ("monitor --statements nosuch", "'nosuch' does not exist", "`teekit-verify monitor --help`"),
    ("monitor --statements text", "'text' is a file", "`teekit-verify monitor --help`"),
    ("site text -o out --trusted-keys folder", "'text' is a file", "`teekit-verify site --help`"),
    ("packages nosuch --rebuilderd http://127.0.0.1:9", "there is no lock file nosuch", "Make one with"),
    ("measure uki --output nosuch/x.json", "nosuch/x.json: cannot be written", "Create its folder first"),
    # files that are whole, and something else
    (
        "packages text --rebuilderd http://127.0.0.1:9",
        "text: is not JSON",
        "Fetch or write the file again, or name another.",
    ),
    ("packages json --rebuilderd http://127.0.0.1:9", "json: is not a document of this tool", '"teekit-verify/'),
    ("report json", "json: is not a document of this tool", '"teekit-verify/report/'),
    ("audit --statements folder --name alice --key text", "text: is not a private key", "Ed25519"),
    # values
    ("audit --statements text --name a --key text", "'text' is a file", "`teekit-verify audit --help`"),
    (
        "attest verify text --threshold two",
        "'--threshold': expected a whole number from 1, found 'two'",
        "attest verify --help`",
    ),
    ("compare json uki --platform xen", "asked of a guest's quote, and no quote is given", "--quote"),
    ("compare json uki --allow-unchecked evrything", "asked of a guest's quote, and no quote is given", "--quote"),
    ("compare --quote quote", "Missing argument 'REF'", "`teekit-verify compare --help`"),
    ("quote quote --report-data zz", "--report-data: expected hexadecimal digits", "two digits each"),
    ("quote quote --at yesterday", "not a time: 'yesterday'", "2026-02-03T04:05:06Z"),
    ("quote quote --at 2026-13-01", "not a time: '2026-13-01'", "2026-02-03T04:05:06Z"),
    ("quote quote --collateral folder", "folder: expected 1 to 64 files, found 0", "`collateral fetch QUOTE"),
    ("quote quote --collateral text", "text: neither certificates, a revocation list", "Intel's Provisioning"),
    ("quote quote quote", "unexpected extra argument", "`teekit-verify quote --help`"),
    ("replay log --expect RTMR9=00", "No such option: --expect", "`teekit-verify replay --help`"),
    ("replay log --quote log", "log is an event log", "compare REF --quote QUOTE --eventlog log"),
    ("report quote", "quote is a TDX quote", "`quote quote`"),
    ("report --html", "Missing argument 'FILE'", "`teekit-verify report --help`"),
    ("measure uki --platform gpc", "no such platform: gpc", "Did you mean gcp?"),
    ("measure uki --format cyclone", "no such format to write: cyclone", "Choose one of: portable"),
    ("measure uki --cpus 2", "do not describe a machine together", "--platform qemu"),
    ("measure uki --cpus 0", "'--cpus': expected a whole number from 1, found '0'", "`teekit-verify measure --help`"),
    ("measure uki --cpus two", "expected a whole number from 1, found 'two'", "`teekit-verify measure --help`"),
    ("measure uki --disks many", "expected a whole number from 1, found 'many'", "`teekit-verify measure --help`"),
    ("measure uki --memory 2X", "--memory: not an amount of memory: 2X", "Write it like 2G or 2048M."),
    ("measure uki --memory 2X --platform qemu", "--memory: not an amount of memory: 2X", "2G or 2048M"),
    ("measure uki --memory 2g --machine c3-standard-4", "--memory: not an amount of memory: 2g", "2G or 2048M"),
    ("measure uki --memory 2G", "do not describe a machine together", "--platform qemu"),
    ("measure --direct-kernel uki --memory 2X", "--memory: not an amount of memory: 2X", "2G or 2048M"),
    ("measure uki --disks 0 --machine c3-standard-4", "'--disks': expected a whole number from 1, found '0'", "--help"),
    ("measure uki --disks 129 --machine c3-standard-4", "a machine has 1 to 128 disks, not 129", "with the boot disk"),
    ("reference show quote", "quote is a TDX quote", "`compare REF --quote quote`"),
    ("reference check log", "log is an event log", "`replay log`"),
    ("reference check uki", "uki is a UKI", "`compare REF uki`"),
    ("reference check folder", "folder is a folder", "Name a file in it."),
    ("guest http://127.0.0.1:9 --reference quote", "quote is a TDX quote", "`quote quote`"),
    ("report folder", "folder has no report.json", "Name the report folder of a rebuild."),
    ("compare text uki", "text: is not a reference file of a known format", "docs/formats.md"),
    ("reference check text", "text: is not a reference file of a known format", "docs/formats.md"),
    ("measure uki --manifest text", "text: is not JSON", "what the machine was given"),
    ("measure --direct-kernel uki", "a kernel is started by QEMU's firmware", "Give --edk2"),
    ("measure https://example.org/x.efi", "https:/example.org/x.efi: cannot be read", "Download it first"),
    ("measure ~/x.efi", "~/x.efi: cannot be read", "without quotes"),
    ("explain uki nosuch", "nosuch: cannot be read", "Name a readable file."),
    ("explain folder uki", "folder is a folder, and what it is compared with is a file", "two folders"),
    ("rebuild --kernel sorce", "'sorce' is not one of 'debian', 'source'", "`teekit-verify rebuild --help`"),
    ("rebuild --source text", "'text' is a file", "`teekit-verify rebuild --help`"),
    ("rebuild --output text", "text is not a folder", "--output DIR"),
    ("env show --environment mkosi-99", "there is no environment 'mkosi-99'", "Choose one of"),
    ("lock diff a b", "there is no lock file a", "`teekit-verify lock`"),
    ("inputs check text", "there is no folder text", "Name a folder, an address"),
    ("help attest sing", "Did you mean 'sign'?", "check-repository"),
    ("--verison", "Possible options: --version", "`teekit-verify --help`"),
    # a file that is right, and in the wrong place
    *(
        (command, "page is a web page", "Fetch the file itself")
        for command in ("quote page", "replay page", "measure page", "inspect page", "compare page uki", "report page")
    ),
    ("replay log --table log", "log is an event log", "`replay log`"),
    ("replay log --table text", "CCEL table: signature", "Check that text is the ACPI table of a CCEL."),
    ("replay log --ima text", "IMA list: line 1", "Check that text is IMA's measurement list."),
    ("replay log --ima log", "IMA list: line 1", "`teekit-verify replay --help`"),
    ("replay log --against quote", "quote is a TDX quote", "`quote quote`"),
    ("collateral fetch text -o out", "is neither hexadecimal nor base64", "Check that text is a TDX quote."),
    ("collateral fetch uki -o out", "uki is a UKI", "`measure uki`"),
    ("collateral fetch quote -o text", "text is not a folder", "--output DIR"),
    ("quote quote --trusted-root text", "cannot be read: Unable to load PEM file.", "`teekit-verify quote --help`"),
    ("quote quote --nonce uki", "uki: expected 1 to 64 bytes, found", "--report-data"),
    ("quote quote --public-key text", "text: not a public key in PEM", "BEGIN PUBLIC KEY"),
    ("quote quote --report-data 00 --nonce text", "more than one of --report-data, --nonce", "Give one of them."),
    ("quote quote --service-td zz", "must be 96 lower case hexadecimal digits", "MRSERVICETD"),
    (
        "quote quote --allow-unchecked report_data",
        "no such name: 'report_data'",
        "Did you mean report-data? Choose one of: report-data, tcb",
    ),
    ("measure uki --platform azure,gcp", "no such platform: azure,gcp", "Choose one of"),
    ("measure uki --beside text", "does not load a file of this name", ".addon.efi"),
    ("measure uki --console foo", "never adds the console foo", "hvc0"),
    ("env mkosi", "Missing argument 'ARGUMENTS'", "`teekit-verify help env mkosi`"),
    ("rebuild --commit HEAD~1", "HEAD~1 is another commit in every checkout", "`git rev-parse HEAD~1`"),
    ("rebuild --vary all,-tiime", "--vary does not know '-tiime'", "names are build_path"),
    ("rebuild --mkosi-args x", "--mkosi-args is for other projects", "--source DIR"),
    ("rebuild --parallel --allow-network-fetch", "cannot be used together", "Leave out --parallel"),
    ("rebuild --tag-key text", "have no effect without a commit", "--commit"),
    ("fetch --image bse", "there is no image 'bse'", "Did you mean base?"),
    ("inputs check folder", "index.json: gone", "--inputs DIR or URL"),
    ("site folder -o out --trusted-keys folder", "folder: has no releases", "Name the folder `reference`."),
    ("reference verify json --trusted-keys folder", "has no public keys", "Put the keys you trust there"),
    ("attest export text", "name --sigstore-bundle DIR", "`teekit-verify attest export --help`"),
    ("boot text", "text is neither a UKI", "Name a UKI (.efi)"),
    ("local uki --app folder", "file 'folder' is a directory", "`teekit-verify local --help`"),
    ("monitor --statements folder", "folder: has no folder 'keys'", "keys/AUDITOR.pem"),
    # what is read would be overwritten
    ("explain uki text --html uki", "--html uki: is a file that this command reads", "Name another file with --html."),
    ("quote quote --html=./quote", "--html quote: is a file that this command reads", "Name another file"),
    ("explain uki text -o uki", "--output uki: is a file that this command reads", "Name another file with --output."),
    ("compare json uki --sarif folder/../json", "is a file that this command reads", "Name another file with --sarif."),
    ("measure uki --manifest text --output text", "--output text: is a file that this command reads", "Name another"),
    ("explain uki text -ouki", "--output uki: is a file that this command reads", "Name another file with --output."),
    ("boot uki --save-log uki", "--save-log uki: is a file that this command reads", "Name another file"),
    ("compare json uki --html x --sarif ./x", "--html and --sarif name the same file: x", "Name another file with"),
    (
        "monitor --statements folder --max-age-days soon",
        "'--max-age-days': expected a whole number",
        "`teekit-verify monitor --help`",
    ),
    ("measure uki --profile 7", "the UKI has no profile 7: its only one is 0", "Name one of them"),
    ("measure uki --machine c3-standard", "'c3-standard' is not on record", "c3-standard-4"),
]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("command", "error", "hint"), MISTAKES, ids=[command for command, _, _ in MISTAKES])
def test_the_mistake_is_named_and_the_next_step(
    command: str, error: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = [line for line in said.err.splitlines() if not line.startswith("[")]  # progress
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert error in lines[0]
    assert hint in lines[1]
    assert "Traceback" not in said.err


@pytest.mark.parametrize("name", ["uki", "./uki", "link", "twin"])
def test_what_is_read_is_never_written(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "link").symlink_to("uki")
    (place / "twin").hardlink_to(place / "uki")
    before = (place / "uki").read_bytes()
    assert main(["measure", "uki", "--output", name]) == 2
    assert f"--output {Path(name)}: is a file that this command reads" in capsys.readouterr().err
    assert (place / "uki").read_bytes() == before


def test_what_another_program_is_told_is_no_output_of_ours(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """mkosi's own --output is a name in the folder that it writes to."""
    assert main(["env", "mkosi", "--source", str(place / "nosuch"), "--", "-o", "uki", "--output=uki", "uki"]) == 2
    assert "is a file that this command reads" not in capsys.readouterr().err


def test_an_earlier_output_is_written_anew(place: Path) -> None:
    (place / "out.json").write_text("{}")
    assert main(["measure", "uki", "--output", "out.json"]) == 0
    assert "teekit-verify/measurements" in (place / "out.json").read_text()
