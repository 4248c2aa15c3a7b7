"""Kettles as the image runs them: the launcher, workerd and sqld with the command lines of their units."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from builders import guest
from builders.http import serve
from teekit_guest import launcher, layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELLO = b'export default { fetch: () => new Response("hello") }'


@pytest.fixture(scope="module")
def kettles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has in /usr/lib/kettle."""
    return guest.bundle(tmp_path_factory.mktemp("kettle"))


@pytest.fixture
def machine(tmp_path: Path, kettles: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[guest.Systemd]:
    systemd = guest.Systemd(tmp_path, kettles)
    monkeypatch.setattr(layout, "FIRST_PORT", guest.free_ports(40))
    monkeypatch.setattr(layout, "FIRST_DATABASE_PORT", layout.FIRST_PORT + 20)
    monkeypatch.setattr(layout, "DEFAULT_MANIFEST", kettles / "manifest.json")
    monkeypatch.setattr(layout, "KETTLE_FOLDERS", tmp_path / "run/kettle")
    monkeypatch.setattr(layout, "KETTLE_LOG", tmp_path / "var/log/kettle.log")
    monkeypatch.setattr(layout, "KETTLE_ERROR_LOG", tmp_path / "var/log/kettle-error.log")
    monkeypatch.setattr(launcher, "_systemctl", systemd.systemctl)
    monkeypatch.setattr(launcher, "ANSWER_SECONDS", 20.0)
    monkeypatch.delenv("MANIFEST", raising=False)
    (tmp_path / "var/log").mkdir(parents=True)
    yield systemd
    systemd.stop()


def ask(kettle: int, path: str, body: bytes | None = None) -> Any:
    """What the kettle answers, JSON or text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{layout.port(kettle)}{path}", body, timeout=60) as answer:
        text = answer.read().decode()
    return json.loads(text) if answer.headers["Content-Type"] == "application/json" else text


def manifest(app: str, content: bytes) -> str:
    text = json.dumps({"app": app, "sha256": hashlib.sha256(content).hexdigest()})
    return base64.b64encode(text.encode()).decode()


def test_without_metadata_the_demo_app_reads_and_writes_its_database(
    machine: guest.Systemd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launcher.main() == 0
    assert capsys.readouterr().out == f"\nteekit: kettle 0 answers on port {layout.port(0)}\n"
    assert [ask(0, "/") for _ in range(2)] == [{"app": "demo", "visits": 1}, {"app": "demo", "visits": 2}]
    note = "Ünï'; drop table notes --"
    assert ask(0, "/notes", note.encode()) == {"id": 1, "text": note}
    assert ask(0, "/notes") == {"notes": [{"id": 1, "text": note}]}
    # Another process sees it too: it is in the database, not in the app's memory.
    machine.running["kettle@0.service"].kill()
    machine.running["kettle@0.service"].wait()
    machine.start("kettle@0.service", "kettle@.service", "0")
    assert ask(0, "/notes") == {"notes": [{"id": 1, "text": note}]}
    assert ask(0, "/") == {"app": "demo", "visits": 3}


def test_kettles_have_a_database_each_and_a_bad_one_does_not_disturb_the_others(
    machine: guest.Systemd, kettles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = (kettles / "app.js").read_bytes()
    with serve() as server:
        server.files["/hello.js"] = HELLO
        value = [
            manifest((kettles / "app.js").as_uri(), demo),
            manifest(server.address("/hello.js"), b"something else"),
            manifest(server.address("/hello.js"), HELLO),
            "",
            manifest((kettles / "app.js").as_uri(), demo),
        ]
        monkeypatch.setenv("MANIFEST", ",".join(value))
        assert launcher.main() == 1
    assert sorted(machine.running) == [f"{kind}@{i}.service" for kind in ("kettle", "sqld") for i in (0, 2, 4)]
    assert ask(0, "/") == {"app": "demo", "visits": 1}
    assert ask(2, "/") == "hello"
    assert ask(4, "/") == {"app": "demo", "visits": 1}
    log = (machine.root / "var/log/kettle-error.log").read_text()
    assert (
        f"kettle 1 is not started: '{server.address('/hello.js')}' has SHA-256 {hashlib.sha256(HELLO).hexdigest()}, the manifest says"
        in log
    )
    assert "kettle 3 is not started: there is no manifest for it" in log
    assert capsys.readouterr().out.count("answers on port") == 3


def test_an_app_that_does_not_compile_is_reported_and_its_reason_logged(
    machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.js"
    broken.write_text("export default (")
    monkeypatch.setenv("MANIFEST", manifest(broken.as_uri(), broken.read_bytes()))
    assert launcher.main() == 1
    log = (machine.root / "var/log/kettle-error.log").read_text()
    assert "Uncaught SyntaxError: Unexpected end of input" in log
    assert "kettle 0 is not started: its service has failed" in log
    assert "answers on port" not in capsys.readouterr().out


def test_an_app_that_cannot_be_initialised_is_asked_again_until_it_can(
    machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = b"""
        let tries = 0
        export function onInit() { if (++tries < 3) throw new Error(`try ${tries}`) }
        export default { fetch: () => new Response(`${tries} tries`) }
    """
    (tmp_path / "app.js").write_bytes(app)
    monkeypatch.setenv("MANIFEST", manifest((tmp_path / "app.js").as_uri(), app))
    assert launcher.main() == 0
    assert ask(0, "/") == "3 tries"
    assert ask(0, "/.kettle/health") == {"status": "ok"}


APP = b"""
export default { async fetch(request, { DB, ...bindings }) {
  const said = async (make) => { try { return await make() } catch (error) { return `${error}` } }
  switch (new URL(request.url).pathname) {
    case "/bindings": return Response.json(Object.keys(bindings))
    case "/throw": throw new Error("secret reason")
    case "/fetch": return Response.json(await said(async () => (await fetch(await request.text())).status))
    case "/types": {
      const values = [null, true, 7, 1.5, 9007199254740993n, "text", new Uint8Array([0, 255])]
      const { columns, rows } = await DB.execute("select ? a, ? b, ? c, ? d, ? e, ? f, ? g", values)
      const { e, g, ...others } = rows[0]
      return Response.json({ columns, others, e: String(e), kind: typeof e, g: [...g] })
    }
    case "/batch": {
      await DB.batch([["create table t (a)"], ["insert into t values (?)", [1]]])
      const failed = await said(() => DB.batch([["insert into t values (2)"], ["insert into nowhere values (3)"]]))
      const { rows } = await DB.execute("select a from t")
      const changed = await DB.batch([["insert into t values (4)"], ["update t set a = a + 1"]])
      return Response.json({ failed, rows, changed: changed.map((result) => result.changes) })
    }
    case "/errors": return Response.json([
      await said(() => DB.execute("selec")), await said(() => DB.execute("select ?", [NaN])),
      await said(() => DB.execute("select ?", [{}])) ])
  }
} }
"""


def test_what_an_app_is_given(machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / "app.js"
    app.write_bytes(APP)
    monkeypatch.setenv("MANIFEST", manifest(app.as_uri(), APP))
    assert launcher.main() == 0
    assert ask(0, "/bindings") == ["DB_HTTP", "DB_URL", "QUOTE_SERVICE"]
    assert ask(0, "/types") == {
        "columns": list("abcdefg"),
        "others": {"a": None, "b": 1, "c": 7, "d": 1.5, "f": "text"},
        "e": "9007199254740993",
        "kind": "bigint",
        "g": [0, 255],
    }
    assert ask(0, "/batch") == {
        "failed": "Error: SQLite error: no such table: nowhere",
        "rows": [{"a": 1}],
        "changed": [1, 2],
    }
    assert ask(0, "/errors") == [
        "Error: SQL string could not be parsed: syntax error around L1:6: `selec`",
        "TypeError: NaN is no value of SQL",
        "TypeError: a object is no value of SQL",
    ]
    with pytest.raises(HTTPError) as failed:
        ask(0, "/throw")
    assert (failed.value.code, json.loads(failed.value.read())) == (500, {"error": "the app failed"})
    assert (
        "secret reason"
        in (machine.root / "var/log/kettle.log").read_text() + (machine.root / "var/log/kettle-error.log").read_text()
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.2.2", "169.254.169.254", "[::1]"])
def test_an_app_reaches_neither_this_machine_nor_its_neighbours(
    machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    app = tmp_path / "app.js"
    app.write_bytes(APP)
    monkeypatch.setenv("MANIFEST", manifest(app.as_uri(), APP))
    assert launcher.main() == 0
    assert "internal error" in ask(0, "/fetch", f"http://{host}:{layout.database_port(0)}/health".encode())
    log = (machine.root / "var/log/kettle-error.log").read_text()
    assert f"connecting to {host.strip('[]')}:{layout.database_port(0)} is not allowed" in log
