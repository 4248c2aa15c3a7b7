"""What differs on purpose between build A and build B, by reprotest's names."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one build. `build_path` is where it sees the source; `processors` are CPU numbers."""

    build_path: str
    domain_host: str
    timezone: str
    locales: str
    umask: int
    num_cpus: tuple[int, ...]
    home: str
    environment: tuple[tuple[str, str], ...]

    def variables(self) -> dict[str, str]:
        """The whole environment of the build."""
        return {
            "PATH": "/usr/sbin:/usr/bin",
            "HOME": self.home,
            "TZ": self.timezone,
            "LANG": self.locales,
            "LC_ALL": self.locales,
            **dict(self.environment),
        }

    def described(self) -> dict[str, str]:
        """For a report: variation -> value, in words."""
        return {
            "build_path": self.build_path,
            "domain_host": self.domain_host,
            "timezone": self.timezone,
            "locales": self.locales,
            "umask": f"{self.umask:04o}",
            "num_cpus": str(len(self.num_cpus)),
            "home": self.home,
            "environment": " ".join(f"{name}={value}" for name, value in self.environment) or "nothing added",
        }


def conditions() -> tuple[Conditions, Conditions]:
    """Those of build A and of build B. On a host with one processor, num_cpus cannot differ."""
    processors = tuple(sorted(os.sched_getaffinity(0)))
    first = Conditions(
        build_path="/build/source",
        domain_host="first",
        timezone="GMT+12",
        locales="C.UTF-8",
        umask=0o022,
        num_cpus=processors,
        home="/home/first",
        environment=(),
    )
    second = Conditions(
        build_path="/srv/another-place/second/source.tree",
        domain_host="second.example.org",
        timezone="GMT-14",
        locales="et_EE.UTF-8",
        umask=0o002,
        num_cpus=processors[:1],
        home="/home/second-build",
        environment=(("SOURCE_DATE_EPOCH", "1234567890"), ("TEEKIT_VARIATION", "i-am-captured")),
    )
    return first, second
