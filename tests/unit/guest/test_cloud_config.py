"""cloud-config.service, from the metadata service's answers to the file other services read."""

from __future__ import annotations

import base64
import json
import logging
import re
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builders import metadata as fake
from builders.http import Exchange, serve
from teekit_guest import cloud_config, layout, manifest
from teekit_guest.cloud_config import Clock, candidates, discover, environment
from teekit_guest.metadata import SERVICES, Metadata, Service, google, qemu
from teekit_guest.refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger("test_cloud_config")
SHA256 = "52b50d81b56ae6ebd2acc4c18f034a998fd60e43d181142fcca443faa21be217"
EXAMPLE = base64.b64encode(json.dumps({"app": "file:///usr/lib/kettle/app.js", "sha256": SHA256}, indent=2).encode())


@pytest.fixture(autouse=True)
def everything_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


class Stopped:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 0.0

    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def found(value: bytes | None = None, hostname: bytes | None = None) -> dict[str, str]:
    return values(environment(Metadata("gcp", value, hostname), LOG))


def test_from_the_service_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "ENVIRONMENT_FILE", tmp_path / "cloud-config.env")
    monkeypatch.setattr(layout, "CLOUD_CONFIG_LOG", tmp_path / "cloud-config.log")
    monkeypatch.setattr(cloud_config, "DMI", tmp_path)
    (tmp_path / "sys_vendor").write_text("QEMU\n")
    with serve() as server:
        base = fake.qemu(server, manifest=EXAMPLE + b"\n", hostname=b"a.example, B.example,a.example")
        monkeypatch.setattr(cloud_config, "SERVICES", (Service("qemu", ("QEMU",), base, qemu),))
        assert cloud_config.main() == 0
    written = values((tmp_path / "cloud-config.env").read_text())
    assert written.keys() == {"CLOUD_PROVIDER", "MANIFEST", "HOSTNAME_CONFIG"}
    assert written["CLOUD_PROVIDER"] == "qemu"
    assert json.loads(base64.b64decode(written["MANIFEST"])) == json.loads(base64.b64decode(EXAMPLE))
    assert written["HOSTNAME_CONFIG"] == "a.example,b.example"
    log = (tmp_path / "cloud-config.log").read_text()
    assert f"cloud-config: manifest 0: app 'file:///usr/lib/kettle/app.js', SHA-256 {SHA256}" in log
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("file", "text", "providers"),
    [
        ("sys_vendor", "Google\n", ["gcp"]),
        ("product_name", "Google Compute Engine\n", ["gcp"]),
        ("sys_vendor", "Microsoft Corporation\n", ["azure"]),
        ("sys_vendor", "QEMU\n", ["qemu"]),
        ("sys_vendor", "Somebody\n", ["gcp", "azure", "qemu"]),
        ("elsewhere", "", ["gcp", "azure", "qemu"]),
    ],
)
def test_the_firmware_names_the_machine(tmp_path: Path, file: str, text: str, providers: list[str]) -> None:
    (tmp_path / file).write_text(text)
    assert [service.provider for service in candidates(SERVICES, tmp_path)] == providers


def test_a_service_that_is_not_yet_there_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([fake.always(429), fake.always(503), fake.always(200, EXAMPLE)])

    def answer(exchange: Exchange) -> None:
        next(answers)(exchange)

    with serve() as server:
        server.answers["/manifest"] = answer
        service = Service("qemu", (), server.address(), qemu)
        asked = discover([service], LOG, Stopped().clock())
    assert asked == Metadata("qemu", EXAMPLE, None)
    assert [record.message for record in caplog.records[:2]] == ["qemu: it answered 429", "qemu: it answered 503"]


def test_without_a_network_the_search_ends(caplog: pytest.LogCaptureFixture) -> None:
    stopped = Stopped()
    with serve() as server:
        for path in ("/manifest", "/computeMetadata/v1/instance/attributes/manifest"):
            server.answers[path] = fake.always(503)
        services = [Service("gcp", (), server.address(), google), Service("qemu", (), server.address(), qemu)]
        assert discover(services, LOG, stopped.clock()) is None
    assert stopped.at == cloud_config.SECONDS
    assert caplog.records[-1].message == "no metadata service: the image's own manifest is used"
    assert environment(None, LOG) == "CLOUD_PROVIDER=none\n"


