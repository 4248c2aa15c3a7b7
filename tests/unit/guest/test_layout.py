"""Users, ports and names are written in units, firewall rules and Python; all must say the same."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from teekit_guest import (
    attestation,
    cert_nginx_setup,
    cloud_config,
    launcher,
    layout,
    measure,
    nginx,
    quote_service,
    supervisor,
    tls_key,
    tsm,
)

IMAGE = Path(__file__).parents[3] / "mkosi/mkosi.images/tdx-kettle"
EXTRA = IMAGE / "mkosi.extra"
UNITS = EXTRA / "usr/lib/systemd/system"
MODULES = [attestation, cert_nginx_setup, cloud_config, launcher, measure, quote_service, supervisor, tls_key]
OTHERS = {"cloud-config", "kettle-launcher", "cert", "quote", "attestation"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of each kettle."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run([IMAGE / "kettle/per-kettle", root], check=True)
    return root


def text(path: str) -> str:
    return (EXTRA / path).read_text()


def users() -> dict[str, int]:
    return {
        name: int(number)
        for name, number in re.findall(r"^u (\S+) (\d+)", text("usr/lib/sysusers.d/kettle.conf"), re.MULTILINE)
    }


def test_every_kettle_has_a_user_and_each_user_a_number_of_its_own() -> None:
    wanted = {f"kettle-{kettle}" for kettle in range(layout.KETTLES)}
    assert users().keys() == wanted | OTHERS
    assert len(set(users().values())) == len(users())


def test_the_firewall_lets_each_kettle_reach_its_own_ports() -> None:
    rules = text("etc/nftables-kettle.conf")
    pairs = {(int(user), int(port)) for user, port in re.findall(r"(\d+) \. (\d+),", rules)}
    assert pairs == {
        (users()[f"kettle-{kettle}"], port(kettle))
        for kettle in range(layout.KETTLES)
        for port in (layout.port, layout.database_port)
    }
    first, last = users()["kettle-0"], users()[f"kettle-{layout.KETTLES - 1}"]
    assert set(re.findall(r"skuid (?:!= )?(\d+-\d+) jump", rules)) == {f"{first}-{last}"}
    ports = f"{layout.database_port(0)}-{layout.database_port(layout.KETTLES - 1)}"
    assert f"tcp dport {ports} ct state new reject" in rules
    assert (
        f"tcp dport {{ 443, {layout.ATTESTATION_PORT}-{layout.port(layout.KETTLES - 1)} }} ct state new jump" in rules
    )


@pytest.mark.parametrize("kettle", range(layout.KETTLES))
def test_every_kettle_has_files_of_its_own(made: Path, kettle: int) -> None:
    units = made / "usr/lib/systemd/system"
    assert (units / f"kettle@{kettle}.service.d/50-port.conf").read_text().splitlines()[1:] == [
        f"Environment=PORT={3001 + kettle} DATABASE_PORT={4001 + kettle}",
        f"SocketBindAllow=tcp:{3001 + kettle}",
    ]
    assert f"SocketBindAllow=tcp:{4001 + kettle}\n" in (units / f"sqld@{kettle}.service.d/50-port.conf").read_text()
    mount = (units / f"var-lib-kettle-{kettle}.mount").read_text()
    assert f"Where=/var/lib/kettle/{kettle}\n" in mount
    assert "Options=size=3%%,nr_inodes=4096,mode=0711," in mount
    assert (units / f"minimal.target.wants/kettle@{kettle}.path").readlink() == Path("../kettle@.path")
    folders = (made / f"usr/lib/tmpfiles.d/kettle-{kettle}.conf").read_text()
    assert folders == (
        f"d /run/kettle/{kettle} 2750 root kettle-{kettle}\nd /run/quote/{kettle} 0710 quote kettle-{kettle}\n"
        f"d /run/roots/kettle-{kettle} 0555 root root\nd /run/roots/sqld-{kettle} 0555 root root\n"
    )


def test_nothing_depends_on_who_makes_the_files_of_each_kettle(made: Path, tmp_path: Path) -> None:
    subprocess.run(["sh", "-c", f"umask 077; exec {IMAGE}/kettle/per-kettle {tmp_path}"], check=True)
    found = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert found == sorted(path.relative_to(made) for path in made.rglob("*"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.*") if path.is_file()} == {0o644}


def test_the_firewall_is_open_for_every_kettle() -> None:
    assert layout.port(0) - 1 == layout.ATTESTATION_PORT
    ports = f"{layout.ATTESTATION_PORT}-{layout.port(layout.KETTLES - 1)}"
    assert f"tcp dport {{ 80, 443, {ports} }} accept" in text("etc/nftables.d/50-kettle.nft")


def test_workerd_asks_the_quote_service_where_it_is() -> None:
    unit = (UNITS / "kettle@.service").read_text()
    assert f"--external-addr=quote=unix:{layout.QUOTE_FOLDERS}/%i/socket " in unit
    assert layout.quote_socket(7) == layout.QUOTE_FOLDERS / "7/socket"
    runtime = (IMAGE / "kettle/runtime/worker.js").read_text()
    assert launcher.HEALTH in runtime
    assert supervisor.ALIVE in runtime


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
    kettle = (UNITS / "kettle@.service").read_text()
    assert f"StandardError=append:{layout.STATE_FOLDERS}/%i/kettle-error.log" in kettle
    assert f"PathExists={layout.KETTLE_FOLDERS}/%i/{layout.READY}\n" in (UNITS / "kettle@.path").read_text()
    assert f"touch {layout.FAILED_FOLDER}/%i\n" in (UNITS / "kettle-failed@.service").read_text()
    assert f"PathExists={layout.GIVEN}/{layout.COMPLETE}\n" in (UNITS / "teekit-measure.path").read_text()
    nginx = (UNITS / "kettle-nginx.service").read_text()
    assert f"-c {cert_nginx_setup.CONFIGURATION}\n" in nginx
    assert f"RuntimeDirectory={cert_nginx_setup.NGINX_FOLDER.name}" in nginx
    for name in ("fullchain.pem", "privkey.pem"):
        assert f"LoadCredential={name}:{cert_nginx_setup.STATE}/config/live/kettle/{name}" in nginx
    assert f"PathExists={cert_nginx_setup.CONFIGURATION}\n" in (UNITS / "kettle-nginx.path").read_text()
    assert str(tsm.REPORTS).startswith("/sys/kernel/config/")


# Root, but none of them speaks to the network or parses what others wrote: one truncates files, one tells systemd to restart nginx, one hashes.
ROOT = {"kettle-logs.service", "kettle-nginx-restart.service", "teekit-measure.service"}


def services() -> list[Path]:
    return [path for path in UNITS.glob("*.service") if path.is_file()]


def test_no_service_that_speaks_to_anybody_is_root() -> None:
    texts = {path.name: path.read_text() for path in services()}
    root = {
        name
        for name, text in texts.items()
        if not re.search(r"^(User=(?!root$|0$)|DynamicUser=yes)", text, re.MULTILINE)
    }
    assert root == ROOT
    assert all("\nPrivateNetwork=yes\n" in texts[name] for name in ROOT)


def test_no_service_takes_its_environment_from_a_file_that_another_writes() -> None:
    found = {
        line for path in services() for line in re.findall(r"^EnvironmentFile=-?(.*)$", path.read_text(), re.MULTILINE)
    }
    assert found == {"/usr/lib/kettle/acme.env"}


def test_a_service_that_all_have_comes_back_however_often_it_ends() -> None:
    """One kettle, or its visitors, can make it end; by default systemd then gives up after a few times."""
    texts = {path.name: path.read_text() for path in services()}
    shared = {name for name, text in texts.items() if "\nRestart=" in text and "%i" not in text}
    assert shared == {"attestation.service", "kettle-nginx.service", "quote.service"}
    assert all("\nStartLimitIntervalSec=0\n" in texts[name] for name in shared)


def test_no_kettle_starts_where_what_is_wanted_could_not_be_asked() -> None:
    unit = (UNITS / "kettle-launcher.service").read_text()
    assert "\nRequires=cloud-config.service\n" in unit
    assert re.search(r"^After=.*\bcloud-config\.service\b", unit, re.MULTILINE)


MEASURED = "\nConditionPathExists=/run/teekit/measured\n"


def test_nothing_that_runs_or_answers_for_apps_starts_before_they_are_measured() -> None:
    assert str(layout.MEASURED) in MEASURED
    for name in ("kettle@.service", "kettle-nginx.service", "cert-nginx-setup.service", "attestation.service"):
        assert MEASURED in (UNITS / name).read_text()
    for name in ("cert-nginx-setup.path", "attestation.path"):
        assert f"\nPathExists={layout.MEASURED}\n" in (UNITS / name).read_text()
    for name in ("cert-nginx-setup.service", "attestation.service", "teekit-measure.service"):
        assert "[Install]" not in (UNITS / name).read_text()


def test_measuring_is_done_once_and_by_who_can_do_nothing_else() -> None:
    unit = (UNITS / "teekit-measure.service").read_text()
    for setting in (
        "StartLimitIntervalSec=infinity",
        "StartLimitBurst=1",
        "RemainAfterExit=yes",
        "CapabilityBoundingSet=",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=none",
        "SupplementaryGroups=kettle-given",
        f"ReadWritePaths={layout.KETTLE_FOLDERS} {layout.TEEKIT}",
    ):
        assert f"\n{setting}\n" in unit
    folders = text("usr/lib/tmpfiles.d/kettle.conf")
    assert f"d {layout.GIVEN} 2750 kettle-launcher kettle-given\n" in folders
    assert f"d {layout.TEEKIT} 0755 root root\n" in folders
    assert f"d {layout.MANIFESTS} 0755 root root\n" in folders
    launchers = (UNITS / "kettle-launcher.service").read_text()
    assert f"ReadWritePaths={layout.GIVEN} {layout.KETTLE_LOG} {layout.KETTLE_ERROR_LOG}\n" in launchers


def test_only_nginx_reaches_the_door_that_takes_a_key() -> None:
    folder = layout.ATTESTATION_SOCKET.parent
    assert f"d {folder} 0710 attestation attestation-nginx\n" in text("usr/lib/tmpfiles.d/kettle.conf")
    members = {path.name for path in services() if "attestation-nginx" in path.read_text()}
    assert members == {"kettle-nginx.service"}
    assert str(folder) not in (UNITS / "kettle@.service").read_text()
    assert f"SocketBindAllow=tcp:{layout.ATTESTATION_PORT}\n" in (UNITS / "attestation.service").read_text()
    start = f"teekit_guest.tls_key ${{CREDENTIALS_DIRECTORY}}/fullchain.pem {cert_nginx_setup.NGINX_FOLDER}/{cert_nginx_setup.TLS_KEY}\n"
    commands = (UNITS / "kettle-nginx.service").read_text().partition(start)
    assert commands[1]
    assert "/usr/sbin/nginx -t" in commands[2]  # which reads that file
    for header in (attestation.KEY_HEADER, attestation.CLIENT_HEADER):
        assert header in nginx.SERVER + Path(tls_key.__file__).read_text()
