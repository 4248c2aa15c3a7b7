"""The image with kettles, built by the seed's own command and run as scripts/test_local.sh runs it: seen from outside, end to end.

Profile devtools, because only that image asks the host for quotes where there is no TDX; its services are the others'.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import signal
import socket
import subprocess
import urllib.request
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from builders import measuring, npm
from builders.guest_console import ask as ask_console
from builders.http import serve
from builders.network import own_network
from builders.tools import require
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.artifact import bootable
from teekit_verify.cli.app import main
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.local.dummy_quote import MARK
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builders.http import Exchange

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[3]
KETTLE = CHECKOUT / "mkosi/mkosi.images/tdx-kettle/kettle"
REPORT_DATA = bytes(range(64))
_BOOT_SECONDS, _ANSWER_SECONDS = 1800, 600


@pytest.fixture(scope="module")
def running(devtools_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What scripts/test_local.sh prints once the kettle answers. In the end it is interrupted, and leaves nothing."""
    require("qemu-system-x86_64")
    script = CHECKOUT / "scripts" / "test_local.sh"
    # Bundled here: that the kettle starts at all says that the image has the very same bytes.
    bundled = tmp_path_factory.mktemp("bundled")
    subprocess.run([KETTLE / "bundle", KETTLE / "demo", bundled, npm.program("esbuild")], check=True)
    manifest = bundled / "manifest.json"
    command = [str(script), str(devtools_image), "--json", "--timeout", str(_BOOT_SECONDS), "--manifest", str(manifest)]
    with own_network(), subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline() or "{}")
        assert ready, "it ended before the kettle answered"
        yield ready
        process.send_signal(signal.SIGINT)
        assert process.wait(_ANSWER_SECONDS) == ExitStatus.HOLDS
    assert not Path(ready["console"]).parent.exists()


def ask(url: str, data: bytes | None = None) -> Any:
    return json.loads(fetched(url, data))


def fetched(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, data, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 - a server of this test
        return bytes(answer.read())


@pytest.fixture
def kettle(running: dict[str, Any]) -> str:
    (url,) = running["kettles"]
    assert isinstance(url, str)
    return url


def test_the_demo_app_counts_its_visits(kettle: str) -> None:
    before = ask(kettle)
    assert before["app"] == "demo"
    assert ask(kettle)["visits"] == before["visits"] + 1


def test_its_database_gives_back_what_was_written(kettle: str) -> None:
    note = ask(f"{kettle}/notes", b"kept in the virtual machine")
    assert note["text"] == "kept in the virtual machine"
    assert note in ask(f"{kettle}/notes")["notes"]


def test_the_metadata_service_shows_the_manifest(running: dict[str, Any]) -> None:
    metadata = running["metadata"]
    assert ask(f"{metadata}/health") == {"status": "ok"}
    manifest = ask(f"{metadata}/manifest/decoded")
    assert manifest["app"] == "file:///usr/lib/kettle/app.js"
    assert json.loads(b64decode(fetched(f"{metadata}/manifest"))) == manifest


def test_a_quote_from_the_machine_says_that_it_is_a_dummy_and_has_the_predicted_registers(
    kettle: str, running: dict[str, Any], devtools_image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = ask(f"{kettle}/quote?report_data={REPORT_DATA.hex()}")
    assert answer["tee_type"] == "dummy"
    raw = b64decode(answer["quote"])
    quote = parse_quote(raw)
    assert quote.user_data == MARK
    # What docs/guest.md says: of the app that asked, and of what it asked for.
    app = bytes.fromhex(ask(f"{running['metadata']}/manifest/decoded")["sha256"])
    bound = hashlib.sha512(b"teekit kettle report data v1\0" + app + REPORT_DATA).digest()
    assert (quote.report.report_data, answer["asked"]) == (bound, REPORT_DATA.hex())
    for index, value in enumerate(predicted(devtools_image), start=1):
        assert quote.report.value(rtmr(index)).hex == value

    path = tmp_path / "quote.bin"
    path.write_bytes(raw)
    assert main(["quote", str(path)]) is ExitStatus.DOES_NOT_HOLD
    assert "authentic: NO" in capsys.readouterr().out


@pytest.fixture(scope="module")
def console(running: dict[str, Any]) -> Path:
    """A root shell. From here on: what docs/guest.md says of the image, asked of the image when it runs."""
    path = Path(running["console"])
    assert ask_console(path, "id -u") == "0"
    return path


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fs/protected_hardlinks", "1"),
        ("fs/suid_dumpable", "0"),
        ("kernel/dmesg_restrict", "1"),
        ("kernel/io_uring_disabled", "2"),
        ("kernel/kptr_restrict", "2"),
        ("kernel/modules_disabled", "1"),
        ("kernel/printk", "0\t4\t1\t7"),
        ("kernel/sysrq", "0"),
        ("kernel/unprivileged_bpf_disabled", "1"),
        ("kernel/unprivileged_userns_clone", "0"),
        ("kernel/yama/ptrace_scope", "2"),
        ("net/core/bpf_jit_harden", "2"),
        ("net/ipv4/tcp_rmem", "4096\t65536\t262144"),
        ("net/ipv4/tcp_wmem", "4096\t16384\t131072"),
        *((f"net/ipv4/conf/{name}/accept_redirects", "0") for name in ("all", "default", "lo", "e*")),
        *((f"net/ipv4/conf/{name}/accept_source_route", "0") for name in ("all", "default", "lo", "e*")),
        *((f"net/ipv4/conf/{name}/rp_filter", "1") for name in ("all", "default", "e*")),
        *((f"net/ipv6/conf/{name}/accept_redirects", "0") for name in ("all", "default", "lo", "e*")),
    ],
)
def test_a_setting_is_in_effect(console: Path, setting: str, value: str) -> None:
    assert ask_console(console, f"cat /proc/sys/{setting}") == value


