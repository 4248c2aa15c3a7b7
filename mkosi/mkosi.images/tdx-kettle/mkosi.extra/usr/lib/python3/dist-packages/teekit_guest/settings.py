"""What cloud-config.service wrote, read as data.

Not by systemd's `EnvironmentFile=`: whoever writes that has the whole environment of the reader, LD_PRELOAD= included.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .refusal import Refused, shown

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 128 * 1024
KEYS = frozenset({"CLOUD_PROVIDER", "MANIFEST", "HOSTNAME_CONFIG"})


def read(path: Path) -> dict[str, str]:
    """Its lines KEY=VALUE, each key once. Raises Refused where there is anything else."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{path} is larger than {MOST_BYTES} bytes")
    values: dict[str, str] = {}
    for line in content.decode("ascii", errors="replace").splitlines():
        key, sign, value = line.partition("=")
        if not sign or key not in KEYS or key in values:
            raise Refused(f"{path} has a line that does not belong there: {shown(line)}")
        values[key] = value
    return values
