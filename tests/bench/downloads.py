"""How long 340 files take from a mirror on a bad day, against a good one: `python tests/bench/downloads.py [KILOBYTES [SECONDS]]`.

On the bad day 2 % of the answers are faults that pass (503, 429 with Retry-After: SECONDS, a reset, half a file, other bytes, silence
from the start or in the middle), and a source that hangs comes first.
Prints seconds and requests per file; the faults are the same in every run.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / "verifier"), str(Path(__file__).parents[1])]

from builders.faults import reset, silent, status  # noqa: E402
from builders.http import Exchange, serve  # noqa: E402
from teekit_verify.core.digest import Algorithm, Digest  # noqa: E402
from teekit_verify.core.download import DownloadStore, Network, Proxies, RemoteFile  # noqa: E402

FILES = 340
RETRY_AFTER = sys.argv[2] if len(sys.argv) > 2 else "1"

FAULTS: tuple[Callable[[Exchange, bytes], None], ...] = (
    lambda exchange, _: status(503)(exchange),
    lambda exchange, _: status(429, Retry_After=RETRY_AFTER)(exchange),
    lambda exchange, _: reset(exchange),
    lambda exchange, _: silent(exchange),
    lambda exchange, content: exchange.cut(content, after=len(content) // 2),
    lambda exchange, content: exchange.stall(content, after=len(content) // 2),
    lambda exchange, content: exchange.serve(bytes(len(content))),
)


def fails(path: str, asked: int) -> bool:
    """Of the answers 2 %, by chance but always the same."""
    return hashlib.sha256(f"{path} {asked}".encode()).digest()[0] * 100 < 2 * 256


def main(size_bytes: int) -> None:
    contents = {f"/{number}": bytes([number % 256]) * size_bytes + b"%d" % number for number in range(FILES)}
    with serve() as mirror, serve() as hanging:
        flaky: dict[str, int] = {}

        def answer(exchange: Exchange) -> None:
            flaky[exchange.path] = flaky.get(exchange.path, 0) + 1
            if bad and fails(exchange.path, flaky[exchange.path]):
                FAULTS[sum(flaky.values()) % len(FAULTS)](exchange, contents[exchange.path])
            else:
                exchange.serve(contents[exchange.path])

        for path in contents:
            mirror.answers[path] = answer
            hanging.answers[path] = silent
        for bad in (False, True):
            mirror.requests.clear()
            sources = [hanging, mirror] if bad else [mirror]
            files = [
                RemoteFile(
                    path,
                    len(content),
                    Digest.of(Algorithm.SHA256, content),
                    tuple(source.address(path) for source in sources),
                )
                for path, content in contents.items()
            ]
            with tempfile.TemporaryDirectory() as folder:
                began = time.monotonic()
                DownloadStore(Path(folder), Network(Proxies("", ""))).fetch(files)
                seconds = time.monotonic() - began
            asked = len(mirror.requests) + (len(hanging.requests) if bad else 0)
            print(f"{'bad' if bad else 'good'} day: {seconds:.1f} s, {asked / FILES:.2f} requests per file")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) << 10 if len(sys.argv) > 1 else 300 << 10)