def test_no_module_is_loaded_any_more(console: Path) -> None:
    modules = ask_console(console, "find /usr/lib/modules -name '*.ko*' | sort").split()
    loaded = {line.split()[0] for line in ask_console(console, "cat /proc/modules").splitlines()}
    others = [path for path in modules if Path(path).name.split(".")[0].replace("-", "_") not in loaded]
    assert others, "every module of the image is loaded"
    assert "Operation not permitted" in ask_console(console, f"insmod {others[0]}")


def test_the_console_does_not_say_what_a_processor_was_doing(console: Path) -> None:
    """As when the host stops one for half a minute; here the kernel is asked for the same words (SysRq l). They have registers of user mode."""
    asked = "echo l > /proc/sysrq-trigger; sleep 2; dmesg | grep -c '[R]IP: 0033'"
    said = ask_console(console, asked)
    assert int(said.split()[-1]) > 0
    assert "RIP" not in said
    assert "NMI backtrace" not in said


def test_efi_variables_cannot_be_had(console: Path) -> None:
    assert ask_console(console, "test -d /sys/firmware/efi && echo booted by EFI") == "booted by EFI"
    assert ask_console(console, "ls -A /sys/firmware/efi/efivars 2>/dev/null") == ""
    assert "mounted" not in ask_console(console, "mount -t efivarfs efivarfs /mnt && echo mounted")
    assert "efivarfs" not in ask_console(console, "cat /proc/filesystems")
    for process in ("1", "$(systemctl show --property=MainPID --value systemd-udevd.service)"):
        environment = ask_console(console, f"tr '\\0' '\\n' < /proc/{process}/environ").splitlines()
        assert "SYSTEMD_EFI_OPTIONS=" in environment


def test_what_the_kernel_has_built_in_to_listen_to_the_host_is_not_started(console: Path) -> None:
    """Debian's kernel has these built in, and no list of modules keeps them out."""
    kept = "ls -d /sys/class/dmi/id /sys/firmware/dmi/tables 2>/dev/null"
    assert ask_console(console, kept).split() == ["/sys/class/dmi/id", "/sys/firmware/dmi/tables"]
    for place in (
        "/sys/firmware/dmi/entries",
        "/sys/bus/virtio/drivers/virtio_console",
        "/sys/bus/virtio/drivers/virtiofs",
    ):
        assert ask_console(console, f"ls -d {place} 2>/dev/null") == "", place
    assert "virtiofs" not in ask_console(console, "cat /proc/filesystems")


