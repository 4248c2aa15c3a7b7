"""The devtools profile: whose keys open it, and that nothing of it can be overlooked."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

DEVTOOLS = Path(__file__).parents[3] / "mkosi/mkosi.profiles/devtools"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8m"


@pytest.fixture
def ssh_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(
        "ssh_keys", DEVTOOLS / "mkosi.extra/usr/lib/teekit/ssh_keys.py"
    )
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "TARGET", tmp_path / "root/.ssh/authorized_keys")
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    return module


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (f"{KEY} me@home\n", [KEY]),
        (f"alice:{KEY} alice@example.org\nbob:ecdsa-sha2-nistp256 AAAA\n", [KEY, "ecdsa-sha2-nistp256 AAAA"]),
        (f'command="/bin/evil" {KEY}', []),
        ("<html>not found</html>\n\n-----BEGIN RSA", []),
        ("", []),
    ],
)
def test_keys_are_told_from_everything_else(ssh_keys: ModuleType, text: str, keys: list[str]) -> None:
    """Google Cloud writes `user:key comment`; options before a key would be commands, and are not taken."""
    assert ssh_keys.keys_of(text) == keys


def test_the_first_service_that_answers_decides(
    ssh_keys: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: dict[str, str | OSError] = {
        "http://metadata.google.internal/computeMetadata/v1/instance/attributes/ssh-keys": OSError("no such host"),
        "http://169.254.169.254/metadata/instance/compute/publicKeys?api-version=2021-02-01": f'[{{"keyData": "{KEY}\\n"}}]',
    }
    asked = []

    def fetch(address: str, headers: dict[str, str]) -> str:
        asked.append((address, headers))
        answer = answers.get(address, OSError("refused"))
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(ssh_keys, "fetch", fetch)
    ssh_keys.main()
    assert [headers for _, headers in asked] == [{}, {"Metadata-Flavor": "Google"}, {"Metadata": "true"}]
    assert ssh_keys.TARGET.read_text() == f"{KEY}\n"
    assert ssh_keys.TARGET.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr().out == "1 keys from azure\n"


def test_without_metadata_nobody_is_let_in(
    ssh_keys: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter(range(0, 1000, 50))
    monkeypatch.setattr(ssh_keys.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(ssh_keys, "fetch", lambda *_: "[]")
    monkeypatch.setattr(ssh_keys, "from_qemu", lambda: (_ for _ in ()).throw(OSError()))
    monkeypatch.setattr(ssh_keys, "from_gcp", lambda: (_ for _ in ()).throw(OSError()))
    monkeypatch.setattr(ssh_keys, "from_azure", lambda: (_ for _ in ()).throw(ValueError()))
    ssh_keys.main()
    assert not ssh_keys.TARGET.exists()
    assert capsys.readouterr().out == "no metadata service has ssh keys\n"


def test_the_warning_is_everywhere(tmp_path: Path) -> None:
    etc, lib = tmp_path / "etc", tmp_path / "usr/lib"
    (etc / "ssh").mkdir(parents=True)
    lib.mkdir(parents=True)
    (etc / "passwd").write_text("root:*:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534::/:/usr/sbin/nologin\n")
    (etc / "ssh/ssh_host_ed25519_key").write_text("of the package")
    (lib / "os-release").write_text('NAME="Debian"\n')
    environment = {**os.environ, "BUILDROOT": str(tmp_path)}
    result = subprocess.run([DEVTOOLS / "mkosi.postinst"], env=environment, capture_output=True, text=True, check=True)
    assert "NOT FOR PRODUCTION" in result.stderr
    assert "NOT FOR PRODUCTION" in (etc / "motd").read_text()
    assert "VARIANT_ID=devtools\n" in (lib / "os-release").read_text()
    assert "not-for-production" in (DEVTOOLS / "mkosi.conf").read_text()
    assert (etc / "passwd").read_text().splitlines() == [
        "root:*:0:0:root:/root:/bin/bash",
        "nobody:x:65534:65534::/:/usr/sbin/nologin",
    ]
    assert list((etc / "ssh").iterdir()) == []