def test_where_connections_are_refused_the_search_ends_soon() -> None:
    stopped = Stopped()
    with serve() as server:
        address = server.address()
    assert discover([Service("qemu", (), address, qemu)], LOG, stopped.clock()) is None
    assert stopped.at == cloud_config.REFUSALS * cloud_config.PAUSE_SECONDS


def test_a_service_of_another_kind_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    with serve() as server:
        base = fake.qemu(server, manifest=EXAMPLE)
        services = [Service("gcp", (), base, google), Service("qemu", (), base, qemu)]
        assert discover(services, LOG, Stopped().clock()) == Metadata("qemu", EXAMPLE, None)
    expected = "gcp: not its metadata service: the answer has no header Metadata-Flavor: Google"
    assert caplog.records[0].message == expected


def test_an_answer_that_is_refused_as_a_whole_starts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with serve() as server:
        server.answers[fake.AZURE_PATH] = fake.always(200, b"[[[")
        service = Service("azure", (), server.address(), SERVICES[1].ask)
        asked = discover([service], LOG, Stopped().clock())
    assert asked is not None
    assert values(environment(asked, LOG)) == {"CLOUD_PROVIDER": "azure", "MANIFEST": ""}
    assert "azure: refused: Azure's list of tags is not the JSON it should be; no kettle is started" in caplog.messages


@pytest.mark.parametrize("size", [b"-1", b"-5", b"x"])
def test_chunks_of_odd_sizes_do_not_end_the_service(size: bytes, caplog: pytest.LogCaptureFixture) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + EXAMPLE)

    with serve() as server:
        server.answers["/manifest"] = answer
        assert discover([Service("qemu", (), server.address(), qemu)], LOG, Stopped().clock()) is None
    assert "did not answer" in caplog.messages[0]


def test_no_manifest_leaves_the_images_own(caplog: pytest.LogCaptureFixture) -> None:
    assert found() == {"CLOUD_PROVIDER": "gcp"}
    assert caplog.messages == ["no manifest set: the image's own is used"]


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode())


def fields(**changes: object) -> bytes:
    return b64(json.dumps({"app": "https://a.example/app.js", "sha256": SHA256, **changes}))


