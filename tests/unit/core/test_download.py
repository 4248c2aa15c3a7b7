"""Downloads from a real HTTP server on loopback that does what servers do: stop in the middle, lie, redirect, be slow."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from builders.faults import PATIENT
from builders.http import Exchange, Server, serve
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import (
    DownloadError,
    DownloadStore,
    LocalError,
    Patience,
    RemoteFile,
)
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 8
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as made:
        made.files["/file.deb"] = CONTENT
        yield made


@pytest.fixture
def store(tmp_path: Path) -> DownloadStore:
    return DownloadStore(tmp_path / "store", patience=PATIENT)


def remote(*urls: str, content: bytes = CONTENT, name: str = "package bash 5.2") -> RemoteFile:
    return RemoteFile(name, len(content), Digest.of(Algorithm.SHA256, content), urls)


def part_of(store: DownloadStore, file: RemoteFile) -> Path:
    final = store.path(file.digest)
    final.parent.mkdir(parents=True, exist_ok=True)
    return final.with_name(final.name + ".part")


def fetch_fails(store: DownloadStore, *files: RemoteFile) -> str:
    with pytest.raises(DownloadError) as caught:
        store.fetch(files)
    assert caught.value.hint
    assert "lock" not in caught.value.hint  # a new lock is another image
    for file in files:
        assert not store.path(file.digest).exists()
    return caught.value.message


def test_a_file_is_stored_under_its_digest(server: Server, store: DownloadStore, tmp_path: Path) -> None:
    file = remote(server.address("/file.deb"))
    assert store.verified(file) is None
    store.fetch([file])
    assert store.verified(file) == tmp_path / "store" / "sha256" / SHA256
    assert (tmp_path / "store" / "sha256" / SHA256).read_bytes() == CONTENT
    assert server.requests == [("/file.deb", None)]
    store.fetch([file])
    assert len(server.requests) == 1  # what is there is not asked for again


def test_a_file_address(store: DownloadStore, tmp_path: Path) -> None:
    (tmp_path / "mirror").write_bytes(CONTENT)
    file = remote(f"file://{tmp_path}/mirror")
    part_of(store, file).write_bytes(b"anything")  # no ranges there: it starts anew
    store.fetch([file])
    assert store.path(file.digest).read_bytes() == CONTENT


@pytest.mark.parametrize("have", [1, 1000, len(CONTENT) - 1])
def test_a_part_is_gone_on_with(server: Server, store: DownloadStore, have: int) -> None:
    file = remote(server.address("/file.deb"))
    part_of(store, file).write_bytes(CONTENT[:have])
    store.fetch([file])
    assert server.requests == [("/file.deb", f"bytes={have}-")]
    assert store.path(file.digest).read_bytes() == CONTENT


def test_a_server_without_ranges_is_taken_from_the_start(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/no-ranges"))
    server.answers["/no-ranges"] = lambda exchange: exchange.serve(CONTENT)
    part_of(store, file).write_bytes(b"rubbish")
    store.fetch([file])
    assert server.requests == [("/no-ranges", "bytes=7-")]
    assert store.path(file.digest).read_bytes() == CONTENT


def test_a_complete_part_needs_no_server(store: DownloadStore) -> None:
    file = remote("http://127.0.0.1:1/gone")
    part_of(store, file).write_bytes(CONTENT)
    store.fetch([file])
    assert store.path(file.digest).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        (b"x" * 1000, ["bytes=1000-", None]),  # the start of another file
        (b"x" * len(CONTENT), [None]),  # a crash left a file of the right length without its content
        (b"x" * 5000, [None]),
    ],
)
def test_a_useless_part_does_not_use_up_the_only_source(
    server: Server, store: DownloadStore, part: bytes, asked: list[str | None]
) -> None:
    file = remote(server.address("/file.deb"))
    part_of(store, file).write_bytes(part)
    store.fetch([file])
    assert [wanted for _, wanted in server.requests] == asked
    assert store.path(file.digest).read_bytes() == CONTENT


def test_a_server_that_says_416_is_asked_for_all(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/file.deb"))
    server.answers["/file.deb"] = lambda exchange: (
        exchange.send_error(416) if exchange.headers.get("Range") else exchange.serve(CONTENT)
    )
    part_of(store, file).write_bytes(CONTENT[:7])
    store.fetch([file])
    assert [wanted for _, wanted in server.requests] == ["bytes=7-", None]


def test_a_server_that_sends_another_range_is_asked_for_all(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/file.deb"))
    server.answers["/file.deb"] = lambda exchange: exchange.serve(
        CONTENT, "bytes=0-" if exchange.headers.get("Range") else None
    )
    part_of(store, file).write_bytes(CONTENT[:7])
    store.fetch([file])
    assert [wanted for _, wanted in server.requests] == ["bytes=7-", None]
    assert store.path(file.digest).read_bytes() == CONTENT


def test_wrong_bytes_are_never_stored(server: Server, store: DownloadStore) -> None:
    wrong = b"x" + CONTENT[1:]
    server.files["/wrong"] = wrong
    address = server.address("/wrong")
    file = remote(address)
    assert fetch_fails(store, file) == (
        f"package bash 5.2 (sha256:{SHA256}) could not be downloaded\n"
        f"  other bytes: {address}: its bytes have sha256:{hashlib.sha256(wrong).hexdigest()}, expected sha256:{SHA256}"
    )
    assert not part_of(store, file).exists()
    assert len(server.requests) == 3  # a mirror may have been in the middle of its update


@pytest.mark.parametrize("length", [0, 1, 2047, 2049, 5000])
def test_another_length_is_another_file(server: Server, store: DownloadStore, length: int) -> None:
    server.files["/other"] = b"y" * length
    file = remote(server.address("/other"), server.address("/file.deb"))
    part_of(store, file).write_bytes(CONTENT[:1000])
    server.answers["/other"] = lambda exchange: exchange.serve(b"y" * length)
    store.fetch([file])
    assert server.requests == [("/other", "bytes=1000-"), ("/file.deb", "bytes=1000-")]  # the part was not spoiled


@pytest.mark.parametrize(
    ("length", "problem"), [(2000, "it has 2000 bytes, expected 2048"), (3000, "it has 3000 bytes, expected 2048")]
)
def test_another_length_is_said(server: Server, store: DownloadStore, length: int, problem: str) -> None:
    server.files["/other"] = b"y" * length
    assert problem in fetch_fails(store, remote(server.address("/other")))


def test_more_than_promised_without_a_length_is_bounded(server: Server, store: DownloadStore) -> None:
    def endless(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not server.stopping.is_set():
            exchange.wfile.write(b"z" * 1000)

    server.answers["/endless"] = endless
    file = remote(server.address("/endless"))
    assert "it sends more than the expected 2048 bytes" in fetch_fails(store, file)
    assert part_of(store, file).stat().st_size == 0


def test_a_cut_connection_is_gone_on_with_at_the_same_source(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/cut"))
    server.answers["/cut"] = lambda exchange: exchange.cut(CONTENT, after=1000)
    store.fetch([file])
    assert [wanted for _, wanted in server.requests] == [None, "bytes=1000-", "bytes=2000-"]
    assert store.path(file.digest).read_bytes() == CONTENT


def test_a_part_that_grows_always_goes_on(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/cut"))
    server.answers["/cut"] = lambda exchange: exchange.cut(CONTENT, after=300)
    store.fetch([file])
    assert len(server.requests) == 7
    assert store.path(file.digest).read_bytes() == CONTENT


def test_a_part_that_does_not_grow_ends_and_the_next_run_goes_on(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/cut"))
    server.answers["/cut"] = lambda exchange: exchange.cut(CONTENT[:900], after=300)
    part_of(store, file).write_bytes(CONTENT[:900])
    server.answers["/cut"] = lambda exchange: exchange.cut(CONTENT, after=0)
    assert "the connection ended early" in fetch_fails(store, file)
    assert len(server.requests) == 5
    assert part_of(store, file).read_bytes() == CONTENT[:900]
    del server.answers["/cut"]
    server.files["/cut"] = CONTENT
    store.fetch([file])
    assert server.requests[-1] == ("/cut", "bytes=900-")


def test_the_next_source_is_asked_and_all_are_named(server: Server, store: DownloadStore) -> None:
    good, missing = server.address("/file.deb"), server.address("/missing")
    store.fetch([remote("http://127.0.0.1:1/x", missing, good)])
    assert server.requests == [("/missing", None), ("/file.deb", None)]
    other = remote("http://127.0.0.1:1/x", missing, "file:///none/x", content=b"other")
    message = fetch_fails(store, other)
    assert "unreachable: http://127.0.0.1:1/x: Connection refused" in message
    assert f"gone: {missing}: HTTP 404 Not Found" in message
    assert "gone: file:///none/x: there is no such file" in message


@pytest.mark.parametrize(
    "url", ["http://[bad/x", "http://127.0.0.1:port/x", f"http://{'a' * 70}.example/x", "http://127.0.0.1/\u0660"]
)
def test_an_address_that_is_none_is_an_error_of_that_source(server: Server, store: DownloadStore, url: str) -> None:
    store.fetch([remote(url, server.address("/file.deb"))])
    assert "could not be downloaded" in fetch_fails(store, remote(url, content=b"other"))


def test_no_source_at_all(store: DownloadStore) -> None:
    assert fetch_fails(store, remote()) == (
        f"package bash 5.2 (sha256:{SHA256}) could not be downloaded\n  there is no source to ask"
    )


def test_the_first_of_several_missing_files_is_named_and_the_others_counted(
    server: Server, store: DownloadStore
) -> None:
    files = [remote(server.address(f"/{n}"), content=b"%d" % n, name=f"package p{n} 1") for n in range(20)]
    message = fetch_fails(store, *files)
    assert message.startswith("package p0 1 (sha256:")
    assert message.endswith("\n  and 19 more files are missing")


def test_a_redirect_between_servers_is_followed(server: Server, store: DownloadStore) -> None:
    server.answers["/moved"] = lambda exchange: exchange.redirect(server.address("/file.deb"))
    file = remote(server.address("/moved"))
    part_of(store, file).write_bytes(CONTENT[:10])
    store.fetch([file])
    assert server.requests == [("/moved", "bytes=10-"), ("/file.deb", "bytes=10-")]


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_a_redirect_to_another_scheme_is_refused(
    server: Server, store: DownloadStore, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    target = {
        "file": f"file://{tmp_path}/secret",
        "ftp": "ftp://127.0.0.1:1/secret",
        "data": "data:,secret",
    }[scheme]
    server.answers["/moved"] = lambda exchange: exchange.redirect(target)
    message = fetch_fails(store, remote(server.address("/moved")))
    assert "redirect" in message.lower()
    assert target in message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1:1/x", "data:,x"])
def test_other_schemes_are_unknown(store: DownloadStore, url: str) -> None:
    assert f"unknown kind of address: {url.partition(':')[0]}" in fetch_fails(store, remote(url))


def test_a_loop_of_redirects_ends(server: Server, store: DownloadStore) -> None:
    server.answers["/loop"] = lambda exchange: exchange.redirect(server.address("/loop"))
    assert "redirects more than 10 times" in fetch_fails(store, remote(server.address("/loop")))


def test_control_characters_of_a_server_do_not_reach_the_terminal(server: Server, store: DownloadStore) -> None:
    def evil(exchange: Exchange) -> None:
        exchange.send_response(404, "\x1b[2Jgone")
        exchange.end_headers()

    server.answers["/evil"] = evil
    message = fetch_fails(store, remote(server.address("/evil")))
    assert "\x1b" not in message
    assert r"HTTP 404 \x1b[2Jgone" in message


def test_a_silent_server_is_bounded(server: Server, tmp_path: Path) -> None:
    store = DownloadStore(tmp_path / "store", patience=Patience(first_pause=0.01, silence=0.2, brief=0.2))
    server.answers["/silent"] = lambda exchange: exchange.stall(CONTENT, after=0)
    assert "timed out" in fetch_fails(store, remote(server.address("/silent")))


def test_a_trickling_server_is_bounded(server: Server, store: DownloadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this clock each piece takes a quarter of an hour."""
    quarters = itertools.count(step=900)
    monkeypatch.setattr("teekit_verify.core.download.store.time", SimpleNamespace(monotonic=lambda: next(quarters)))
    server.answers["/trickle"] = lambda exchange: exchange.trickle(CONTENT, pause_seconds=0.02)
    assert "of 2048 bytes in" in fetch_fails(store, remote(server.address("/trickle")))
    assert len(server.requests) == 5


