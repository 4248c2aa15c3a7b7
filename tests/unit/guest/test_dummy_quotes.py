"""The devtools profile's quote service, against the server of dummy quotes; no other image has it."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import runpy
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from builders import measuring
from builders.http import serve
from builders.quote_service import service
from builders.sysfs_rtmr import SysfsRtmr
from teekit_guest import layout, measured_registers, tsm
from teekit_guest.fetch import NobodyListens
from teekit_guest.refusal import Refused
from teekit_guest.tsm import NoTsm, Quote
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.local.dummy_quote import DummySigner
from teekit_verify.local.servers import QUOTE_PORT, DummyQuotes, serving
from teekit_verify.rebuild.images import TARGETS

if TYPE_CHECKING:
    from collections.abc import Iterator

MKOSI = Path(__file__).parents[3] / "mkosi"
EXTRA = MKOSI / "mkosi.profiles/devtools/mkosi.extra"
MODULE = "usr/lib/teekit/dummy_quotes.py"
DATA = bytes(range(64))
MARKS = (b"dummy_quotes", b"DUMMY-NOT-A-TD-QUOTE", b"10.0.2.2:8080")


@pytest.fixture
def dummy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, on a machine that makes no quotes."""
    specification = importlib.util.spec_from_file_location("dummy_quotes", EXTRA / MODULE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    specification.loader.exec_module(module)
    _platform(monkeypatch, NoTsm("this machine gives no quotes"))
    return module


def _platform(monkeypatch: pytest.MonkeyPatch, answer: Quote | Refused) -> None:
    def quote(_: bytes) -> Quote:
        if isinstance(answer, Refused):
            raise answer
        return answer

    monkeypatch.setattr(tsm, "quote", quote)


@pytest.fixture
def host() -> Iterator[str]:
    signer = DummySigner.create(datetime(2026, 11, 23, tzinfo=UTC))
    with serving(0, DummyQuotes(lambda data: signer.quote(data, {})).answer) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_dummy_quote_where_the_machine_gives_none(dummy: ModuleType, host: str) -> None:
    made = dummy.quote(DATA, host)
    quote = parse_quote(made.content)
    assert made.provider == "dummy"
    assert quote.user_data == b"DUMMY-NOT-A-TD-QUOTE"
    assert quote.report.report_data == DATA
    assert len(made.content) <= tsm.MOST_BYTES


def test_a_real_quote_where_there_is_one(dummy: ModuleType, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _platform(monkeypatch, Quote("tdx_guest", b"real"))
    assert dummy.quote(DATA, host) == Quote("tdx_guest", b"real")


def test_no_dummy_in_place_of_a_quote_that_the_platform_refuses(
    dummy: ModuleType, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _platform(monkeypatch, Refused("the platform gives no quote: busy"))
    with pytest.raises(Refused, match="the platform gives no quote: busy"):
        dummy.quote(DATA, host)


def test_what_is_no_dummy_quote(dummy: ModuleType) -> None:
    with serve() as server:
        with pytest.raises(Refused, match=r"gives no dummy quote: it answered 404 with \d+ bytes"):
            dummy.quote(DATA, server.address())
        server.files[f"/attest/{DATA.hex()}"] = bytes(tsm.MOST_BYTES + 1)
        with pytest.raises(Refused, match="gives no dummy quote: it answered 200 with 8193 bytes"):
            dummy.quote(DATA, server.address())
        address = server.address()
    with pytest.raises(NobodyListens):
        dummy.quote(DATA, address)


def test_kettles_see_that_it_is_a_dummy(dummy: ModuleType, host: str) -> None:
    """Through the guest's quote service, as an app asks for it."""
    with service(functools.partial(dummy.quote, server=host)) as machine:
        status, fields = machine.ask("GET", f"/quote?report_data={DATA.hex()}")
    assert (status, fields["tee_type"], fields["asked"]) == (200, "dummy", DATA.hex())
    report_data = parse_quote(base64.b64decode(fields["quote"])).report.report_data
    assert report_data.hex() == fields["report_data"]


def test_the_unit_runs_this_file_and_may_reach_the_host(dummy: ModuleType) -> None:
    unit, other = (
        (EXTRA / f"usr/lib/systemd/system/{name}.service.d/50-devtools.conf").read_text()
        for name in ("quote", "attestation")
    )
    host = urlsplit(dummy.SERVER)
    assert host.port == QUOTE_PORT
    assert f"\nExecStart=\nExecStart=/usr/bin/python3 -I /{MODULE} quote\n" in unit  # the first empties the list
    assert f"\nExecStart=\nExecStart=/usr/bin/python3 -I /{MODULE} attestation\n" in other
    assert f"\nIPAddressAllow={host.hostname}\n" in unit


def test_where_there_is_no_td_the_log_has_what_rtmr3_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a TD has its own."""
    measuring.places(tmp_path, monkeypatch)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setattr(
        measured_registers, "of_this_machine", measured_registers.of_this_machine
    )  # as it was, afterwards
    (layout.GIVEN / "hostnames").write_bytes(b"")
    assert runpy.run_path(str(EXTRA / "usr/lib/teekit/dummy_register.py"))["main"]() == 0
    log = layout.RUNTIME_LOG.read_bytes()
    assert [record["content"]["type"] for record in measuring.records(log)] == ["hostnames", "closed"]
    value = bytes(48)
    for kind in (b"hostnames", b"closed"):
        value = hashlib.sha384(value + hashlib.sha384(b"teekit measured %s v1\0" % kind).digest()).digest()
    assert measuring.replayed(log, "sha384", rtmr=3) == value.hex()


def test_a_td_in_a_devtools_image_extends_its_own_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measuring.places(tmp_path, monkeypatch)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setattr(measured_registers, "of_this_machine", measured_registers.of_this_machine)
    (layout.GIVEN / "hostnames").write_bytes(b"")
    register = SysfsRtmr(measured_registers.RTMR3, monkeypatch)
    assert runpy.run_path(str(EXTRA / "usr/lib/teekit/dummy_register.py"))["main"]() == 0
    assert len(register.writes) == 2
    assert measuring.replayed(layout.RUNTIME_LOG.read_bytes(), "sha384", rtmr=3) == register.value.hex()


def test_nothing_else_knows_of_dummy_quotes() -> None:
    """Neither another profile, nor a stage, nor what all images share."""
    files = [path for path in MKOSI.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert len(files) > 100
    found = [path for path in files if any(mark in path.read_bytes() for mark in MARKS) or "dummy" in path.name]
    assert EXTRA / MODULE in found
    assert [path for path in found if not path.is_relative_to(MKOSI / "mkosi.profiles/devtools")] == []


def test_only_a_devtools_build_sees_it() -> None:
    path = str((EXTRA / MODULE).relative_to(MKOSI))
    assert {target.profile.name for target in TARGETS if target.uses(path)} == {"devtools"}