def test_nothing_runs_from_where_everybody_writes_nor_from_a_device(console: Path) -> None:
    mounts = {
        line.split()[1]: line.split()[3].split(",") for line in ask_console(console, "cat /proc/mounts").splitlines()
    }
    for place in ("/dev", "/dev/shm", "/run", "/tmp", "/var/tmp"):  # noqa: S108 - of the guest
        assert {"noexec", "nosuid"} <= set(mounts[place]), place
        copy = f"{place}/copied-by-a-test"
        said = ask_console(console, f"cp /usr/bin/true {copy} && {copy} && echo it ran; rm -f {copy}")
        assert "Permission denied" in said


def test_only_temporary_folders_are_for_everybody_to_write(console: Path) -> None:
    found = ask_console(
        console, "find / '(' -path /proc -o -path /sys ')' -prune -o '(' -type d -o -type f ')' -perm -0002 -print"
    ).splitlines()
    private = ("/tmp/systemd-private-", "/var/tmp/systemd-private-", "/run/systemd/")  # noqa: S108 - closed by the folder above
    assert {path for path in found if not path.startswith(private)} <= {"/dev/mqueue", "/dev/shm", "/tmp", "/var/tmp"}  # noqa: S108
    assert ask_console(console, "stat -c '%a %U' /") == "755 root"


def test_nothing_has_failed(console: Path) -> None:
    assert ask_console(console, "systemctl --failed --plain --no-legend --no-pager") == ""


def test_only_known_services_run(console: Path) -> None:
    """Those whose units are in our sources, and four of systemd's."""
    command = "systemctl list-units --type=service --state=running --plain --no-legend --no-pager"
    running = {re.sub(r"@[^.]*", "@", line.split()[0]) for line in ask_console(console, command).splitlines()}
    ours = {path.name for path in (CHECKOUT / "mkosi").rglob("mkosi.extra/usr/lib/systemd/system/*.service")}
    debians = {f"systemd-{name}.service" for name in ("journald", "networkd", "resolved", "udevd")}
    assert debians <= running
    assert not running - ours - debians - {"ssh.service"}


# What docs/app-identity.md says.


NONCE = "5a" * 32


def measured(running: dict[str, Any], bank: str) -> list[bytes]:
    """The digests of the events, by hashlib, from the manifest that the machine was given."""
    manifest = b64decode(fetched(f"{running['metadata']}/manifest"))
    app = f"0 {json.loads(manifest)['sha256']}".encode()
    events = (("manifest", manifest), ("app", app), ("hostnames", b""), ("closed", b""))
    return [
        hashlib.new(bank, f"teekit measured {kind} v1".encode() + bytes(1) + content).digest()
        for kind, content in events
    ]


def extended(digests: list[bytes], bank: str) -> str:
    value = bytes(hashlib.new(bank).digest_size)
    for digest in digests:
        value = hashlib.new(bank, value + digest).digest()
    return value.hex()


@pytest.fixture(scope="module")
def answer(running: dict[str, Any]) -> dict[str, Any]:
    found = ask(f"{running['attestation']}/.well-known/teekit/attestation?nonce={NONCE}")
    assert isinstance(found, dict)
    return found


def test_the_machine_says_what_it_runs(running: dict[str, Any], answer: dict[str, Any]) -> None:
    manifest = b64decode(fetched(f"{running['metadata']}/manifest"))
    assert [b64decode(one) for one in answer["manifests"]] == [manifest]
    assert (answer["nonce"], answer["tls_key_sha256"], answer["hostnames"]) == (NONCE, None, [])
    bound = hashlib.sha512(b"teekit guest report data v1" + bytes(1) + bytes.fromhex(NONCE) + bytes(32)).hexdigest()
    assert answer["report_data"] == bound
    quote = parse_quote(b64decode(answer["tdx"]["quote"]))
    assert quote.report.report_data.hex() == bound
    assert quote.report.value(rtmr(3)).hex == extended(measured(running, "sha384"), "sha384")


