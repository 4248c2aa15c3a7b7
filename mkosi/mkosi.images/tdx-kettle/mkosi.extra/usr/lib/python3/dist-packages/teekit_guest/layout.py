"""Names, places and numbers that services, units and firewall rules agree on. docs/guest.md lists them."""

from __future__ import annotations

from pathlib import Path

KETTLES = 16  # as many users kettle-N, ports 300N and rules there are
FIRST_PORT = 3001
FIRST_DATABASE_PORT = 4001
ATTESTATION_PORT = 3000
ATTESTATION_SOCKET = Path("/run/attestation/https")  # nginx's alone
# Of the memory, for each kettle's database and logs together; for all kettles it is less than kettle.slice has.
STATE_PERCENT = 3

ENVIRONMENT_FILE = Path("/etc/kettle/cloud-config.env")
DEFAULT_MANIFEST = Path("/usr/lib/kettle/manifest.json")
IMAGE_APPS = Path("/usr/lib/kettle")  # where a manifest's `file:` may lead
KETTLE_FOLDERS = Path("/run/kettle")
QUOTE_FOLDERS = Path("/run/quote")
STATE_FOLDERS = Path("/var/lib/kettle")
# What the launcher gives to be measured: app-N, manifest-N, hostnames; COMPLETE is the last (teekit-measure.path).
GIVEN = Path("/run/kettle-given")
COMPLETE = "complete"
FAILED_FOLDER = Path("/run/kettle-failed")  # a file for each kettle whose service gave up (kettle-failed@.service)
READY = "ready"  # in the kettle's folder (kettle@.path)

# What was measured. Root's alone, and written before anything of it runs.
TEEKIT = Path("/run/teekit")
MEASURING, MEASURED, NOT_MEASURED = (TEEKIT / name for name in ("measuring", "measured", "not-measured"))
RUNTIME_LOG = TEEKIT / "runtime-log"
HOSTNAMES = TEEKIT / "hostnames"
MANIFESTS = TEEKIT / "manifests"
CCEL_COPY, TPM_LOG_COPY = TEEKIT / "ccel", TEEKIT / "tpm-log"

CLOUD_CONFIG_LOG = Path("/var/log/cloud-config.log")
KETTLE_LOG = Path("/var/log/kettle.log")
KETTLE_ERROR_LOG = Path("/var/log/kettle-error.log")


def port(kettle: int) -> int:
    """Where kettle number `kettle`, from 0, answers HTTP. Defined for every number: a hostname may have no kettle."""
    return FIRST_PORT + kettle


def database_port(kettle: int) -> int:
    return FIRST_DATABASE_PORT + kettle


def app(kettle: int) -> Path:
    """The bytes workerd runs: those that were measured. Only root writes there."""
    return KETTLE_FOLDERS / str(kettle) / "app" / "app.js"


def given_manifest(number: int) -> Path:
    return MANIFESTS / str(number)


def quote_socket(kettle: int) -> Path:
    """Where this kettle, and no other, asks for quotes."""
    return QUOTE_FOLDERS / str(kettle) / "socket"
