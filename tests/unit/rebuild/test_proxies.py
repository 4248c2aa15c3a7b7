"""The proxies of the host: what its environment says, and where it says nothing, its apt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders.standins import StandIns
from teekit_verify.core.download import Proxies
from teekit_verify.rebuild import git, proxies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As apt 2.6 prints it.
DUMP = """\
Acquire "";
Acquire::http "";
Acquire::http::Proxy "http://me:hunter2@apt.test:3142";
Acquire::http::Proxy::local.test "DIRECT";
Acquire::https "";
Acquire::https::Verify-Peer "true";
"""


@pytest.fixture(autouse=True)
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    stand_ins = StandIns.make(tmp_path / "bin")
    stand_ins.add("apt-config", f"cat <<'end'\n{DUMP}end")
    monkeypatch.setenv("PATH", f"{stand_ins.folder}:/usr/bin:/bin")
    proxies._of_apt.cache_clear()
    yield
    proxies._of_apt.cache_clear()


def test_apts_proxy_is_taken_where_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    apt = "http://me:hunter2@apt.test:3142"
    assert proxies.proxies() == Proxies(apt, apt, ("local.test",))
    monkeypatch.setenv("HTTPS_PROXY", "http://mine.test:1")
    assert proxies.proxies() == Proxies(apt, "http://mine.test:1", ("local.test",))


def test_a_host_without_apt_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert proxies.proxies() == Proxies()


def test_git_is_given_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://everything.test:1")
    given = git._environment("https")
    assert (given["http_proxy"], given["https_proxy"]) == ("http://everything.test:1", "http://everything.test:1")


def test_the_proxy_of_an_address_is_named_without_its_user() -> None:
    assert proxies.through("https://git.test/x.git") == " (through the proxy http://***@apt.test:3142)"
    assert proxies.through("https://local.test/x.git") == ""
    assert proxies.through("/srv/git/x.git") == ""
    assert proxies.through("http://[bad") == ""