def test_pcr_15_of_the_tpm_is_what_was_measured_event_by_event(
    running: dict[str, Any], answer: dict[str, Any], console: Path
) -> None:
    assert running["tpm"], "swtpm is missing"
    records = measuring.records(answer["runtime_log"].encode())
    for bank in ("sha256", "sha384"):
        digests = measured(running, bank)
        logged = [
            one["digest"]
            for record in records
            for one in record["digests"]
            if record.get("pcr") == 15 and one["hashAlg"] == bank
        ]
        assert logged == [digest.hex() for digest in digests]
        # As the kernel reads it from the TPM.
        assert ask_console(console, f"cat /sys/class/tpm/tpm0/pcr-{bank}/15").lower() == extended(digests, bank)
    assert answer["tpm"]["pcrs"]["sha256"]["15"] == extended(measured(running, "sha256"), "sha256")


def test_the_tpms_quote_is_over_the_same_question(answer: dict[str, Any], tmp_path: Path) -> None:
    for name, field in (("msg", "message"), ("sig", "signature"), ("pub", "ak_public")):
        (tmp_path / name).write_bytes(b64decode(answer["tpm"][field]))
    qualifying = hashlib.sha256(bytes.fromhex(answer["report_data"])).hexdigest()
    argv = [require("tpm2_checkquote"), "-u", "pub", "-m", "msg", "-s", "sig", "-q", qualifying]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


AS_USER = 'python3 -I -c "import os; os.setgroups([]); os.setgid({user}); os.setuid({user}); {what}" 2>&1 | tail -1'
ATTESTATION = "/run/attestation/https"


@pytest.mark.parametrize(
    ("user", "what"),
    [
        (2000, "open('/run/teekit/runtime-log', 'a')"),
        (2000, "open('/dev/tpmrm0', 'r+b', 0)"),
        (2000, f"import socket; socket.socket(socket.AF_UNIX).connect('{ATTESTATION}')"),
        (2000, "open('/run/kettle/0/app/app.js', 'r+')"),
        (2000, "open('/run/kettle-given/app-0')"),
        (1991, "open('/run/kettle/0/app/app.js', 'r+')"),  # kettle-launcher
        (1991, "os.rename('/run/kettle/0/app', '/run/kettle/0/other')"),
        (1991, "open('/run/kettle/1/ready', 'w')"),
        (1991, "open('/run/teekit/measured', 'w')"),
        (1991, f"import socket; socket.socket(socket.AF_UNIX).connect('{ATTESTATION}')"),
        (1992, "open('/run/teekit/hostnames', 'w')"),  # cert
        (1993, f"import socket; socket.socket(socket.AF_UNIX).connect('{ATTESTATION}')"),  # quote
    ],
)
def test_neither_an_app_nor_who_brings_it_changes_what_was_measured(console: Path, user: int, what: str) -> None:
    assert "PermissionError" in ask_console(console, AS_USER.format(user=user, what=what))


def test_starting_it_all_anew_measures_nothing_again(console: Path, answer: dict[str, Any]) -> None:
    read = "cat /sys/class/tpm/tpm0/pcr-sha256/15 /run/teekit/runtime-log | sha256sum"
    before = ask_console(console, read)
    ask_console(console, "systemctl restart kettle-launcher.service", seconds=_BOOT_SECONDS)
    assert "too often" in ask_console(console, "systemctl restart teekit-measure.service")
    assert ask_console(console, "python3 -I -m teekit_guest.measure; echo $?").endswith("1")
    assert ask_console(console, read) == before
    ask_console(console, "rm /run/teekit/not-measured; systemctl reset-failed")


def test_half_questions_leave_the_others_their_places(running: dict[str, Any], kettle: str) -> None:
    """Of one address, which here is everybody's. A flood at this door takes no quote of an app's."""
    port = int(running["attestation"].rpartition(":")[2])
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), _ANSWER_SECONDS))
            sock.sendall(b"GET /.well")
        assert ask(f"{kettle}/quote?report_data={REPORT_DATA.hex()}")["tee_type"] == "dummy"


