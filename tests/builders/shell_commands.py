"""Shell scripts taken apart into simple commands, as far as a lint needs it: pipes, background, substitutions, quotes, `case`.

Not a shell: words are kept as they are written, and what is inside $(...), `...`, <(...) and (...) becomes commands of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENING = {"(": ")", "`": "`"}


@dataclass(frozen=True)
class Command:
    """`text` is one simple command with its redirections, `reads` the command whose output is its input ('' without a pipe).

    `ends` is what separates it from the next: '|', '&', '&&', '||', ';' or a newline. `inside` is the substitution it is in ('$(', '<(', '>(' or '').
    """

    text: str
    line: int
    reads: str
    ends: str
    inside: str

    @property
    def words(self) -> list[str]:
        return self.text.split()


def commands(script: str) -> list[Command]:
    """All simple commands of a script, inner ones first, with their lines (from 1)."""
    reader = _Reader(_without_here_documents(script))
    reader.read("", "")
    return reader.found


def _without_here_documents(script: str) -> str:
    """The same lines, those of here-documents empty."""
    out, ends = [], ""
    for line in script.split("\n"):
        if ends:
            ends = "" if line.strip("\t") == ends else ends
            out.append("")
            continue
        match = re.search(r"<<-?\s*(['\"]?)(\w+)\1", line)
        if match and not re.match(r"\s*#", line) and "<<<" not in line:
            ends = match[2]
        out.append(line)
    return "\n".join(out)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.found = text, 0, list[Command]()

    @property
    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def ahead(self, count: int = 1) -> str:
        return self.text[self.at : self.at + count]

    def read(self, closing: str, inside: str) -> None:
        """Commands until `closing` (which is passed) or the end."""
        words, reads, start = "", "", self.line
        while self.at < len(self.text):
            one, two = self.ahead(), self.ahead(2)
            if one == closing and closing:
                self._add(words, start, reads, closing, inside)
                self.at += 1
                return
            if not words.strip():
                start, words = self.line, words.strip()
            if words.strip().startswith("case ") and re.search(r"\sin\s$", words + one):
                self._add(words, start, "", ";", inside)
                words = ""
                self._pattern()
            elif two == ";;":
                self._add(words, start, reads, ";", inside)
                self.at += 2
                words, reads = "", ""
                self._pattern()
            elif two in ("&&", "||") or (one in "|;\n" and one) or (one == "&" and not self._is_redirection()):
                operator = two if two in ("&&", "||") else one
                self.at += len(operator) + (two == "|&")
                if operator == "\n" and not words.strip():
                    continue  # after an operator a line may end
                self._add(words, start, reads, operator, inside)
                reads = words.strip() if operator == "|" else ""
                words = ""
            elif one == "#" and (not words or words[-1].isspace()):
                self.at = self._find("\n")
            else:
                words += self._word(two)
        self._add(words, start, reads, "\n", inside)

    def _add(self, words: str, line: int, reads: str, ends: str, inside: str) -> None:
        if words.strip():
            self.found.append(Command(" ".join(words.split()), line, " ".join(reads.split()), ends, inside))

    def _is_redirection(self) -> bool:
        """`>&`, `<&`, `&>`."""
        return self.text[self.at - 1 : self.at] in ("<", ">") or self.ahead(2) == "&>"

    def _find(self, what: str) -> int:
        place = self.text.find(what, self.at)
        return len(self.text) if place < 0 else place

    def _pattern(self) -> None:
        """Pass the pattern of a branch of `case`; not `esac`."""
        while match := re.compile(r"\s+|#[^\n]*").match(self.text, self.at):
            self.at = match.end()
        if re.compile(r"esac\b").match(self.text, self.at):
            return
        self.at += self.ahead() == "("
        while self.at < len(self.text) and self.ahead() != ")":
            self._word(self.ahead(2))
        self.at += 1

    def _word(self, two: str) -> str:
        """Pass one piece of a word, and return it as it is written; commands in it are found."""
        begin, one = self.at, two[:1]
        if two == "\\\n":
            self.at += 2
            return " "
        if one == "\\":
            self.at += 2
        elif one == "'":
            self.at += 1
            self.at = self._find("'") + 1
        elif one == '"':
            self.at += 1
            while self.at < len(self.text) and self.ahead() != '"':
                self._quoted()
            self.at += 1
        elif two in ("$(", "<(", ">(") or one in _OPENING or two == "${":
            self._quoted() if two == "${" else self._inner(two)
        else:
            self.at += 1
        return self.text[begin : self.at]

    def _quoted(self) -> None:
        """Pass one piece of what is between double quotes."""
        two = self.ahead(2)
        if two == "${":
            self.at += 2
            while self.at < len(self.text) and self.ahead() != "}":
                self._quoted()
            self.at += 1
        elif two == "$(" or two[:1] == "`":
            self._inner(two)
        else:
            self.at += 2 if two[:1] == "\\" else 1

    def _inner(self, two: str) -> None:
        if self.ahead(3) == "$((":
            self.at = min(self._find("))") + 2, len(self.text))
            return
        opening = two if two in ("$(", "<(", ">(") else two[:1]
        self.at += len(opening)
        inside = "$(" if opening == "`" else opening if len(opening) > 1 else ""
        self.read(_OPENING[opening[-1]], inside)
