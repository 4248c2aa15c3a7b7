"""The clouds' metadata services: what the VM's owner has set as `manifest` and `hostname`.

- Google: https://cloud.google.com/compute/docs/metadata/querying-metadata
- Azure: https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
- QEMU: the server of scripts/test_local.sh, at the address QEMU's user network gives the host
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import fetch
from .fetch import Unreachable
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = 3.0
MOST_BYTES = 64 * 1024
NOT_FOUND = 404
ATTRIBUTES = ("manifest", "hostname")


class NotThisOne(Refused):
    """Somebody answers there, and it is not this metadata service."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """Attributes as they were found, in need of checking; None where there is none. One byte over the limit means cut."""

    provider: str
    manifest: bytes | None
    hostname: bytes | None


@dataclass(frozen=True, slots=True)
class Service:
    """`vendors` is how the firmware names the machine (sys_vendor or product_name in SMBIOS) where this service exists."""

    provider: str
    vendors: tuple[str, ...]
    base: str
    ask: Callable[[str], Metadata]


def google(base: str) -> Metadata:
    """Attributes of this instance, one request for each."""
    headers = {"Metadata-Flavor": "Google", "Host": "metadata.google.internal"}

    def attribute(name: str) -> bytes | None:
        answer = _get(f"{base}/computeMetadata/v1/instance/attributes/{name}", headers)
        value = _value(answer)
        # Google: an answer without this header is not the metadata server's.
        if answer.headers.get("Metadata-Flavor") != "Google":
            raise NotThisOne("the answer has no header Metadata-Flavor: Google")
        return value

    return Metadata("gcp", *map(attribute, ATTRIBUTES))


def azure(base: str) -> Metadata:
    """Tags of this VM, all in one list. (The string of all tags cannot be told apart where a value has a semicolon.)"""
    url = f"{base}/metadata/instance/compute/tagsList?api-version=2021-02-01&format=json"
    listed = _value(_get(url, {"Metadata": "true"}))
    if listed is None:  # a VM without tags has an empty list
        raise NotThisOne(f"it answered {NOT_FOUND}")
    tags = _tags(listed)
    return Metadata("azure", *(tags.get(name) for name in ATTRIBUTES))


def _tags(listed: bytes) -> dict[str, bytes]:
    """[{"name": ..., "value": ...}], with names in any case."""
    if len(listed) > MOST_BYTES:
        raise Refused(f"Azure's list of tags is longer than {MOST_BYTES} bytes")
    try:
        tags = json.loads(listed)
        return {str(tag["name"]).lower(): tag["value"].encode() for tag in tags}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Refused("Azure's list of tags is not the JSON it should be") from None


def qemu(base: str) -> Metadata:
    """`/manifest` and `/hostname`."""
    return Metadata("qemu", *(_value(_get(f"{base}/{name}", {})) for name in ATTRIBUTES))


SERVICES = (
    Service("gcp", ("Google", "Google Compute Engine"), "http://169.254.169.254", google),
    Service("azure", ("Microsoft Corporation",), "http://169.254.169.254", azure),
    Service("qemu", ("QEMU",), "http://10.0.2.2:8090", qemu),
)


def _get(url: str, headers: Mapping[str, str]) -> fetch.Answer:
    return fetch.get(url, seconds=SECONDS, most_bytes=MOST_BYTES, headers=headers)


def _value(answer: fetch.Answer) -> bytes | None:
    """404 says that the attribute is not set. 429, 410 and 5xx say to come again."""
    if answer.status == fetch.OK:
        return answer.body
    if answer.status == NOT_FOUND:
        return None
    if answer.status in {410, 429} or answer.status >= 500:  # noqa: PLR2004 -- RFC 9110 and RFC 6585
        raise Unreachable(f"it answered {answer.status}")
    raise NotThisOne(f"it answered {answer.status}")
