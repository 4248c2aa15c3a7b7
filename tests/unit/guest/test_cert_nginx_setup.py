"""cert-nginx-setup.service without its programs. tests/integration/guest/test_guest_https.py has certbot and nginx."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from teekit_guest import cert_nginx_setup, layout, wait_for_port
from teekit_guest.cert_nginx_setup import certbot, obtain_certificate
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(layout, "HOSTNAMES", tmp_path / "hostnames")
    monkeypatch.setattr(cert_nginx_setup, "CONFIGURATION", tmp_path / "nginx.conf")


def told(hostnames: str) -> None:
    layout.HOSTNAMES.write_text(hostnames)


def test_hostnames_that_were_not_measured_get_no_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    assert cert_nginx_setup.main() == 0
    assert "hostnames cannot be read: No such file or directory; kettles answer HTTP only" in capsys.readouterr().err
    assert not cert_nginx_setup.CONFIGURATION.exists()


def test_without_hostnames_there_is_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    told("")
    assert cert_nginx_setup.main() == 0
    assert capsys.readouterr().err == "no hostname is set: kettles answer HTTP only\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a.example;include", "'a.example;include' is no hostname"),
        ("a.example", "certbot cannot be run: No such file or directory"),
    ],
)
def test_whatever_is_wrong_it_ends_well(value: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    told(value)
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


@pytest.mark.parametrize(
    ("answers", "said"), [(0, "HTTPS for a.example"), (1, "no HTTPS: nginx does not answer")], ids=["yes", "no"]
)
def test_https_is_announced_when_nginx_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answers: int, said: str
) -> None:
    (tmp_path / "certbot").symlink_to("/bin/true")
    told("a.example")
    asked: list[tuple[list[str], bool]] = []

    def main(arguments: list[str]) -> int:
        asked.append((arguments, cert_nginx_setup.CONFIGURATION.exists()))
        return answers

    monkeypatch.setattr(wait_for_port, "main", main)
    assert cert_nginx_setup.main() == 0
    assert asked == [(["443"], True)]  # what starts nginx is there by then
    assert capsys.readouterr().out == f"\nteekit: {said}\n"
