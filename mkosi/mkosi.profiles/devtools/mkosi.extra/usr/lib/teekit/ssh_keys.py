"""Writes root's authorized_keys from the metadata service of QEMU's local test, Google Cloud or Azure."""

import json
import os
import re
import time
import urllib.request
from pathlib import Path

TARGET = Path("/root/.ssh/authorized_keys")
_LIMIT_BYTES = 64 << 10
_SECONDS = 120
_KEY = re.compile(r"(?:^|:)((?:ssh-[a-z0-9-]+|ecdsa-[a-z0-9-]+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+)(?: .*)?$")


def from_qemu() -> str:
    return fetch("http://10.0.2.2:8090/ssh-keys", {})


def from_gcp() -> str:
    place = "http://metadata.google.internal/computeMetadata/v1/instance/attributes/ssh-keys"
    return fetch(place, {"Metadata-Flavor": "Google"})


def from_azure() -> str:
    place = "http://169.254.169.254/metadata/instance/compute/publicKeys?api-version=2021-02-01"
    return "\n".join(entry["keyData"].strip() for entry in json.loads(fetch(place, {"Metadata": "true"})))


def fetch(address: str, headers: dict[str, str]) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(address, headers=headers), timeout=5) as answer:
        return answer.read(_LIMIT_BYTES).decode("ascii", "replace")


def keys_of(text: str) -> list[str]:
    """One key for each line that is one, without Google's `user:` and without comments."""
    return [found[1] for line in text.splitlines() if (found := _KEY.search(line.strip()))]


def main() -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for source in (from_qemu, from_gcp, from_azure):
            try:
                keys = keys_of(source())
            except (OSError, ValueError, LookupError, TypeError):
                continue
            TARGET.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            TARGET.write_text("".join(f"{key}\n" for key in keys))
            os.chmod(TARGET, 0o600)
            print(f"{len(keys)} keys from {source.__name__.removeprefix('from_')}")
            return
        time.sleep(2)
    print("no metadata service has ssh keys")


if __name__ == "__main__":
    main()