def test_a_damaged_stored_file_is_fetched_again(server: Server, store: DownloadStore) -> None:
    file = remote(server.address("/file.deb"))
    store.fetch([file])
    path = store.path(file.digest)
    for damage in (b"x" + CONTENT[1:], CONTENT[:-1], b""):
        path.write_bytes(damage)
        assert store.missing([file]) == [file]
        assert not path.exists()
        path.write_bytes(damage)
        store.fetch([file])
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == 4


def test_progress_counts_every_file_once(server: Server, store: DownloadStore) -> None:
    contents = [b"file %d" % n for n in range(12)]
    for n, content in enumerate(contents):
        server.files[f"/{n}"] = content
    files = [remote(server.address(f"/{n}"), content=content) for n, content in enumerate(contents)]
    store.fetch(files[:3])
    calls: list[tuple[int, int]] = []
    store.fetch([*files, files[0], files[11]], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 12) for done in range(4, 13)]
    assert sorted(path for path, _ in server.requests) == sorted(f"/{n}" for n in range(12))


def test_control_c_does_not_wait_for_a_silent_server(server: Server, store: DownloadStore) -> None:
    server.answers["/silent"] = lambda exchange: exchange.stall(b"s" * 100, after=50)
    files = [
        remote(server.address("/silent"), content=b"s" * 100),
        remote(server.address("/file.deb")),
    ]

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.fetch(files, progress=interrupt)
    assert not server.stopping.is_set()  # or else the silent server would have ended the wait
    stored = [path for path in store.path(files[0].digest).parent.iterdir() if path.suffix != ".part"]
    assert stored == [store.path(files[1].digest)]
    assert stored[0].read_bytes() == CONTENT


