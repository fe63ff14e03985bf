"""The commands of shell scripts, cron tables, units and makefiles, one by one.

No shell is imitated: what stands in a word as a variable nobody set here makes that command unknown
to whoever needs the word.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from posixpath import basename, join, normpath

_END = re.compile(r"&&|\|\||[;&|\n()]")
_REDIRECTION = re.compile(r"\s\d*&?>{1,2}(?:&\d|\s*[^\s;&|]+)|\s\d*<\s*[^\s;&|<]+")
_ASSIGNMENT = re.compile(r"^(?:export\s+|readonly\s+|local\s+)?([A-Za-z_]\w*)=(.*)$", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::?[?-][^}]*)?\}|([A-Za-z_]\w*))")
_WORTH = re.compile(
    r"(?<![\w.-])(?:rsync|rm|git|mv|ln|cp|cd)(?![\w.-])"
    r"|^\s*(?:export\s+|readonly\s+|local\s+)?[A-Za-z_]\w*="
)
"""What a statement needs to be of interest: to read all of them as a shell does takes long."""
_SAYS = frozenset(["echo", "printf", "logger", "alias", "man", "#", ":"])


@dataclass(frozen=True)
class Script:
    """A text with commands; `folder` is where they run, "" where that is not known."""

    place: str
    text: str
    folder: str = ""


@dataclass(frozen=True)
class Command:
    """One command: its place, its words, and the folder that it runs in."""

    place: str
    words: tuple[str, ...]
    folder: str

    def after(self, verb: str) -> tuple[str, ...] | None:
        """The words behind a program's name; None where this does not run it."""
        names = [basename(word.lstrip("@-+")) for word in self.words]
        if verb not in names or not _SAYS.isdisjoint(names[: names.index(verb)]):
            return None
        return self.words[names.index(verb) + 1 :]

    def path(self, word: str) -> str:
        """An absolute path; "" where the word does not tell which."""
        if not word or "$" in word or "`" in word or ":" in word.partition("/")[0]:
            return ""
        whole = word if word.startswith("/") else join(self.folder, word) if self.folder else ""
        return normpath(whole) if whole else ""


def commands(script: Script) -> Iterator[Command]:
    """Every command of a script, in its order; comments are none."""
    known: dict[str, str] = {}
    folder = script.folder
    for number, text in _statements(script) if "\0" not in script.text else ():
        try:
            words = tuple(shlex.split(text, comments=True))
        except ValueError:
            continue
        if not words:
            continue
        if assigned := _ASSIGNMENT.match(" ".join(words)) if len(words) < 3 else None:
            known[assigned[1]] = _filled(assigned[2], known)
            continue
        words = tuple(_filled(word, known) for word in words)
        found = Command(f"{script.place}:{number}", words, folder)
        if (gone := found.after("cd")) is not None:
            folder = found.path(gone[0] if gone else "")
        yield found


def _statements(script: Script) -> Iterator[tuple[int, str]]:
    number = 1
    for line in script.text.replace("\\\n", "\0").splitlines():
        whole = _REDIRECTION.sub(" ", line.replace("\0", " "))
        if _WORTH.search(whole):
            yield from ((number, text) for text in _END.split(whole) if _WORTH.search(text))
        number += 1 + line.count("\0")


def _filled(word: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[0]), word)


def of_python(script: Script) -> Iterator[Script]:
    """The texts in a Python file, as a fabfile hands them to a shell."""
    try:
        tree = ast.parse(script.text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # As many lines on as it stands down there: evidence names the line.
            yield replace(script, text="\n" * (node.lineno - 1) + node.value, folder="")
