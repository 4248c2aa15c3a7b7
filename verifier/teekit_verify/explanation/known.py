"""Known culprits: what a difference usually comes from, recognised by where it is and by what changed.

Each row of the tables below is one cause with its recogniser, tried in this order. They are rules of thumb, so a cause
is worded as what it usually is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.explanation import marks
from teekit_verify.explanation.tree import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.explanation.sighting import Sighting

_WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Culprit:
    cause: Cause
    recognise: Callable[[Sighting], bool]


def _field(*names: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.where in names


def _file(pattern: str) -> Callable[[Sighting], bool]:
    return lambda sighting: marks.is_file(sighting.file, pattern)


def _texts(recognise: Callable[[str, str], bool]) -> Callable[[Sighting], bool]:
    return lambda sighting: bool(sighting.a and sighting.b) and recognise(sighting.a, sighting.b)


TIME = Cause(
    "time stamp",
    "a clock that was read during the build",
    "Take the time from SOURCE_DATE_EPOCH, or leave it out.",
)
_RANDOM = Cause(
    "random id",
    "an identifier drawn at random during the build",
    "Derive it from a fixed seed, or remove it at the end.",
)
_ORDER = Cause(
    "file order",
    "a directory read in the order of its file system, or files added in parallel",
    "Sort the names before they are used.",
)
_LOCALE = Cause(
    "locale or sort order", "a sort that follows the locale of the build", "Sort with LC_ALL=C, or by a complete key."
)
_UMASK = Cause("umask", "files created with the umask of whoever builds", "Set the modes, or the umask, in the build.")
_OWNER = Cause("user or group", "files that keep the owner of whoever builds", "Set the owner, as in cpio --owner=0:0.")
_BUILD_ID = Cause(
    "build ID",
    "a digest over the linked file: it changes with any other difference in the file or in its debug information",
    "Look at the other differences of the file first.",
)
_PARALLEL = Cause(
    "number of CPUs", "work split over as many jobs as there are processors", "Fix the number of jobs of that step."
)

FIELDS: tuple[Culprit, ...] = (
    Culprit(TIME, _field("mtime", "PE time stamp", "tar mtime", "VHD time stamp")),
    Culprit(
        Cause("gzip time stamp", "gzip, which stores the time or the file's", "Compress with gzip -n."),
        _field("gzip mtime"),
    ),
    Culprit(
        Cause(
            "FAT time stamp", "files copied to the ESP with the time of the build", "Copy with SOURCE_DATE_EPOCH set."
        ),
        _field("FAT time"),
    ),
    Culprit(
        Cause(
            "FAT serial", "mkfs.fat, which takes the volume ID from the clock", "Give it one with -i, or --invariant."
        ),
        _field("FAT serial"),
    ),
    Culprit(
        Cause("GPT GUID", "a partition tool that draws GUIDs at random", "Give the GUIDs, or a seed for them."),
        _field("disk GUID", "partition GUID"),
    ),
    Culprit(
        Cause(
            "VHD unique ID", "the converter, which draws an ID at random", "Convert with a fixed ID (force it after)."
        ),
        _field("VHD unique ID"),
    ),
    Culprit(_BUILD_ID, lambda sighting: sighting.where == ".note.gnu.build-id"),
    Culprit(_PARALLEL, lambda sighting: sighting.where in {".BTF", ".BTF_ids"}),
    Culprit(_UMASK, lambda sighting: sighting.where == "mode" and marks.only_umask(sighting.a, sighting.b)),
    Culprit(_OWNER, _field("owner", "tar owner")),
    Culprit(
        Cause("inode numbers", "an archiver that stores them as they are", "Use cpio --renumber-inodes."),
        _field("inode", "filesystem"),
    ),
    Culprit(
        _LOCALE,
        lambda sighting: (
            sighting.where in {"order", "line order"} and marks.sorted_by_locale(sighting.ordered_a, sighting.ordered_b)
        ),
    ),
    Culprit(_ORDER, _field("order", "line order")),
    Culprit(
        Cause(
            "package version",
            "other packages than in the other build: an input that is not pinned",
            "Pin the packages.",
        ),
        _field("package"),
    ),
    Culprit(
        Cause(
            "compression",
            "another version, level or number of threads of the compressor: what is inside is equal",
            "Fix the compressor and its options.",
        ),
        _field("compression"),
    ),
)

FILES: tuple[Culprit, ...] = (
    Culprit(
        Cause(
            "ld cache",
            "ldconfig, which stores inode numbers and times of the libraries",
            "Remove var/cache/ldconfig/aux-cache at the end of the build.",
        ),
        _file(r"var/cache/ldconfig/.*|etc/ld\.so\.cache"),
    ),
    Culprit(
        Cause("machine ID", "systemd, which draws one for each installation", "Leave etc/machine-id empty."),
        _file(r"(etc|var/lib/dbus)/machine-id"),
    ),
    Culprit(
        Cause("random seed", "systemd-random-seed or the like", "Remove it: a published seed is of no use."),
        _file(r".*random-seed|.*\.urandom"),
    ),
    Culprit(
        Cause(
            "log file", "a program that logs what it did during the build", "Remove the logs at the end of the build."
        ),
        _file(r"var/log/.*|.*\.log"),
    ),
    Culprit(
        Cause("Python byte code", "Python, which stores the time of the source in it", "Remove *.pyc at the end."),
        _file(r".*\.py[co]"),
    ),
    Culprit(
        Cause(
            "SSH host key", "a key generated during the build, which everyone then has", "Make keys at the first boot."
        ),
        _file(r"etc/ssh/ssh_host_.*|.*dropbear.*_key"),
    ),
    Culprit(
        Cause("password file", "adduser or chpasswd: a day, a salt, or the order of accounts", "Fix salt and day."),
        _file(r"etc/g?shadow-?"),
    ),
    Culprit(
        Cause("backup file", "a tool that keeps the file's last version", "Remove the files that end in - or ~."),
        _file(r"etc/(passwd|group|subuid|subgid)-|.*(~|\.bak|-old)"),
    ),
    Culprit(
        Cause("generated cache", "a cache rebuilt during the build, often with times in it", "Remove it at the end."),
        _file(r"var/cache/.*|.*/icon-theme\.cache|.*/mimeinfo\.cache|.*/man/index\.db"),
    ),
    Culprit(
        Cause("temporary file", "a file that was left behind, often with a random name", "Remove it at the end."),
        _file(r"(var/)?tmp/.+|(.*/)?tmp[._]\w{6,}(/.*)?"),
    ),
    Culprit(
        Cause("package manager state", "apt or dpkg, which record what they did and when", "Remove it at the end."),
        _file(r"var/lib/(apt|dpkg)/.*"),
    ),
    Culprit(
        Cause("host name", "the name of the machine that builds", "Write the file with a fixed content."),
        _file(r"etc/(hostname|mailname|hosts)"),
    ),
)

_ZONE = Cause("time zone", "the time zone of the build", "Set TZ=UTC, and print times in UTC.")
_ADDRESS = Cause(
    "address", "an address in memory, which address space randomisation (ASLR) moves", "Do not store pointers."
)

TEXTS: tuple[Culprit, ...] = (
    Culprit(_ZONE, _texts(marks.only_hours_differ)),
    Culprit(_ADDRESS, _texts(marks.addresses_differ)),
    Culprit(TIME, _texts(marks.only_times_differ)),
    Culprit(
        Cause("process ID", "the number the system gave a process during the build", "Leave it out."),
        _texts(marks.only_processes_differ),
    ),
    Culprit(
        Cause("home directory", "the path of the home directory of whoever builds", "Give the build a fixed home."),
        _texts(marks.home_paths_differ),
    ),
    Culprit(
        Cause("build path", "the path the source was built in", "Map it away (-ffile-prefix-map=), or fix the path."),
        _texts(marks.paths_differ),
    ),
    Culprit(
        Cause("user name", "the name of whoever builds", "Set the name (KBUILD_BUILD_USER for a kernel)."),
        _texts(marks.users_differ),
    ),
    Culprit(
        Cause("host name", "the name of the machine that builds", "Set the name (KBUILD_BUILD_HOST for a kernel)."),
        _texts(marks.hosts_differ),
    ),
    Culprit(_PARALLEL, _texts(marks.job_counts_differ)),
    Culprit(_UMASK, _texts(marks.umasks_differ)),
    Culprit(_ZONE, _texts(marks.time_zones_differ)),
    Culprit(_RANDOM, _texts(marks.random_ids_differ)),
    Culprit(
        Cause("environment value", "a variable of the build's environment that is recorded", "Clear the environment."),
        _texts(marks.variables_differ),
    ),
)

BYTES: tuple[Culprit, ...] = (
    Culprit(
        TIME,
        lambda sighting: (
            sighting.changed_bytes <= _WORD_BYTES and marks.times_in_bytes_differ(sighting.raw_a, sighting.raw_b)
        ),
    ),
    Culprit(
        _ADDRESS,
        lambda sighting: (
            sighting.changed_bytes <= _WORD_BYTES and marks.pointers_differ(sighting.raw_a, sighting.raw_b)
        ),
    ),
    Culprit(
        Cause("uninitialised bytes", "memory or disk space that was written without being cleared", "Clear it first."),
        lambda sighting: marks.one_side_is_clear(sighting.raw_a, sighting.raw_b, sighting.changed_bytes),
    ),
)