@pytest.fixture(scope="module")
def published(devtools_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `local` says to compare with: the image's own measurements."""
    path = tmp_path_factory.mktemp("published") / "measurements.json"
    assert main(["measure", str(devtools_image), "--output", str(path)]) is ExitStatus.HOLDS
    return path


@pytest.mark.parametrize("changed", [False, True])
def test_one_command_checks_the_machine(
    changed: bool,  # noqa: FBT001
    running: dict[str, Any],
    published: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its quotes are dummies: it is refused for that, whatever else holds. Of another app, one byte of its digest, that is said too."""
    content = b64decode(fetched(f"{running['metadata']}/manifest"))
    sha256 = json.loads(content)["sha256"]
    if changed:
        content = content.replace(sha256.encode(), (("1" if sha256[0] == "0" else "0") + sha256[1:]).encode())
    (tmp_path / "manifest.json").write_bytes(content)
    options = ["--reference", str(published), "--manifest", str(tmp_path / "manifest.json"), "--platform", "qemu"]
    capsys.readouterr()
    status = main(["guest", running["attestation"], *options, "--allow-unchecked", "channel", "--json"])
    assert status is ExitStatus.DOES_NOT_HOLD
    document = json.loads(capsys.readouterr().out)
    assert document["reasons"][0] == "this is a dummy quote, for trying things out: no hardware made it"
    steps = {step["step"]: step for step in document["steps"]}
    refused = [name for name, step in steps.items() if step["outcome"] == "mismatch"]
    assert refused == (["authentic", "apps"] if changed else ["authentic"])
    assert {check["outcome"] for check in steps["bound"]["checks"]} == {"match"}
    if changed:
        assert document["runs"] is None
    else:
        assert [app["sha256"] for app in document["runs"]["apps"]] == [sha256]


@contextlib.contextmanager
def by_its_tpm_alone(attestation: str) -> Iterator[str]:
    """The machine as it answers where nobody gives dummy quotes: its TPM has signed for the same question."""

    def answer(exchange: Exchange) -> None:
        fields = ask(attestation + exchange.path)
        exchange.serve(json.dumps({**fields, "tdx": None}).encode())

    with serve() as server:
        server.otherwise = answer
        yield f"http://127.0.0.1:{server.server_address[1]}"


@pytest.mark.parametrize("changed", [False, True])
def test_a_machine_with_a_tpm_alone(
    changed: bool,  # noqa: FBT001
    running: dict[str, Any],
    published: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its real TPM: signature, question, PCRs, both logs and the app hold. What is left is what no TPM can say, and the disk that was not measured."""
    content = b64decode(fetched(f"{running['metadata']}/manifest"))
    (tmp_path / "manifest.json").write_bytes(content.replace(b"\n", b"\r\n") if changed else content)
    (tmp_path / "key").write_bytes(
        b64decode(ask(f"{running['attestation']}/.well-known/teekit/attestation?nonce={NONCE}")["tpm"]["ak_public"])
    )
    options = ["--reference", str(published), "--manifest", str(tmp_path / "manifest.json"), "--platform", "uefi-vtpm"]
    options += ["--vtpm-key", str(tmp_path / "key"), "--allow-unchecked", "channel,tdx", "--json"]
    capsys.readouterr()
    with by_its_tpm_alone(running["attestation"]) as url:
        status = main(["guest", url, *options])
    document = json.loads(capsys.readouterr().out)
    left = [check["name"] for step in document["steps"] for check in step["checks"] if check["outcome"] != "match"]
    gpt = ["uefi-vtpm PCR5 sha256", "uefi-vtpm PCR5 sha384"]
    if changed:
        assert (status, left) == (ExitStatus.DOES_NOT_HOLD, [*gpt, "manifest 0"])
    else:
        assert (status, left) == (ExitStatus.NO_VERDICT, gpt)
        assert {check["name"] for step in document["steps"] for check in step["checks"]} >= {
            "PCRs are signed by the vTPM's key",
            "nonce of the vTPM's quote",
            "event log PCR4",
            "event log PCR11",
            "event log PCR15",
            "uefi-vtpm PCR4 sha256",
        }


def predicted(image: Path) -> list[str]:
    """RTMR1 and RTMR2 of a machine without vTPM, on the disk that is made for a UKI."""
    with bootable(image) as booted, open_uki(booted.uki) as uki:
        values = {item.register: item for item in predict_uki(uki, booted.gpt, vtpm=False)}
    return [values[rtmr(index)].value(Algorithm.SHA384).hex for index in (1, 2)]
