"""Blobs over bytes, in a nameless file that lives as long as the process."""

from __future__ import annotations

import os

from teekit_verify.artifacts.blob import Blob


def blob_of(content: bytes) -> Blob:
    descriptor = os.memfd_create("blob")
    for start in range(0, len(content), 1 << 24):
        os.write(descriptor, content[start : start + (1 << 24)])
    return Blob.of(descriptor)
