"""Refuses what can make the result of a build depend on timing, on the machine, or on a failure that nobody sees.

Each rule has a name; tests plant a script for each, and run the rules over every script of mkosi/, nix/ and scripts/.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from builders.shell_commands import Command, commands

# May stand in front of a command, and change nothing of what is asked here.
_WRAPPERS = {"{", "!", "if", "then", "elif", "else", "do", "time", "command", "exec", "env", "nice", "sudo", "busybox"}  # fmt: skip
_GREP = {"grep", "egrep", "fgrep", "zgrep", "rg"}
_SED, _AWK = {"sed", "gsed"}, {"awk", "gawk", "mawk", "nawk"}
# Read no more than they need, or nothing at all.
_LEAVE_EARLY = {"head", "read", "cmp", "true", ":", "test", "[", "[[", "false", "exit", "return", "dd", "timeout", "less", "more", "mapfile", "readarray", "line"}  # fmt: skip
# As the first of a pipe in a shell without pipefail: their failing would have been seen before, or is only a message.
_CANNOT_FAIL = {"printf", "echo", "tail"}
# find -exec: the order in which they are called changes nothing.
_ANY_ORDER = {"chmod", "chown", "touch", "rm", "rmdir", "mv", "mkdir", "truncate"}
# What they write follows the order of what they are given.
_IN_ORDER = {
    "cat",
    "tar",
    "cpio",
    "paste",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "md5sum",
    "zip",
    "ar",
    "ld",
    "cc",
    "gcc",
}
_LISTINGS = {"glob", "rglob", "iglob", "iterdir", "listdir", "scandir", "walk"}
_CHANCE = {"asyncio", "concurrent", "multiprocessing", "random", "secrets", "threading", "time"}
_LOOPS = {"while", "until", "for"}


@dataclass(frozen=True)
class Fault:
    """A line of a script, and the rule that it breaks."""

    line: int
    rule: str
    text: str


def lint_shell(script: str, *, builds: bool) -> list[Fault]:
    """`builds`: the script makes bytes of an image or of the environment, so it must not ask for the time either."""
    found = [_Script(script, builds=builds).of(command) for command in commands(script)]
    faults = [fault for group in found for fault in group]
    code = "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in script.splitlines())
    outer = [command for command in commands(script) if not command.inside]
    goes_on = any(command.ends in (";", "\n") for command in outer[:-1])
    if goes_on and not re.search(r"^\s*set -[a-z]*e|^#!.* -[a-z]*e", script, re.MULTILINE):
        faults.append(Fault(1, "goes on after a failure", "no `set -e`"))
    faults += [
        Fault(command.line, "goes on after a failure", command.text)
        for command in commands(script)
        if re.match(r"set \+([a-z]*e\b|o (pipefail|errexit))", command.text)
    ]
    if any(command.ends == "&" for command in commands(script)) and not re.search(r"\bwait\b", code):
        faults.append(Fault(1, "nobody waits for the background", "`&` without `wait`"))
    return sorted(set(faults), key=lambda fault: (fault.line, fault.rule))


class _Script:
    def __init__(self, script: str, *, builds: bool) -> None:
        self.text, self.builds, self.all = script, builds, commands(script)
        self.pipefail = bool(re.search(r"^\s*set -[a-z]*o pipefail|^\s*set -o pipefail", script, re.MULTILINE))
        self.has_c_locale = bool(re.search(r"\bLC_ALL=C(\s|$)", script, re.MULTILINE))

    def of(self, command: Command) -> list[Fault]:
        rules = {
            "a pipe into what may leave early": self._leaves_early(command),
            "a pipe hides a failure": self._hides_failure(command),
            "the order of a folder": self._folder_order(command),
            "an order that follows the locale": self._locale_order(command),
            "by the clock, by chance or side by side": self.builds and self._by_chance(command),
        }
        return [Fault(command.line, rule, command.text) for rule, broken in rules.items() if broken]

    def _leaves_early(self, command: Command) -> bool:
        if not command.reads:
            return False
        words = _bare(command)
        return bool(words) and (_may_leave(words) or self._loop_leaves(command) or self._function_leaves(words[0]))

    def _loop_leaves(self, command: Command) -> bool:
        """`| while read ...; do ...; break; done`, and a group whose commands leave."""
        if command.words[0] not in _LOOPS | {"{"}:
            return False
        depth, closing = 0, {"done", "}"}
        for later in self.all[self.all.index(command) :]:
            depth += sum(word in _LOOPS | {"{"} for word in later.words[:1])
            if later.words[0] in closing:
                depth -= 1
            if depth <= 0:
                return False
            if {"break", "exit", "return"} & set(later.words):
                return True
        return False

    def _function_leaves(self, name: str) -> bool:
        body = re.search(
            rf"^\s*(?:function )?{re.escape(name)} ?\(\) ?\{{(.*?)^\s*\}}", self.text, re.MULTILINE | re.DOTALL
        )
        return body is not None and any(_may_leave(_bare(one)) for one in commands(body[1])[:1] if _bare(one))

    def _hides_failure(self, command: Command) -> bool:
        """A writer whose exit status is lost: a substitution of processes, a pipe without pipefail, an assignment by `local`."""
        if command.inside in ("<(", ">("):
            return True
        if re.match(r"(local|export|readonly|declare|typeset)\b.*=\"?(\$\(|`)", command.text):
            return True
        first = _bare(command)[:1]
        return command.ends == "|" and not self.pipefail and not set(first) <= _CANNOT_FAIL and not command.reads

    def _folder_order(self, command: Command) -> bool:
        words = _bare(command)
        if words[:1] == ["ls"]:
            return command.ends == "|" or command.inside == "$("
        if words[:1] != ["find"] or "-delete" in words:
            return False
        run = re.search(r"-(?:exec|execdir|ok) (\S+)", command.text)
        if run:
            return run[1].rpartition("/")[2] not in _ANY_ORDER
        if self._sorted_later(command):
            return False
        reads_it = [other for other in self.all if other.reads == command.text]
        return (command.inside == "$(" and not reads_it) or (
            bool(reads_it) and not all(_bare(one)[:1] == ["sort"] for one in reads_it)
        )

    def _sorted_later(self, command: Command) -> bool:
        """`names=$(find ...)`, and a pipe of "$names" into sort: where there is no pipefail, find gets a line of its own."""
        kept = re.search(rf"(\w+)=\"?\$\({re.escape(command.text[:20])}", self.text)
        return kept is not None and re.search(rf'"\${kept[1]}" \| (LC_ALL=C )?sort', self.text) is not None

    def _locale_order(self, command: Command) -> bool:
        if self.has_c_locale:
            return False
        words = _bare(command)
        if set(words[:1]) & {"sort", "comm", "join", "ls"}:
            return True
        globs = re.search(r"[*?]", re.sub(r"\"[^\"]*\"|'[^']*'", "", command.text))
        is_list = (
            command.words[:1] == ["for"]
            or bool(re.match(r"\w+\+?=$", command.text))
            or bool(re.match(r"\w+=\(", command.text))
            or bool(set(words[:1]) & _IN_ORDER)
        )
        return self.builds and bool(globs) and is_list

    def _by_chance(self, command: Command) -> bool:
        words = _bare(command)
        if set(words[:1]) & {"date", "shuf", "uuidgen", "sleep", "parallel", "coproc", "nohup", "timeout", "disown"}:
            return True
        if words[:1] == ["xargs"] and re.search(r"\s(-P|--max-procs)", command.text):
            return True
        if words[:1] in (["wait"], ["read"]) and re.search(r"\s-[a-z]*[nt]\b", command.text):
            return True  # whoever ends first; what came in time
        return bool(
            re.search(r"\$\$|\$\{?(RANDOM|SRANDOM|SECONDS|EPOCH\w*|BASHPID|PPID)\b|/dev/u?random", command.text)
        )


def _bare(command: Command) -> list[str]:
    """Its words without assignments and wrappers in front; the program without its folder."""
    words = command.text.split()
    while words and (words[0] in _WRAPPERS or re.match(r"\w+=", words[0])):
        words = words[1:]
    return [words[0].rpartition("/")[2] or words[0], *words[1:]] if words else []


def _may_leave(words: list[str]) -> bool:
    name, rest = words[0], " ".join(words[1:])
    if name in _GREP:
        return bool(re.search(r"(^|\s)(-[a-zA-Z]*[qmlL]|--(quiet|silent|max-count|files-with))", rest))
    if name in _SED:
        return bool(re.search(r"(^|[\s'\";{}0-9$/])[qQ]\d*\s*([;}'\"]|$)", rest))
    if name in _AWK:
        return "exit" in rest
    return name in _LEAVE_EARLY


def lint_python(source: str) -> list[Fault]:
    """A program of the build: folders are sorted, and nothing runs side by side or by the clock."""
    tree = ast.parse(source)
    sorted_calls = {id(argument) for node in ast.walk(tree) if _is_sorting(node) for argument in _arguments(node)}
    faults = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _LISTINGS and id(node) not in sorted_calls:
            faults.append(Fault(node.lineno, "the order of a folder", ast.unparse(node)))
        if isinstance(node, ast.Import | ast.ImportFrom) and _modules(node) & _CHANCE:
            faults.append(Fault(node.lineno, "by the clock, by chance or side by side", ast.unparse(node)))
    return faults


def _modules(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}


def _is_sorting(node: ast.AST) -> bool:
    """sorted(...), or a tuple that has one element and fails with any other number."""
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], ast.Tuple) and len(node.targets[0].elts) == 1
    return isinstance(node, ast.Call) and _name(node.func) == "sorted"


def _arguments(node: ast.AST) -> list[ast.AST]:
    return [node.value] if isinstance(node, ast.Assign) else list(node.args) if isinstance(node, ast.Call) else []


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
