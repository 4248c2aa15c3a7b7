"""Known culprits: what a difference usually comes from, recognised by where it is and by what changed.

Each row of the tables below is one cause with its recogniser, tried in this order. They are rules of thumb, so a cause
is worded as what it usually is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import TIMES, Field
from teekit_verify.explanation.causes import clocks, identifiers, marks, orders
from teekit_verify.explanation.causes.known_files import KERNEL_VERSION, PROCESS, RANDOM, ZONE
from teekit_verify.explanation.causes.sighting import Culprit
from teekit_verify.explanation.tree import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.explanation.causes.sighting import Sighting

_WORD_BYTES = 8


def _field(*fields: Field) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.where in fields


def _elf_section(*names: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.elf_section in names


def _texts(recognise: Callable[[str, str], bool]) -> Callable[[Sighting], bool]:
    def recognises(sighting: Sighting) -> bool:
        a, b = sighting.a[: clocks.MAX_TEXT], sighting.b[: clocks.MAX_TEXT]
        return bool(a and b) and a != b and recognise(a, b)

    return recognises


TIME = Cause(
    "time stamp",
    "a clock that was read during the build",
    "Take the time from SOURCE_DATE_EPOCH, or leave it out.",
)
_ORDER = Cause(
    "file order",
    "a directory read in the order of its file system, or files added in parallel",
    "Sort the names before they are used.",
)
_HASH_ORDER = Cause(
    "hash order",
    "a set or dictionary in the order of its hashes, which many languages seed at random",
    "Sort before writing (PYTHONHASHSEED=0 or PERL_HASH_SEED=0 only hide it).",
)
_ANY_ORDER = Cause(
    "file or hash order",
    "a directory or a hash table read in the order it happens to have, or work done in parallel",
    "Sort before writing.",
)
_PACKAGE = Cause(
    "package version", "other packages than in the other build: an input that is not pinned", "Pin the packages."
)
_COMPRESSION = Cause(
    "compression",
    "another compressor, or another version, level or number of threads of it",
    "Fix the compressor and its options.",
)
_LOCALE = Cause(
    "locale or sort order", "a sort that follows the locale of the build", "Sort with LC_ALL=C, or by a complete key."
)
UMASK = Cause("umask", "files created with the umask of whoever builds", "Set the modes, or the umask, in the build.")
_OWNER = Cause("user or group", "files that keep the owner of whoever builds", "Set the owner, as in cpio --owner=0:0.")
_CAPABILITY = Cause(
    "capability",
    "setcap ran in one build alone, or a tool or file system on the way does not keep extended attributes",
    "Set the capability in the last step, and copy with attributes kept (tar --xattrs, cp -a, rsync -X).",
)
_ATTRIBUTE = Cause(
    "extended attribute",
    "what the machine that builds adds to files (a security label, say), or a tool that does not keep attributes",
    "Set the attributes in the last step, or leave all of them out.",
)
_BUILD_ID = Cause(
    "build ID",
    "a digest over the linked file: it changes with any other difference in the file or in its debug information",
    "Look at the other differences of the file first.",
)
_LONE_BUILD_ID = Cause(
    "build ID",
    "a number drawn at random (--build-id=uuid), or a digest over debug information that was stripped off since",
    "Link with --build-id=sha1; compare the debug files.",
)
_PARALLEL = Cause(
    "number of CPUs", "work split over as many jobs as there are processors", "Fix the number of jobs of that step."
)


def _versions_differ(sighting: Sighting) -> bool:
    texts = sighting.a, sighting.b
    return marks.versions_differ(*texts) and not clocks.only_times_differ(*texts)


FIELDS: tuple[Culprit, ...] = (
    Culprit(TIME, _field(*TIMES)),
    Culprit(
        Cause("gzip time stamp", "gzip, which stores the time or the file's", "Compress with gzip -n."),
        _field(Field.GZIP_MTIME),
    ),
    Culprit(
        ZONE, lambda sighting: sighting.where is Field.FAT_TIME and clocks.only_hours_differ(sighting.a, sighting.b)
    ),
    Culprit(
        Cause("gzip file name", "gzip, which stores the name of the file that it packs", "Compress with gzip -n."),
        _field(Field.GZIP_NAME),
    ),
    Culprit(
        Cause(
            "FAT time stamp", "files copied to the ESP with the time of the build", "Copy with SOURCE_DATE_EPOCH set."
        ),
        _field(Field.FAT_TIME),
    ),
    Culprit(
        Cause(
            "FAT serial", "mkfs.fat, which takes the volume ID from the clock", "Give it one with -i, or --invariant."
        ),
        _field(Field.FAT_SERIAL),
    ),
    Culprit(
        Cause("GPT GUID", "a partition tool that draws GUIDs at random", "Give the GUIDs, or a seed for them."),
        _field(Field.DISK_GUID, Field.PARTITION_GUID),
    ),
    Culprit(
        Cause(
            "VHD unique ID", "the converter, which draws an ID at random", "Convert with a fixed ID (force it after)."
        ),
        _field(Field.VHD_ID, Field.VHDX_DISK_ID, Field.VHDX_FILE_WRITE, Field.VHDX_DATA_WRITE),
    ),
    Culprit(
        RANDOM,
        _field(Field.RANDOM_ID, Field.DISK_SIGNATURE, Field.UUID, Field.SALT, Field.VOLUME_SALT, Field.HEADER_SALT),
    ),
    Culprit(RANDOM, _field(Field.VMDK_CONTENT_ID, Field.VMDK_LONG_ID, Field.VMDK_DISK_ID)),
    Culprit(
        Cause(
            "digest",
            "digests over another partition: they change with it and with the salt",
            "Look at the data partition.",
        ),
        _field(Field.VERITY_TREE),
    ),
    Culprit(
        Cause(
            "encryption",
            "a volume key and salts that are drawn at random whenever it is formatted",
            "Compare what is encrypted, before it is.",
        ),
        _field(Field.LUKS),
    ),
    Culprit(_BUILD_ID, _field(Field.BUILD_ID)),
    Culprit(_BUILD_ID, _elf_section(".note.gnu.build-id", ".note.go.buildid")),
    Culprit(_LONE_BUILD_ID, _field(Field.LONE_BUILD_ID)),
    Culprit(_PARALLEL, _elf_section(".BTF", ".BTF_ids")),
    Culprit(UMASK, lambda sighting: sighting.where is Field.MODE and marks.only_umask(sighting.a, sighting.b)),
    Culprit(_OWNER, _field(Field.OWNER, Field.TAR_OWNER)),
    Culprit(_CAPABILITY, _field(Field.CAPABILITY)),
    Culprit(_ATTRIBUTE, _field(Field.XATTR)),
    Culprit(
        Cause("inode numbers", "an archiver that stores what the file system has", "Use cpio --reproducible."),
        _field(Field.INODE, Field.FILESYSTEM, Field.FOLDER_LINKS),
    ),
    Culprit(
        _LOCALE,
        lambda sighting: (
            sighting.where in {Field.ORDER, Field.LINE_ORDER}
            and orders.sorted_by_locale(sighting.ordered_a, sighting.ordered_b)
        ),
    ),
    Culprit(
        _ORDER,
        lambda sighting: sighting.where is Field.LINE_ORDER and all(map(orders.names_a_file, sighting.ordered_a)),
    ),
    Culprit(_ANY_ORDER, _field(Field.LINE_ORDER)),
    Culprit(_ORDER, _field(Field.ORDER)),
    Culprit(_HASH_ORDER, _field(Field.MEMBER_ORDER)),
    Culprit(
        KERNEL_VERSION,
        lambda sighting: (
            sighting.where is Field.NAME and "lib/modules/" in sighting.file and _versions_differ(sighting)
        ),
    ),
    Culprit(_PACKAGE, _field(Field.PACKAGE)),
    Culprit(_PACKAGE, lambda sighting: sighting.where is Field.NAME and _versions_differ(sighting)),
    Culprit(_COMPRESSION, _field(Field.COMPRESSION, Field.GZIP_SYSTEM)),
    Culprit(
        Cause(
            "hard links",
            "names that share one file in one build, and are copies in the other: its content is stored with the last one",
            "Copy with links kept, or without links, in both.",
        ),
        _field(Field.LINKS, Field.LINK_COUNT),
    ),
    Culprit(
        Cause("compiler version", "another compiler package: an input that is not pinned", "Pin the compiler."),
        _elf_section(".comment"),
    ),
    Culprit(
        Cause(
            "debug information",
            "a checksum over the debug file that was split off, which differs: often by the build path",
            "Compare the debug files.",
        ),
        _elf_section(".gnu_debuglink"),
    ),
    Culprit(
        Cause(
            "module signature",
            "a kernel that was built with a signing key of its own: each build makes another one",
            "Take the kernel from one package, or build it without CONFIG_MODULE_SIG.",
        ),
        _field(Field.MODULE_SIGNATURE),
    ),
)

_ADDRESS = Cause(
    "address", "an address in memory, which address space randomisation (ASLR) moves", "Do not store pointers."
)

_USER = Cause("user name", "the name of whoever builds", "Set the name (KBUILD_BUILD_USER for a kernel).")

_HOST = Cause("host name", "the name of the machine that builds", "Set the name (KBUILD_BUILD_HOST for a kernel).")

TEXTS: tuple[Culprit, ...] = (
    Culprit(KERNEL_VERSION, _texts(marks.module_kernels_differ)),
    Culprit(ZONE, _texts(clocks.only_hours_differ)),
    Culprit(_ADDRESS, _texts(marks.addresses_differ)),
    Culprit(TIME, _texts(clocks.only_times_differ)),
    Culprit(PROCESS, _texts(marks.only_processes_differ)),
    Culprit(
        Cause("home directory", "the path of the home directory of whoever builds", "Give the build a fixed home."),
        _texts(marks.home_paths_differ),
    ),
    Culprit(
        Cause("search path", "the PATH of whoever builds", "Clear the environment."),
        _texts(marks.search_paths_differ),
    ),
    Culprit(
        Cause("build path", "the path the source was built in", "Map it away (-ffile-prefix-map=), or fix the path."),
        _texts(marks.paths_differ),
    ),
    Culprit(
        _USER,
        _texts(marks.users_differ),
    ),
    Culprit(
        _HOST,
        _texts(marks.hosts_differ),
    ),
    Culprit(
        Cause("host kernel", "the kernel of the machine that builds, by uname", "Do not record what builds."),
        _texts(marks.running_kernels_differ),
    ),
    Culprit(
        Cause(
            "CPU features",
            "the processor of the machine that builds: -march=native, or a program that asks for it",
            "Name the processor to build for.",
        ),
        _texts(marks.cpu_features_differ),
    ),
    Culprit(_PARALLEL, _texts(marks.job_counts_differ)),
    Culprit(UMASK, _texts(marks.umasks_differ)),
    Culprit(ZONE, _texts(marks.time_zones_differ)),
    Culprit(
        Cause(
            "digest",
            "a digest of something else that differs",
            "Look at what it is a digest of, and not at the digest.",
        ),
        _texts(identifiers.digests_differ),
    ),
    Culprit(
        Cause("source revision", "another commit of a source: an input that is not pinned", "Pin the commit."),
        _texts(identifiers.revisions_differ),
    ),
    Culprit(RANDOM, _texts(identifiers.random_ids_differ)),
    Culprit(
        Cause("environment value", "a variable of the build's environment that is recorded", "Clear the environment."),
        _texts(marks.variables_differ),
    ),
    Culprit(_HASH_ORDER, _texts(orders.words_moved)),
)

ADDED: tuple[tuple[Callable[[str], bool], tuple[Cause, ...]], ...] = (
    (marks.names_user_and_host, (_USER, _HOST)),
    (clocks.holds_moment, (TIME,)),
)
"""What a line is known for that one side alone has."""

BYTES: tuple[Culprit, ...] = (
    Culprit(
        TIME,
        lambda sighting: (
            sighting.changed_bytes <= _WORD_BYTES and clocks.times_in_bytes_differ(sighting.raw_a, sighting.raw_b)
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
