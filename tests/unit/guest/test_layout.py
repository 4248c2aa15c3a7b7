"""Users, ports and names are written in units, firewall rules and Python; all must say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from teekit_guest import cert_nginx_setup, cloud_config, launcher, layout, quote_service, tsm, wait_for_port
from teekit_guest.nginx import HTTPS_PORT

IMAGE = Path(__file__).parents[3] / "mkosi/mkosi.images/tdx-kettle"
EXTRA = IMAGE / "mkosi.extra"
UNITS = EXTRA / "usr/lib/systemd/system"
MODULES = [cert_nginx_setup, cloud_config, launcher, quote_service, wait_for_port]


def text(path: str) -> str:
    return (EXTRA / path).read_text()


def users() -> dict[str, int]:
    return {
        name: int(number)
        for name, number in re.findall(r"^u (\S+) (\d+)", text("usr/lib/sysusers.d/kettle.conf"), re.MULTILINE)
    }


def test_every_kettle_has_a_user_and_each_user_a_number_of_its_own() -> None:
    wanted = {f"kettle-{kettle}" for kettle in range(layout.KETTLES)}
    assert users().keys() == wanted | {"cloud-config"}
    assert len(set(users().values())) == len(users())


def test_the_firewall_lets_each_kettle_reach_its_own_database() -> None:
    rules = text("etc/nftables-kettle.conf")
    pairs = {(int(user), int(port)) for user, port in re.findall(r"(\d+) \. (\d+),", rules)}
    assert pairs == {(users()[f"kettle-{kettle}"], layout.database_port(kettle)) for kettle in range(layout.KETTLES)}
    first, last = users()["kettle-0"], users()[f"kettle-{layout.KETTLES - 1}"]
    assert set(re.findall(r"skuid (?:!= )?(\d+-\d+) jump", rules)) == {f"{first}-{last}"}
    ports = f"{layout.database_port(0)}-{layout.database_port(layout.KETTLES - 1)}"
    assert f"tcp dport {ports} ct state new reject" in rules
    assert f"tcp dport {layout.QUOTE_PORT} accept" in rules


def test_the_firewall_is_open_for_every_kettle() -> None:
    ports = f"{layout.port(0)}-{layout.port(layout.KETTLES - 1)}"
    assert f"tcp dport {{ 80, 443, {ports} }} accept" in text("etc/nftables.d/50-kettle.nft")


def test_workerd_asks_the_quote_service_where_it_is() -> None:
    capnp = (IMAGE / "kettle/runtime/kettle.capnp").read_text()
    assert f'(name = "quote", external = (address = "127.0.0.1:{layout.QUOTE_PORT}"' in capnp
    assert launcher.HEALTH in (IMAGE / "kettle/runtime/worker.js").read_text()


def test_the_presets_enable_what_wants_to_be_enabled_and_no_more() -> None:
    enabled = set(re.findall(r"^enable (\S+)", text("usr/lib/systemd/system-preset/50-kettle.preset"), re.MULTILINE))
    ours = {path.name for path in UNITS.glob("*.*") if path.is_file() and "\n[Install]\n" in path.read_text()}
    assert enabled == ours | {"systemd-resolved.service"}
    assert all("WantedBy=minimal.target\n" in (UNITS / name).read_text() for name in ours)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_every_service_is_started_by_a_unit_and_by_nothing_but_the_standard_library(module: object) -> None:
    name = getattr(module, "__name__", "")
    starts = f"/usr/bin/python3 -I -m {name}"
    assert any(starts in path.read_text() for path in UNITS.glob("*.service"))


def test_units_read_and_write_where_services_do() -> None:
    assert f"EnvironmentFile=-{layout.ENVIRONMENT_FILE}" in (UNITS / "kettle-launcher.service").read_text()
    assert f"EnvironmentFile=-{layout.ENVIRONMENT_FILE}" in (UNITS / "cert-nginx-setup.service").read_text()
    kettle = (UNITS / "kettle@.service").read_text()
    assert f"StandardOutput=append:{layout.KETTLE_LOG}" in kettle
    assert f"StandardError=append:{layout.KETTLE_ERROR_LOG}" in kettle
    assert f"EnvironmentFile={layout.KETTLE_FOLDERS}/%i/environment" in kettle
    nginx = (UNITS / "kettle-nginx.service").read_text()
    assert f"-c {cert_nginx_setup.CONFIGURATION}\n" in nginx
    assert f"wait_for_port {HTTPS_PORT}\n" in nginx
    assert f"RuntimeDirectory={cert_nginx_setup.NGINX_FOLDER.name}" in nginx
    for name in ("fullchain.pem", "privkey.pem"):
        assert f"LoadCredential={name}:{cert_nginx_setup.STATE}/config/live/kettle/{name}" in nginx
    assert all((UNITS / name).is_file() for name in cert_nginx_setup.UNITS)
    assert str(tsm.REPORTS).startswith("/sys/kernel/config/")


STARTS = {
    "cert-nginx-setup.service": cert_nginx_setup.UNITS,
    "kettle-launcher.service": ("kettle@.service", "sqld@.service"),
    "cert-renew.service": ("kettle-nginx.service",),
}


@pytest.mark.parametrize(("starter", "started"), STARTS.items())
def test_no_unit_waits_for_the_service_that_starts_it_and_waits(starter: str, started: tuple[str, ...]) -> None:
    for name in started:
        after = re.findall(r"^(?:After|Requires|BindsTo)=(.*)$", (UNITS / name).read_text(), re.MULTILINE)
        assert starter not in " ".join(after).split()


def test_no_kettle_starts_where_what_is_wanted_could_not_be_asked() -> None:
    unit = (UNITS / "kettle-launcher.service").read_text()
    assert "\nRequires=cloud-config.service\n" in unit
    assert re.search(r"^After=.*\bcloud-config\.service\b", unit, re.MULTILINE)
