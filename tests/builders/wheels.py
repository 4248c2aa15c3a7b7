"""A package index on a later day: small wheels, and the pages of PEP 503 that name them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from builders.http import Exchange, Server


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package with nothing in it but its version. `extras` are names of extras, which need nothing; `build` is the number of
    a file that the publisher added to a version later, and which installers prefer.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    build: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.version}{self.build and f'-{self.build}'}-py3-none-any.whl"

    @property
    def data(self) -> bytes:
        """Binary distribution format (PyPA specifications): the three files that a wheel must have."""
        info = f"{self.name}-{self.version}.dist-info"
        metadata = [f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}"]
        metadata += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        metadata += [f"Provides-Extra: {extra}" for extra in self.extras]
        files = {
            f"{self.name}.py": f"VERSION = {self.version + self.build!r}\n",
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            + (f"Build: {self.build}\n" if self.build else ""),
        }
        files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        return stream.getvalue()

    @property
    def locked(self) -> str:
        return f"{self.name}=={self.version} --hash=sha256:{hashlib.sha256(self.data).hexdigest()}\n"


def publish(server: Server, *wheels: Wheel) -> str:
    """Serve them; the address of the index."""
    for name in {wheel.name for wheel in wheels}:
        links = ""
        for wheel in (wheel for wheel in wheels if wheel.name == name):
            server.files[f"/files/{wheel.file_name}"] = wheel.data
            digest = hashlib.sha256(wheel.data).hexdigest()  # as real indexes have it
            links += f'<a href="/files/{wheel.file_name}#sha256={digest}">{wheel.file_name}</a>\n'
        server.answers[f"/simple/{name}/"] = _page(f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
    return server.address("/simple/")


def _page(content: bytes) -> Callable[[Exchange], None]:
    def answer(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Type", "text/html")
        exchange.send_header("Content-Length", str(len(content)))
        exchange.end_headers()
        exchange.wfile.write(content)

    return answer
