"""cert-nginx-setup.service: one certificate for all hostnames, and nginx in front of the kettles.

Without a certificate the kettles go on answering HTTP on their own ports, and this service ends well all the same. It is
not root: nginx is started by systemd, where it finds CONFIGURATION (kettle-nginx.path).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import hostnames, layout, log, nginx, wait_for_port
from .files import write_atomically
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from logging import Logger

STATE = Path("/var/lib/cert-nginx-setup")
CONFIGURATION = Path("/run/cert-nginx-setup/nginx.conf")
# kettle-nginx.service has certificate and key as credentials: it is not root and cannot read STATE.
CREDENTIALS = Path("/run/credentials/kettle-nginx.service")
NGINX_FOLDER = Path("/run/kettle-nginx")
TLS_KEY = "tls-key.conf"  # of nginx's folder; written before each start (kettle-nginx.service)
IPV6 = Path("/proc/net/if_inet6")
HTTP_PORT = 80
CERTBOT_SECONDS = 300
LINES = 20


def main() -> int:
    with log.opened("cert-nginx-setup") as logger:
        try:
            value = measured_hostnames(layout.HOSTNAMES)
            if not value:
                logger.info("no hostname is set: kettles answer HTTP only")
                return 0
            names = hostnames.parse(value)
            obtain_certificate(certbot(names, os.environ, STATE, HTTP_PORT), logger)
        except Refused as refusal:
            logger.error("no certificate: %s; kettles answer HTTP only", refusal)
            log.announce(f"no HTTPS: {refusal}")
            return 0
        addresses = (str(nginx.HTTPS_PORT), f"[::]:{nginx.HTTPS_PORT}")[: 2 if IPV6.exists() else 1]
        places = nginx.Places(
            NGINX_FOLDER, CREDENTIALS / "fullchain.pem", CREDENTIALS / "privkey.pem", NGINX_FOLDER / TLS_KEY, addresses
        )
        write_atomically(CONFIGURATION, nginx.configuration(names, places).encode())
        # HTTPS is announced when it answers.
        if wait_for_port.main([str(nginx.HTTPS_PORT)]) != 0:
            logger.error("nginx does not answer; kettles answer HTTP only")
            log.announce("no HTTPS: nginx does not answer")
            return 0
        logger.info("HTTPS for %s", ", ".join(names))
        log.announce(f"HTTPS for {', '.join(names)}")
        return 0


def measured_hostnames(path: Path) -> bytes:
    """Those that were measured, and no others."""
    try:
        with path.open("rb") as stream:
            return stream.read(hostnames.MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def certbot(names: Sequence[str], environment: Mapping[str, str], state: Path, http_port: int) -> list[str]:
    """The command. certbot answers the certificate authority itself, on port 80, which is open and else unused."""
    argv = ["certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"]
    argv += ["--standalone", "--http-01-port", str(http_port), "--cert-name", "kettle", "--max-log-backups", "0"]
    argv += ["--config-dir", f"{state}/config", "--work-dir", f"{state}/work", "--logs-dir", f"{state}/logs"]
    # Set only by an image made for tests, with a file of its own (/usr/lib/kettle/acme.env).
    if directory := environment.get("ACME_DIRECTORY"):
        argv += ["--server", directory]
    return [*argv, "--domains", ",".join(names)]


def obtain_certificate(argv: Sequence[str], logger: Logger) -> None:
    """Runs certbot; its last lines go into the log."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=CERTBOT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"certbot did not finish within {CERTBOT_SECONDS} s") from None
    except OSError as error:
        raise Refused(f"certbot cannot be run: {error.strerror}") from None
    for line in done.stdout.splitlines()[-LINES:]:
        logger.info("certbot: %s", line)
    if done.returncode != 0:
        raise Refused(f"certbot failed with exit status {done.returncode}, its last words are above")


if __name__ == "__main__":
    sys.exit(main())