def test_control_c_stops_a_download_in_its_middle(server: Server, store: DownloadStore) -> None:
    """What arrives after the interruption is not written, so another run may go on with the part."""
    go_on = threading.Event()

    def pause(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + b"s" * 50)
        go_on.wait(600)
        exchange.wfile.write(b"s" * 50)

    server.answers["/paused"] = pause
    paused = remote(server.address("/paused"), content=b"s" * 100)

    def interrupt(_done: int, _total: int) -> None:
        while not part_of(store, paused).exists():
            time.sleep(0.01)
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        store.fetch([paused, remote(server.address("/file.deb"))], progress=interrupt)
    go_on.set()
    deadline = time.monotonic() + 600
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not store.path(paused.digest).exists()
    assert part_of(store, paused).stat().st_size <= 50


def test_an_unexpected_exception_is_not_swallowed(
    server: Server, store: DownloadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(DownloadStore, "_resume", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        store.fetch([remote(server.address("/file.deb"))])


def test_a_full_disk_is_said(server: Server, store: DownloadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalError, match="cannot be written: No space left on device") as caught:
        store.fetch([remote(server.address("/file.deb"))])
    assert "Free some space" in (caught.value.hint or "")


def test_a_store_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TeekitError, match="cannot be written: Not a directory"):
        DownloadStore(tmp_path / "file" / "store").fetch([remote()])


def test_two_runs_share_a_store(server: Server, store: DownloadStore, tmp_path: Path) -> None:
    """Both want the same file at once: the second one waits and finds it there."""
    started, go_on = threading.Event(), threading.Event()

    def slowly(exchange: Exchange) -> None:
        started.set()
        go_on.wait(600)
        exchange.serve(CONTENT)

    server.answers["/slow"] = slowly
    code = (
        "import sys, pathlib\n"
        "from teekit_verify.core.digest import Algorithm, Digest\n"
        "from teekit_verify.core.download import DownloadStore, RemoteFile\n"
        "file = RemoteFile('x', 2048, Digest.from_hex(Algorithm.SHA256, sys.argv[2]), (sys.argv[3],))\n"
        "DownloadStore(pathlib.Path(sys.argv[1])).fetch([file])\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "store"), SHA256, server.address("/slow")]
    with subprocess.Popen(argv) as first:
        assert started.wait(600)
        with subprocess.Popen(argv) as second:
            time.sleep(0.3)
            assert second.poll() is None
            go_on.set()
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(server.requests) == 1
    assert store.path(Digest.of(Algorithm.SHA256, CONTENT)).read_bytes() == CONTENT
