"""Addresses that come from options and from the host's apt, before anything is made of them."""

from __future__ import annotations

import pytest

from teekit_verify.core import url
from teekit_verify.core.errors import TeekitError


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://mirror.example.org", "http://mirror.example.org"),
        ("https://mirror.example.org:8443/a/b//", "https://mirror.example.org:8443/a/b"),
        ("http://[::1]:3142/debian/", "http://[::1]:3142/debian"),
        ("file:///srv/mirror/", "file:///srv/mirror"),
    ],
)
def test_addresses_lose_their_trailing_slash(given: str, kept: str) -> None:
    assert url.require_address(given, "a mirror") == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "mirror.example.org",
        "/srv/mirror",
        "ftp://mirror.example.org",
        "http://",
        "http:///debian",
        "file://",
        "file:srv",
        "file://host/srv",
        "http://mirror.example.org/a b",
        "http://mirror.example.org/\ndeb http://evil.example.org",
        "http://mirror.example.org/?a",
        "http://mirror.example.org/#a",
        "http://mirror.example.org/\u0660",
        "http://mirror.example.org/\x7f",
        "cdrom:[Debian 13]/",
    ],
)
def test_other_texts_are_no_address(given: str) -> None:
    with pytest.raises(TeekitError) as caught:
        url.require_address(given, "a mirror")
    assert caught.value.message.startswith("a mirror is an http, https or file address, found '")
    assert caught.value.message.isprintable()
    assert caught.value.hint == "Write it like http://mirror.example.org or file:///srv/mirror."


def test_join_encodes_what_a_path_may_have() -> None:
    assert url.join("http://m/debian/", "pool/g/g++_1:2~a%3a.deb") == "http://m/debian/pool/g/g%2B%2B_1%3A2~a%253a.deb"


@pytest.mark.parametrize(
    ("given", "folder"),
    [("http://m/debian/", "debian"), ("http://m/x/debian-security", "debian-security"), ("http://[bad/debian", "")],
)
def test_last_folder(given: str, folder: str) -> None:
    assert url.last_folder(given) == folder


def test_decoded() -> None:
    assert url.decoded("1%3a2%2b3") == "1:2+3"
    with pytest.raises(UnicodeDecodeError):
        url.decoded("%ff")