HOSTILE = {
    "nothing": (b"", "there is no manifest for it"),
    "shell": (b"$(reboot)", "'$(reboot)' is not base64"),
    "backticks": (b"`id`;#", "is not base64"),
    "a line more": (EXAMPLE + b"\nLD_PRELOAD=/tmp/x", "is not base64"),
    "a NUL": (b"eyJ9\0", r"'eyJ9\x00' is not base64"),
    "not UTF-8": (b"\xff\xfe", "is not base64"),
    "padding": (b"eyJ9A", "is not base64"),
    "base64 of no JSON": (b64("hello"), "a manifest is not JSON: 'hello'"),
    "base64 of no UTF-8": (b64(b'{"app": "\xff"}'), "a manifest is not JSON"),
    "a list": (b64("[]"), "a manifest must be an object"),
    "a string": (b64('"x"'), "a manifest must be an object"),
    "no fields": (b64("{}"), "a manifest must have a field app, a string"),
    "app a number": (fields(app=7), "a manifest must have a field app, a string"),
    "app a list": (fields(app=["x"]), "a manifest must have a field app, a string"),
    "no SHA-256": (b64('{"app": "https://a.example/"}'), "a field sha256 of 64 hexadecimal digits"),
    "SHA-256 a number": (fields(sha256=int(SHA256, 16)), "a field sha256 of 64 hexadecimal digits"),
    "SHA-256 short": (fields(sha256=SHA256[1:]), "a field sha256 of 64 hexadecimal digits"),
    "SHA-256 of no hex": (fields(sha256="g" * 64), "a field sha256 of 64 hexadecimal digits"),
    "an unknown field": (fields(run="reboot"), "a manifest has the unknown field 'run'"),
    "a field twice": (b64('{"app": "https://a/", "app": "https://b/", "sha256": "0"}'), "names a field twice"),
    "deep": (b64("[" * 4000), "a manifest is not JSON"),
    "long": (b64(" " * 4097), "a manifest is longer than 4096 bytes"),
    "ftp": (fields(app="ftp://a.example/app.js"), "'ftp://a.example/app.js' is neither http nor https"),
    "javascript": (fields(app="javascript:alert(1)"), "is neither http nor https"),
    "no scheme": (fields(app="/usr/lib/kettle/app.js"), "is neither http nor https"),
    "a space": (fields(app="https://a.example/ b"), "is no URL of at most 2048 printable ASCII characters"),
    "a line in the URL": (fields(app="https://a.example/\nMANIFEST=x"), "is no URL of at most"),
    "a letter beyond ASCII": (fields(app="https://ä.example/"), "is no URL of at most"),
    "a URL too long": (fields(app="https://a.example/" + "x" * 2048), "is no URL of at most"),
    "a password": (fields(app="https://me:secret@a.example/"), "neither user nor fragment"),
    "no host": (fields(app="https:///app.js"), "must have a host"),
    "a port too high": (fields(app="https://a.example:65536/"), "is no URL"),
    "a URL of ports": (fields(app="https://a.example:1e3/"), "is no URL"),
    "a negative port": (fields(app="https://a.example:-1/"), "is no URL"),
    "half a character": (b64('{"app": "\\ud800", "sha256": "' + SHA256 + '"}'), "is no URL of at most"),
    "a huge number": (b64('{"app": ' + "9" * 4000 + ', "sha256": ""}'), "a manifest must have a field app, a string"),
    "a name of half a character": (b64('{"\\udcff": 1}'), r"the unknown field '\udcff'"),
    "letters of full width": (fields(sha256="\uff11" * 64), "a field sha256 of 64 hexadecimal digits"),
    "a broken address": (fields(app="https://[::1/"), "is no URL"),
    "a file elsewhere": (fields(app="file://a.example/app.js"), "must be file: and an absolute path"),
    "a relative file": (fields(app="file:app.js"), "must be file: and an absolute path"),
    "a file with NUL": (fields(app="file:///a%00b"), "must be file: and an absolute path"),
    "a file with a query": (fields(app="file:///app.js?x"), "must be file: and an absolute path"),
    "a broken file URL": (fields(app="file://[/app.js"), "'file://[/app.js' is no URL"),
}


LETTERS = set(string.ascii_letters + string.digits + "+/=,")


