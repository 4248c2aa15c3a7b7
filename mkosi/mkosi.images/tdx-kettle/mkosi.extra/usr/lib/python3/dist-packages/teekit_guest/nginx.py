"""nginx's configuration: HTTPS for hostname i, handed on to kettle i."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HTTPS_PORT = 443
ATTESTATION = "/.well-known/teekit/attestation"
MOST_VISITORS = 1024  # of one kettle, at once
RECEIVED_BYTES = (
    64 * 1024
)  # of one client's, before the kettle takes them; the kernel adds as much for its own. See 51-kettle.conf.
OTHERS = 4096  # connections of clients who have asked for nothing yet, and attestation's

CONFIGURATION = """\
daemon off;
error_log stderr warn;
pid {folder}/nginx.pid;
worker_processes auto;
# More than all kettles' visitors take, with one connection of theirs and one to the kettle for each.
events {{ worker_connections {connections}; }}

http {{
    access_log off;
    server_tokens off;
    server_names_hash_bucket_size 512;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;

    ssl_certificate {certificate};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets off;

    client_max_body_size 64m;
    # A kettle that keeps its visitors waiting keeps no other's out: beyond this, its own get a 503.
    limit_conn_zone $server_name zone=visitors:1m;
    limit_conn_log_level info;
    # Requests and WebSockets alike; what a client says about where it comes from is not believed.
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    proxy_http_version 1.1;
    proxy_set_header Host $host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto https;
    proxy_read_timeout 1h;
    # Nothing is kept in files: they would be in /run, which is memory, and clients could fill it.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;

    # No certificate for whoever asks for another name. (What is said of the socket here is said of it for all names.)
    server {{
{listen_default}
        ssl_reject_handshake on;
        # Nor an answer for who has one of ours and then names another host (RFC 9110, 15.5.20).
        return 421;
    }}
{servers}}}
"""
SERVER = """\
    server {{
{listen}
        server_name {name};
        location / {{
            limit_conn visitors {visitors};
            proxy_pass http://127.0.0.1:{port};
        }}
        # Not the kettle's: what machine this is, and what it runs.
        location = {attestation} {{
            proxy_pass http://unix:{socket}:{attestation};
            proxy_set_header X-Teekit-Client $remote_addr;
            include {tls_key};
            proxy_set_header Connection "";
            proxy_pass_request_headers off;
            proxy_pass_request_body off;
            proxy_read_timeout 60s;
        }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Places:
    """`folder` is nginx's own; addresses are what `listen` takes."""

    folder: Path
    certificate: Path
    key: Path
    tls_key: Path  # what this nginx says of its key (tls_key.py)
    addresses: tuple[str, ...] = (str(HTTPS_PORT), f"[::]:{HTTPS_PORT}")


def configuration(names: Sequence[str], places: Places) -> str:
    """`names` as hostnames.parse() gives them: nothing in them means anything to nginx.

    A name beyond the last kettle leads to a port nobody listens on, which nginx answers with 502.
    """

    def listen(option: str) -> str:
        return "\n".join(f"        listen {address} ssl{option};" for address in places.addresses)

    servers = [
        SERVER.format(
            listen=listen(""),
            name=name,
            port=layout.port(kettle),
            visitors=MOST_VISITORS,
            attestation=ATTESTATION,
            socket=layout.ATTESTATION_SOCKET,
            tls_key=places.tls_key,
        )
        for kettle, name in enumerate(names)
    ]
    return CONFIGURATION.format(
        folder=places.folder,
        connections=2 * MOST_VISITORS * layout.KETTLES + OTHERS,
        certificate=places.certificate,
        key=places.key,
        listen_default=listen(f" default_server rcvbuf={RECEIVED_BYTES // 1024}k"),
        servers="".join(servers),
    )
