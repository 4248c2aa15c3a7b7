"""cert-nginx-setup.service without its programs. tests/integration/test_guest_https.py has certbot and nginx."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from teekit_guest import cert_nginx_setup
from teekit_guest.cert_nginx_setup import certbot, obtain_certificate
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("value", [None, ""])
def test_without_hostnames_there_is_nothing_to_do(
    value: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if value is None:
        monkeypatch.delenv("HOSTNAME_CONFIG", raising=False)
    else:
        monkeypatch.setenv("HOSTNAME_CONFIG", value)
    assert cert_nginx_setup.main() == 0
    assert capsys.readouterr().err == "no hostname is set: kettles answer HTTP only\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a.example;include", "'a.example;include' is no hostname"),
        ("a.example", "certbot cannot be run: No such file or directory"),
    ],
)
def test_whatever_is_wrong_it_ends_well(
    value: str, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOSTNAME_CONFIG", value)
    assert cert_nginx_setup.main() == 0
    said = capsys.readouterr()
    assert said.err == f"no certificate: {reason}; kettles answer HTTP only\n"
    assert said.out == f"\nteekit: no HTTPS: {reason}\n"


def test_an_authority_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cert_nginx_setup, "CERTBOT_SECONDS", 0.1)
    with pytest.raises(Refused, match=r"certbot did not finish within 0\.1 s"):
        obtain_certificate(["/bin/sleep", "5"], logging.getLogger("test"))


def test_another_authority_only_where_the_image_says_so(tmp_path: Path) -> None:
    assert "--server" not in certbot(["a.example"], {}, tmp_path, 80)
    assert certbot(["a.example"], {"ACME_DIRECTORY": "https://b.example/dir"}, tmp_path, 80)[-4:] == [
        "--server",
        "https://b.example/dir",
        "--domains",
        "a.example",
    ]
