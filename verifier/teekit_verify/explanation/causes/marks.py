"""What gives a culprit away in two texts or stretches of bytes that differ: pure questions with yes or no."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.explanation.causes.clocks import ZONE, is_time, without_times, words
from teekit_verify.explanation.causes.identifiers import has_random_suffix
from teekit_verify.explanation.causes.tokens import changed_tokens, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADDRESS = re.compile(r"(?<![0-9a-f])(?:0x)?(?:0000)?(?:5[56]|7f)[0-9a-f]{10}(?![0-9a-f])")
_PROCESS = re.compile(r"\[[0-9]{1,7}\]|\b(?:pid|process)[ =:]+[0-9]{1,7}\b", re.IGNORECASE)
_ZONE = re.compile(
    rf"Z|(?:Etc/)?{ZONE}|(?:Etc/)?GMT[+-]?[0-9]{{0,2}}|<[+-][0-9]+>[+-]?[0-9]*|[A-Z][a-z]+/[A-Z][A-Za-z_/]+"
)
_SYSTEM_PATH = re.compile(
    r"/(?:usr(?!/src|/obj)|etc|s?bin|lib\w*|run|dev|proc|sys|boot|var/(?:empty|lib|log|run|spool|mail|www))(?:/|$)"
)
_HOME = re.compile(r"(?:^|:)(/(?:home|Users)/[^/:]+|/root\b|/nonexistent)")
_UNAME = re.compile(r"Linux (?P<host>\S+) (?P<release>[0-9]+\.[0-9]+\S*)")
_HOST = re.compile(r"(?i)(?:\b|build_?)host(?:[ _-]?name)?\s*[=:]\s*[\"']?([a-z0-9][a-z0-9.-]*)(?![^\s\"',;])")
_USER = re.compile(
    r"(?i)\b(?:built[ _-]by|build[ _-]?user|builder)\s*[=:]\s*[\"']?([a-z0-9_][a-z0-9_.-]*)(?![^\s\"',;])"
)
_LONE_ADDRESS = re.compile(r"[A-Za-z_][\w.-]*@[A-Za-z][\w-]*[\w.-]*")
_USER_AT_HOST = re.compile(r"[^\w@]*([\w.+-]+)@([\w.-]+)[^\w@]*")
_EMAIL_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}[>)\].,;]*")
_LISTED_MODE = re.compile(r"[-dlbcps](?:[r-][w-][xsStT-]){3}")
_CPU_FEATURE = re.compile(
    r"(?i)(?:sse|ssse|avx|amx|bmi|fma|adx|aes|sha_ni|vaes|gfni|neon|sve|popcnt|x86-64-v)[\w.-]*|(?:-march|-mtune|-mcpu)\S*"
)
_PROCESSOR = re.compile(
    r"(?<!\S)-m(?:arch|tune|cpu)=(?:native|generic|x86-64|\w*(?:lake|rapids|mont|well|bridge)\b|nehalem|westmere|core2|corei7|core-avx|[zbv]\w*ver[0-9]"
    r"|k8|opteron|i[3-6]86|armv[6-9]|cortex-|neoverse-)\S*"
)
"""Of the processors that compilers know by name (GCC, "x86 Options" and "AArch64 Options")."""
_ENVIRONMENT = re.compile(
    r"\s*(?:(?:export|declare -x)\s+\w+|PATH|LANG|LANGUAGE|LC_\w+|TERM|SHELL|EDITOR|VISUAL|PAGER|DISPLAY|MAIL|SHLVL|TMPDIR"
    r"|USER|LOGNAME|(?:C|CPP|CXX|LD|MAKE|RUST|GO)FLAGS|DEB_\w+|XDG_\w+|SSH_\w+|SUDO_\w+|CI_\w+|GITHUB_\w+|LD_\w+|PYTHON\w+)[=:]"
)
_JOBS = re.compile(r"-j|\bjobs?\b|nproc|\bcpus?\b|processors?|threads?|parallel|cores?\b", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,4}")
_VERSION_NUMBER = re.compile(r"[0-9]+(?:[.:+~-]?(?:[0-9]+|[a-z]+[0-9]+|git\w*|dfsg))*")
_WORD_BYTES = 8
_MIN_CLEAR_BYTES = 4


def is_file(path: str, pattern: str) -> bool:
    """Whether the whole path matches, without a leading "./" or "/"."""
    return re.fullmatch(pattern, path.removeprefix(".").lstrip("/"), re.DOTALL) is not None


def only_umask(mode_a: str, mode_b: str) -> bool:
    """Two modes in octal digits that differ in what a umask takes away: rights of group and others."""
    changed = int(mode_a, 8) ^ int(mode_b, 8)
    return changed != 0 and not changed & ~0o077


def only_processes_differ(a: str, b: str) -> bool:
    """Whether nothing is left when times and process numbers are taken out, as in "systemd[17]: ..."."""
    return a != b and len({_PROCESS.sub("", without_times(text)) for text in (a, b)}) == 1


def home_paths_differ(a: str, b: str) -> bool:
    """Another home in both: below the same one, only the rest of the path differs."""
    found = ((_HOME.search(one), _HOME.search(other)) for one, other in changed_tokens(a, b))
    return any(one and other and one[1] != other[1] for one, other in found)


def paths_differ(a: str, b: str) -> bool:
    """Whether two absolute paths differ, other than in a random suffix of theirs, and not both are of the system."""
    return any(
        _is_path(one)
        and _is_path(other)
        and not has_random_suffix(one, other)
        and not (_SYSTEM_PATH.match(one) and _SYSTEM_PATH.match(other))
        for tokens in changed_tokens(a, b)
        for one, other in zip_longest(*(token.split(":") for token in tokens), fillvalue="")
        if one != other
    )


def _is_path(token: str) -> bool:
    return re.match(r"/[^/]+/", token) is not None


def users_differ(a: str, b: str) -> bool:
    """user@host, with another user; addresses of mail are none. Or a name after a word for it."""
    return _differ_after_word(_USER, a, b) or any(
        one[0] != other[0] and not (one[1] == other[1] and _EMAIL_HOST.fullmatch(one[1]))
        for one, other in _addresses(a, b)
    )


def hosts_differ(a: str, b: str) -> bool:
    """user@host, with another host; a name after a word for it; or the second word of uname -a."""
    if any(one[1] != other[1] for one, other in _addresses(a, b)):
        return True
    return any(_differ_after_word(word, a, b) for word in (_HOST, _UNAME))


def _differ_after_word(word: re.Pattern[str], a: str, b: str) -> bool:
    one, other = word.search(a), word.search(b)
    return bool(one and other and one[1] != other[1] and a[: one.start(1)] == b[: other.start(1)])


def _addresses(a: str, b: str) -> Iterator[tuple[list[str], list[str]]]:
    """Names on both sides of the sign: among bytes of data it stands between anything."""
    for one, other in changed_tokens(a, b):
        found = _USER_AT_HOST.fullmatch(one), _USER_AT_HOST.fullmatch(other)
        if found[0] and found[1]:
            yield list(found[0].groups()), list(found[1].groups())


def names_user_and_host(line: str) -> bool:
    """user@host in a line that one side alone has; addresses of mail are none."""
    return any(
        token.count("@") == 1 and _LONE_ADDRESS.fullmatch(token) and not _EMAIL_HOST.fullmatch(token.split("@")[1])
        for token in tokens_of(line)
    )


def running_kernels_differ(a: str, b: str) -> bool:
    """What uname -a says, of two machines with other kernels."""
    one, other = _UNAME.search(a), _UNAME.search(b)
    return one is not None and other is not None and one["release"] != other["release"]


def module_kernels_differ(a: str, b: str) -> bool:
    """The text by which a kernel module names the kernel it is for."""
    return a != b and "vermagic=" in a and "vermagic=" in b


def cpu_features_differ(a: str, b: str) -> bool:
    """Names of processor features, or the processor to compile for, came, went or changed, and nothing else."""
    if a != b and all(map(_PROCESSOR.search, (a, b))) and _PROCESSOR.sub("", a) == _PROCESSOR.sub("", b):
        return True
    one, other = (set(tokens_of(text)) for text in (a, b))
    return one != other and all(_CPU_FEATURE.fullmatch(token) for token in one ^ other)


def versions_differ(a: str, b: str) -> bool:
    """Two names that are equal without their version numbers."""
    return a != b and _VERSION_NUMBER.sub("", a) == _VERSION_NUMBER.sub("", b)


def search_paths_differ(a: str, b: str) -> bool:
    return a != b and a.lstrip().startswith(("PATH=", "export PATH=")) and "PATH=" in b


def job_counts_differ(a: str, b: str) -> bool:
    """Small numbers that differ in a text about jobs or processors."""
    if not (_JOBS.search(a) and _JOBS.search(b)):
        return False
    changed = list(changed_tokens(a, b))
    return bool(changed) and all(
        re.sub(r"[0-9]+", "", one) == re.sub(r"[0-9]+", "", other) and _NUMBER.search(one) and _NUMBER.search(other)
        for one, other in changed
    )


def umasks_differ(a: str, b: str) -> bool:
    """Umasks by name, or modes of files that differ in what a umask takes away: 755 and 775."""
    changed = list(changed_tokens(a, b))
    if changed and all(_LISTED_MODE.fullmatch(token) for pair in changed for token in pair):
        return all(one[:4] == other[:4] for one, other in changed)
    if re.search(r"chmod|(?:^|\s)-m\b", a):  # a mode that is set, whatever the umask is
        return False
    if not all(re.fullmatch(r"[0-7]{3,4}", token) for pair in changed for token in pair):
        return False
    if "umask" in a.lower() and "umask" in b.lower():
        return bool(changed)
    return bool(changed) and all(only_umask(*pair) and all(token[-3] in "4567" for token in pair) for pair in changed)


def addresses_differ(a: str, b: str) -> bool:
    """Addresses of a process in hexadecimal digits, in both."""
    return any(_ADDRESS.search(one) and _ADDRESS.search(other) for one, other in changed_tokens(a, b))


def time_zones_differ(a: str, b: str) -> bool:
    changed = list(changed_tokens(a, b))
    return any(_ZONE.fullmatch(one) and _ZONE.fullmatch(other) for one, other in changed) and all(
        _ZONE.fullmatch(token) or is_time(token) or (token.isascii() and token.isdigit())
        for pair in changed
        for token in pair
    )


def variables_differ(a: str, b: str) -> bool:
    """A variable that environments have, with another value."""
    first, second = _ENVIRONMENT.match(a), _ENVIRONMENT.match(b)
    return a != b and first is not None and second is not None and first[0] == second[0]


def pointers_differ(a: bytes, b: bytes) -> bool:
    """64-bit numbers that are addresses of a process (0x55..., 0x7f...) in both; the kernel is linked at its own."""
    changed = [pair for pair in words(a, b, _WORD_BYTES) if pair[0] != pair[1]]
    return bool(changed) and all(map(_is_pointer, changed[0]))


def _is_pointer(word: bytes) -> bool:
    return word[6:] == b"\0\0" and word[5] in {0x55, 0x56, 0x7F}


def one_side_is_clear(a: bytes, b: bytes, changed_bytes: int) -> bool:
    """A stretch of zeros in one that is something else in the other."""
    if changed_bytes < _MIN_CLEAR_BYTES or len(a) != len(b):
        return False
    changed = [(one, other) for one, other in zip(a, b, strict=True) if one != other]
    return len(changed) >= _MIN_CLEAR_BYTES and any(not any(side) for side in zip(*changed, strict=True))