@pytest.mark.parametrize(("value", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_manifest_is_refused_in_one_line_and_the_others_keep_their_places(
    value: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    written = found(EXAMPLE + b"," + value + b"," + EXAMPLE)
    assert set(written) == {"CLOUD_PROVIDER", "MANIFEST"}
    first, bad, last = written["MANIFEST"].split(",")
    assert first == last
    # Every byte of it is measured; the launcher refuses it like this service does.
    decoded = base64.b64decode(bad, validate=True)
    assert value.strip() in (decoded, base64.b64encode(decoded))
    with pytest.raises(Refused):
        manifest.decode(bad.encode())
    assert not set(bad) - LETTERS
    assert manifest.decode(first.encode()) == manifest.Manifest("file:///usr/lib/kettle/app.js", SHA256)
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.message.startswith("manifest 1 refused: ")
    assert reason in line.message
    assert line.message.endswith("; kettle 1 is not started")
    assert line.message.isprintable()
    assert len(line.message) < 250


def test_what_is_written_means_nothing_to_a_shell_or_systemd() -> None:
    odd = "https://a.example/$(reboot)?x=`id`&y='\"\\"
    written = found(fields(app=odd))["MANIFEST"]
    assert not set(written) - LETTERS
    assert manifest.decode(written.encode()).app == odd


def test_what_is_written_is_no_longer_than_what_was_set() -> None:
    """Or it would be refused when it is read again."""
    spare = 4096 - len(b'{"app":"https://a/","sha256":""}') - len(SHA256)
    text = '{"app":"https://a/' + "\\\\" * (spare // 2) + f'","sha256":"{SHA256}"}}'
    assert len(text) == 4096 - spare % 2
    written = found(b64(text))["MANIFEST"]
    assert manifest.decode(written.encode()).sha256 == SHA256


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"A" * 10_000_000, "manifest is longer than 65536 bytes"),
        (b",".join([EXAMPLE] * 17), "manifest holds 17 manifests, and there are 16 kettles"),
    ],
)
def test_too_much_is_refused_as_a_whole(value: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert found(value) == {"CLOUD_PROVIDER": "gcp", "MANIFEST": ""}
    assert caplog.messages == [f"refused: {reason}; no kettle is started"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"example.com", "example.com"),
        (b"foo.com,bar.com,baz.com", "foo.com,bar.com,baz.com"),
        (b"foo.com,foo.com,bar.com", "foo.com,bar.com"),
        (b"a.com,b.com,A.COM,c.com,b.com", "a.com,b.com,c.com"),
        (b" xn--bcher-kva.example ,\n3com.com", "xn--bcher-kva.example,3com.com"),
    ],
)
def test_hostnames(value: bytes, expected: str) -> None:
    assert found(None, value)["HOSTNAME_CONFIG"] == expected


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"localhost",
        b"*.example.com",
        b"a_b.example.com",
        b"-a.example.com",
        b"a-.example.com",
        b"a..example.com",
        b"example.com.",
        b".example.com",
        b"192.0.2.1",
        b"[2001:db8::1]",
        b"example.com:443",
        b"https://example.com",
        b"a.com; include /etc/shadow",
        b"a.com\nb.com",
        b"a.com\0",
        b"--server.example",
        b"$(id).example.com",
        "bücher.example".encode(),
        "\u212aettle.example".encode(),  # the sign for kelvin, whose small letter is k
        "example。com".encode(),
        b"a.example{}",
        b"a.example:1e3",
        b"\xff.example.com",
        b"a" * 64 + b".example.com",
        b".".join([b"a" * 60] * 5),
    ],
)
def test_one_bad_hostname_refuses_them_all(bad: bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert found(None, b"first.example," + bad) == {"CLOUD_PROVIDER": "gcp"}
    (line,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert line.message.startswith("hostname refused: ")
    assert line.message.endswith(" is no hostname; no HTTPS")
    assert line.message.isprintable()


ODD = st.binary(max_size=40) | st.text("aK.-,;{}*_ \n\t\\\"'$\u212a\u3002", max_size=40).map(str.encode)
MANIFESTS = ODD | st.fixed_dictionaries({"app": ODD.map(lambda odd: "https://a/" + odd.decode(errors="replace"))}).map(
    lambda given: fields(**given)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(MANIFESTS).map(b",".join), st.lists(ODD).map(b",".join))
def test_whatever_is_set_only_plain_letters_are_written(value: bytes, hostname: bytes) -> None:
    text = environment(Metadata("gcp", value, hostname), LOG)
    plain = (
        r"CLOUD_PROVIDER=gcp\nMANIFEST=[A-Za-z0-9+/=,]*\n(HOSTNAME_CONFIG=[a-z0-9-]+(\.[a-z0-9-]+)+(,[a-z0-9.-]+)*\n)?"
    )
    assert re.fullmatch(plain, text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"a" * 10_000_000, "hostname is longer than 32768 bytes"),
        (",".join(f"h{i}.example" for i in range(101)).encode(), "hostname holds 101 names, more than the 100"),
    ],
)
def test_too_many_hostnames(value: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert found(EXAMPLE, value).keys() == {"CLOUD_PROVIDER", "MANIFEST"}
    assert reason in caplog.messages[-1]
