"""Metadata services that answer as the clouds' do, on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from builders.http import Exchange, Server

AZURE_PATH = "/metadata/instance/compute/tagsList?api-version=2021-02-01&format=json"


def google(server: Server, attributes: Mapping[str, bytes]) -> str:
    """Google Compute Engine: its own header asked for and given, 403 without it, 404 for an attribute that is not set."""
    prefix = "/computeMetadata/v1/instance/attributes/"

    def answer(exchange: Exchange) -> None:
        asked = exchange.headers
        if asked["Metadata-Flavor"] != "Google" or asked["Host"] != "metadata.google.internal":
            respond(exchange, 403, b"Missing Metadata-Flavor:Google header.", **{"Metadata-Flavor": "Google"})
            return
        content = attributes.get(exchange.path.removeprefix(prefix))
        status, body = (404, b"<!DOCTYPE html>") if content is None else (200, content)
        respond(exchange, status, body, **{"Metadata-Flavor": "Google", "Content-Type": "application/text"})

    for name in ("manifest", "hostname"):
        server.answers[prefix + name] = answer
    return server.address()


def azure(server: Server, tags: Mapping[str, str]) -> str:
    """Azure's IMDS: 400 without its header, tags as a list of names and values."""
    listed = json.dumps([{"name": name, "value": value} for name, value in tags.items()]).encode()

    def answer(exchange: Exchange) -> None:
        if exchange.headers["Metadata"] != "true" or exchange.headers["X-Forwarded-For"]:
            error = b'{"error":"Bad request. Required metadata header not specified"}'
            respond(exchange, 400, error, **{"Content-Type": "application/json"})
            return
        respond(exchange, 200, listed, **{"Content-Type": "application/json; charset=utf-8", "Server": "IMDS/150.870"})

    server.answers[AZURE_PATH] = answer
    return server.address()


def qemu(server: Server, **attributes: bytes) -> str:
    """scripts/test_local.sh: 404 for what is not set."""
    server.files.update({f"/{name}": content for name, content in attributes.items()})
    return server.address()


def respond(exchange: Exchange, status: int, body: bytes, **headers: str) -> None:
    exchange.send_response(status)
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        exchange.send_header(name, value)
    exchange.end_headers()
    exchange.wfile.write(body)


def always(status: int, body: bytes = b"", **headers: str) -> Callable[[Exchange], None]:
    return lambda exchange: respond(exchange, status, body, **headers)
