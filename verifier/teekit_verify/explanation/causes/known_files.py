"""Files and sections that are known for what makes them differ: a name, what it usually is, what to do, and the paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.explanation.causes.marks import is_file
from teekit_verify.explanation.causes.sighting import Culprit, Sighting
from teekit_verify.explanation.pair import CERTIFICATE_TABLE
from teekit_verify.explanation.tree import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

KERNEL_VERSION = Cause(
    "kernel version", "another kernel source or package: an input that is not pinned", "Pin the kernel."
)
SIGNATURE = Cause(
    "signature",
    "a digest over all that differs elsewhere, signed with a key made for the build, or with the time of signing",
    "Look at the other differences first; then sign both with the same key, or compare without signatures.",
)
BOOT_STUB = Cause("boot stub version", "another systemd-boot package: an input that is not pinned", "Pin the package.")
KEY = Cause(
    "generated key or certificate",
    "a key drawn at random during the build, which everyone then has",
    "Make keys at the first boot.",
)

RANDOM = Cause(
    "random id",
    "an identifier drawn at random during the build",
    "Derive it from a fixed seed, or remove it at the end.",
)
ZONE = Cause("time zone", "the time zone of the build", "Set TZ=UTC, and print times in UTC.")
PROCESS = Cause("process ID", "the number the system gave a process during the build", "Leave it out.")

_CACHES = (
    r"var/cache/.*",
    r".*/(icon-theme|mimeinfo|mime|loaders|immodules|giomodule)\.cache",
    r".*/(man/index\.db|hwdb\.bin|catalog/database|gschemas\.compiled|share/info/dir|locale-archive|java/cacerts)",
    r".*/modules/[^/]+/modules\.\w+(\.bin)?",
    r".*/fonts\.(dir|scale)",
)
_ROWS: tuple[tuple[Cause, str], ...] = (
    (
        Cause(
            "ld cache",
            "ldconfig, which stores inode numbers and times of the libraries",
            "Remove var/cache/ldconfig/aux-cache at the end of the build.",
        ),
        r"var/cache/ldconfig/.*|etc/ld\.so\.cache",
    ),
    (
        Cause("machine ID", "systemd, which draws one for each installation", "Leave etc/machine-id empty."),
        r"(etc|var/lib/dbus)/machine-id",
    ),
    (
        Cause("random seed", "systemd-random-seed or the like", "Remove it: a published seed is of no use."),
        r".*random-seed|.*\.urandom",
    ),
    (
        Cause(
            "log file",
            "a program that records what it did during the build",
            "Remove the logs at the end of the build.",
        ),
        r"var/log/.*|.*\.log|(root|home/[^/]+)/\.(\w*_history|viminfo|lesshst|wget-hsts)",
    ),
    (
        Cause("Python byte code", "Python, which stores the time of the source in it", "Remove *.pyc at the end."),
        r".*\.py[co]",
    ),
    (
        Cause(
            "SSH host key", "a key generated during the build, which everyone then has", "Make keys at the first boot."
        ),
        r"etc/ssh/ssh_host_.*|.*dropbear.*_key",
    ),
    (KEY, r"etc/ssl/private/.*|.*/credential\.secret|.*\.(key|p12|pfx|jks)|(?!.*ca-cert).*\.(pem|der|cer|crt)"),
    (
        Cause(
            "password file",
            "adduser, chpasswd or systemd-sysusers: a day, a salt, or accounts and numbers as they come",
            "Fix salt and day; give each account its number.",
        ),
        r"etc/(g?shadow-?|passwd|group|subuid|subgid)",
    ),
    (
        Cause("backup file", "a tool that keeps the file's last version", "Remove the files that end in - or ~."),
        r"etc/(passwd|group|subuid|subgid)-|.*(~|\.bak|-old)",
    ),
    (
        Cause("generated cache", "a cache rebuilt during the build, often with times in it", "Remove it at the end."),
        "|".join(_CACHES),
    ),
    (
        Cause("temporary file", "a file that was left behind, often with a random name", "Remove it at the end."),
        r"(var/)?tmp/.+|(.*/)?tmp[._]\w{6,}(/.*)?",
    ),
    (
        Cause("package manager state", "apt or dpkg, which record what they did and when", "Remove it at the end."),
        r"var/lib/(apt|dpkg)/.*",
    ),
    (
        Cause("host name", "the name of the machine that builds", "Write the file with a fixed content."),
        r"etc/(hostname|mailname|hosts)",
    ),
    (
        Cause("host network", "the resolver of the machine that builds", "Write the file with a fixed content."),
        r"etc/resolv\.conf",
    ),
    (ZONE, r"etc/(localtime|timezone)"),
    (RANDOM, r"etc/(hostid|iscsi/initiatorname\.iscsi|nvme/host(nqn|id))"),
    (PROCESS, r".*\.pid"),
)


def _file(pattern: str) -> Callable[[Sighting], bool]:
    return lambda sighting: is_file(sighting.file, pattern)


def _section(*names: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.section in names


_SECTIONS = (
    Culprit(KERNEL_VERSION, _section(".uname")),
    Culprit(BOOT_STUB, _section(".sbat", ".sdmagic")),
    Culprit(SIGNATURE, _section(".pcrsig", ".pcrpkey", CERTIFICATE_TABLE)),
)
FILES: tuple[Culprit, ...] = (*_SECTIONS, *(Culprit(cause, _file(pattern)) for cause, pattern in _ROWS))
