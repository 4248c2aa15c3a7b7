"""Kettles as the image runs them: the launcher, workerd and sqld with the command lines of their units."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from builders import guest, measuring, npm
from builders.http import serve
from teekit_guest import launcher, layout, measure, supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    monkeypatch.setattr(layout, "IMAGE_APPS", tmp_path.parent)
    monkeypatch.setattr(layout, "ENVIRONMENT_FILE", tmp_path / "cloud-config.env")
    monkeypatch.setattr(layout, "STATE_FOLDERS", tmp_path / "var/lib/kettle")
    monkeypatch.setattr(layout, "KETTLE_LOG", tmp_path / "var/log/kettle.log")
    monkeypatch.setattr(layout, "KETTLE_ERROR_LOG", tmp_path / "var/log/kettle-error.log")
    measuring.places(tmp_path, monkeypatch)
    hand_over = launcher.hand_over

    def handed_over(manifests: Sequence[bytes], names: bytes) -> None:
        """And what the path units do then."""
        hand_over(manifests, names)
        assert measure.main() == 0
        for kettle in range(layout.KETTLES):
            if (layout.KETTLE_FOLDERS / str(kettle) / layout.READY).exists():
                systemd.ready(kettle)

    monkeypatch.setattr(launcher, "hand_over", handed_over)
    monkeypatch.setattr(launcher, "ANSWER_SECONDS", 20.0)
    told(None)
    (tmp_path / "var/log").mkdir(parents=True)
    yield systemd
    systemd.stop()


def told(manifests: str | None) -> None:
    """What cloud-config.service writes."""
    layout.ENVIRONMENT_FILE.write_text("CLOUD_PROVIDER=qemu\n" + (f"MANIFEST={manifests}\n" if manifests else ""))


def ask(kettle: int, path: str, body: bytes | None = None, seconds: float = 600) -> Any:
    """What the kettle answers, JSON or text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{layout.port(kettle)}{path}", body, timeout=seconds) as answer:
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
    machine.running["kettle@0.service"].terminate()
    assert machine.running["kettle@0.service"].wait(600) == 0
    machine.start("kettle@.service", 0)
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
        told(",".join(value))
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
    told(manifest(broken.as_uri(), broken.read_bytes()))
    assert launcher.main() == 1
    assert "Uncaught SyntaxError: Unexpected end of input" in machine.logs()
    log = (machine.root / "var/log/kettle-error.log").read_text()
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
    told(manifest((tmp_path / "app.js").as_uri(), app))
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
    told(manifest(app.as_uri(), APP))
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
    with failed.value as answer:
        assert (answer.code, json.loads(answer.read())) == (500, {"error": "the app failed"})
    assert "secret reason" in machine.logs()


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.2.2", "169.254.169.254", "[::1]"])
def test_an_app_reaches_neither_this_machine_nor_its_neighbours(
    machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    app = tmp_path / "app.js"
    app.write_bytes(APP)
    told(manifest(app.as_uri(), APP))
    assert launcher.main() == 0
    assert "internal error" in ask(0, "/fetch", f"http://{host}:{layout.database_port(0)}/health".encode())
    log = machine.logs()
    assert f"connecting to {host.strip('[]')}:{layout.database_port(0)} is not allowed" in log


HEALTH = "/.kettle/health"
SLOW = b"with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
SQL = b"""
export default { async fetch(request, { DB, DB_HTTP }) {
  const said = async (make) => { try { return await make() } catch (error) { return `${error}` } }
  const text = await request.text()
  if (new URL(request.url).pathname === "/sql") return Response.json(await said(async () => (await DB.execute(text)).rows))
  const body = JSON.stringify({ requests: [{ type: "execute", stmt: { sql: text } }, { type: "close" }] })
  const { pathname } = new URL(request.url)
  return Response.json(await said(async () => (await DB_HTTP.fetch(`http://database${pathname}`, { method: "POST", body })).status))
} }
"""


def start(tmp_path: Path, app: bytes) -> None:
    path = tmp_path / "app.js"
    path.write_bytes(app)
    told(manifest(path.as_uri(), app))
    assert launcher.main() == 0


def test_a_statement_has_a_time_limit_that_no_app_gets_around(machine: guest.Systemd, tmp_path: Path) -> None:
    start(tmp_path, SQL)
    assert "a statement took longer than 10 seconds" in ask(0, "/sql", SLOW)
    assert ask(0, "/v2/pipeline", SLOW) == 504
    # sqld has stopped, too: it takes what is written, and its thread rests.
    assert ask(0, HEALTH) == {"status": "ok"}
    times = Path(f"/proc/{machine.running['sqld@0.service'].pid}/stat")
    # In hundredths of a second. A statement that goes on takes what it gets, for ever; the end of one that is stopped takes a while.
    until = time.monotonic() + 600
    while True:
        before = int(times.read_text().split()[13])
        time.sleep(1)
        if int(times.read_text().split()[13]) - before < 5:
            break
        assert time.monotonic() < until
    assert [ask(0, path, b"select 1") for path in ("/", "/v1/execute", "/beta/listen")] == [404] * 3


def test_health_says_that_nothing_can_be_written(machine: guest.Systemd, tmp_path: Path) -> None:
    start(tmp_path, SQL)
    assert ask(0, HEALTH) == {"status": "ok"}
    ask(0, "/sql", b"pragma max_page_count = 1")
    ask(0, "/sql", b"create trigger full before insert on _kettle_health begin select raise(abort, 'full'); end")
    time.sleep(1.1)  # what is younger than a second stands
    with pytest.raises(HTTPError) as failed:
        ask(0, HEALTH)
    with failed.value as answer:
        assert answer.code == 500


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("app.js", 'const { createHash } = require("node:crypto")\nmodule.exports = {{ fetch: () => new Response({}) }}'),
        ("app.cjs", 'const { createHash } = require("crypto")\nexports.__esModule = true\nexports.default = {{ fetch: () => new Response({}) }}'),
        ("app.js", 'import { createHash } from "crypto"\nexport default {{ fetch: () => new Response({}) }}'),
        ("app.ts", 'import legacy from "./legacy.cjs"\nconst createHash = legacy\nexport default {{ fetch: (): Response => new Response({}) }}'),
    ],
    ids=["require", "compiled CommonJS", "bare import", "ES module with a CommonJS one"],
)  # fmt: skip
def test_modules_of_node_by_any_name_and_commonjs_work(
    machine: guest.Systemd, tmp_path: Path, name: str, source: str
) -> None:
    """In workerd, not only in the bundle."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / name).write_text(
        source.replace("{{", "{").replace("}}", "}").replace("Response({})", f"Response({DIGEST})")
    )
    (tmp_path / "src/legacy.cjs").write_text('module.exports = require("node:crypto").createHash')
    subprocess.run([guest.BUNDLE, tmp_path / "src", tmp_path / "out", npm.program("esbuild")], check=True, timeout=600)
    start(tmp_path, (tmp_path / "out/app.js").read_bytes())
    assert ask(0, "/") == hashlib.sha256(b"x").hexdigest()


DIGEST = 'createHash("sha256").update("x").digest("hex")'


def test_an_app_that_keeps_its_thread_is_heard_of_no_more(
    machine: guest.Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is when systemd stops it, and starts it anew."""
    start(
        tmp_path,
        b'export default { fetch(request) { if (request.url.endsWith("/loop")) for (;;) {} return new Response("hello") } }',
    )
    assert supervisor.answers(layout.port(0))
    monkeypatch.setattr(supervisor, "ANSWER_SECONDS", 1.0)
    with socket.create_connection(("127.0.0.1", layout.port(0))) as sock:
        sock.sendall(b"GET /loop HTTP/1.0\r\nHost: kettle\r\n\r\n")
        until = time.monotonic() + 600
        while supervisor.answers(layout.port(0)):
            assert time.monotonic() < until
    # It does not end when it is asked to, either.
    machine.running["kettle@0.service"].terminate()
    assert machine.running["kettle@0.service"].wait(600) == 128 + 9
