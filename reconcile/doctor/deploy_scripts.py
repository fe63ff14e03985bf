"""Finds commands in scripts that delete files: rsync --delete and git clean.

It is no shell: a command with a variable that the script itself does not set is left out.
Source: rsync(1), git-clean(1).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from posixpath import basename, join, normpath

from reconcile.filesystem.path import is_inside

_END = re.compile(r"&&|\|\||[;&|()]")
_REDIRECTION = re.compile(r"\s\d*&?>{1,2}(?:&\d|\s*[^\s;&|]+)|\s\d*<\s*[^\s;&|<]+")
_ASSIGNMENT = re.compile(r"^(?:(?:export|readonly|local) )?([A-Za-z_]\w*)=(\S*)$")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_RELEVANT = re.compile(r"(?<![\w.-])(?:rsync|git|cd)(?![\w.-])|^\s*(?:\w+\s+)?[A-Za-z_]\w*=")
"""A quick test of which statements are worth the slow shlex.split."""
_QUOTING = frozenset(["echo", "printf", "logger", "alias", "man", "#", ":"])

_DELETE = re.compile(r"--del(?:ete(?:-\w+)?)?")
_WITH_VALUE = re.compile(
    r"-[a-zA-Z]*[efTBC]|--(?:rsh|filter|(?:ex|in)clude(?:-from)?|files-from|rsync-path|log-file"
    r"|chown|chmod|timeout|password-file|bwlimit|(?:link|backup|compare|copy)-d(?:est|ir)|suffix)"
)
_PROTECT = re.compile(r"(?:P|protect|-|exclude|H|hide)(?:,\S*)?\s+(.*)")
_LISTED = ("--exclude-from", "--filter=merge", "--filter=.", "-F", "-C", "--cvs-exclude")


@dataclass(frozen=True)
class Deletion:
    """A command that deletes files in `target`, except the patterns in `kept`.

    `command` is its short form for people.
    """

    place: str
    command: str
    target: str
    kept: tuple[str, ...] = ()

    def deletes(self, path: str) -> bool:
        """Whether it deletes the folder `path`: it is in the target, and no pattern keeps it."""
        below = path.removeprefix(self.target.rstrip("/")).strip("/")
        return is_inside(path, self.target) and not (
            below and any(_matches_folder(pattern, below) for pattern in self.kept)
        )


def _matches_folder(pattern: str, below: str) -> bool:
    """Whether a pattern (`media/***`, `/media`, `*/media`) matches a folder of `below`."""
    names, word = below.split("/"), re.sub(r"/\*+$", "", pattern).strip("/").split("**/")[-1]
    ways = ("/".join(names[: n + 1]) for n in range(len(names)))
    return any(fnmatchcase(found, word) for found in (*names, *ways))


def deletions(place: str, text: str, folder: str = "") -> Iterator[Deletion]:
    """The deletions of a script that runs in `folder`, "" where that is unknown."""
    for number, words, inside in _commands(text, folder):
        for verb, read in (("rsync", _rsync), ("git", _git)):
            if (rest := _arguments_of(verb, words)) is not None:
                for command, target, kept in read(rest):
                    if path := _path(target, inside):
                        yield Deletion(f"{place}:{number}", f"{command} {path}", path, kept)


def _commands(text: str, folder: str) -> Iterator[tuple[int, list[str], str]]:
    """Line, words and folder of every relevant command."""
    known: dict[str, str] = {}
    for number, statement in _statements(text):
        try:
            words = shlex.split(statement, comments=True)
        except ValueError:
            continue
        if assigned := _ASSIGNMENT.match(" ".join(words)):
            known[assigned[1]] = _expanded(assigned[2], known)
            continue
        words = [_expanded(word, known) for word in words]
        if (target := _arguments_of("cd", words)) is not None:
            folder = _path(target[0], folder) if target else ""
        yield number, words, folder


def _statements(text: str) -> Iterator[tuple[int, str]]:
    number = 1
    for line in text.replace("\0", "").replace("\\\n", "\0").splitlines():
        for statement in _END.split(_REDIRECTION.sub(" ", line.replace("\0", " "))):
            if _RELEVANT.search(statement):
                yield number, statement
        number += 1 + line.count("\0")


def _expanded(word: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[0]), word)


def _arguments_of(verb: str, words: list[str]) -> list[str] | None:
    """The arguments of a program; None where the command does not run it."""
    names = [basename(word.lstrip("@-+")) for word in words]
    if verb not in names or not _QUOTING.isdisjoint(names[: names.index(verb)]):
        return None
    return words[names.index(verb) + 1 :]


def _path(word: str, folder: str) -> str:
    """`word` as an absolute path of this machine; "" where it is none, or is unknown."""
    if not word or "$" in word or "`" in word or ":" in word.partition("/")[0]:
        return ""
    return normpath(join(folder, word)) if folder or word.startswith("/") else ""


def _rsync(words: list[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    deletes = [word for word in words if _DELETE.fullmatch(word)]
    if not deletes or _has(words, "n", "--dry-run") or any(w.startswith(_LISTED) for w in words):
        return
    *sources, target = _operands(words) or [""]
    rules = (*_option_values(words, "--filter"), *_option_values(words, "-f"))
    kept = tuple(found[1] for rule in rules if (found := _PROTECT.fullmatch(rule)))
    if "--delete-excluded" not in deletes:
        kept += _option_values(words, "--exclude")
    for source in sources:
        # Without a slash at its end the folder itself is copied, into the target.
        whole = source.endswith(("/", "/.")) or source == "."
        into = target if whole else join(target, basename(source))
        yield f"rsync {deletes[0]} to", into, kept


def _git(words: list[str]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if "clean" not in words:
        return
    before, own = words[: words.index("clean")], words[words.index("clean") + 1 :]
    is_whole = _has(own, "x") or _has(own, "X")
    if not (is_whole and _has(own, "d") and _has(own, "f", "--force")) or _has(
        own, "n", "--dry-run"
    ):
        return
    kept = (*_option_values(own, "-e"), *_option_values(own, "--exclude"))
    folder = next(iter(_option_values(before, "-C")), ".")
    for word in _operands(own, re.compile("-e|--exclude")) or ["."]:
        yield "git clean -fdx in", join(folder, word), kept


def _has(words: list[str], letter: str, long: str = "") -> bool:
    """Whether an option is given, alone or among others behind one dash."""
    short = (word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    return bool(long and long in words) or any(letter in letters for letters in short)


def _option_values(words: list[str], option: str) -> tuple[str, ...]:
    """The values of an option, as separate words or behind "="."""
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    return (*joined, *(after for word, after in pairwise(words) if word == option))


def _operands(words: list[str], with_value: re.Pattern[str] = _WITH_VALUE) -> list[str]:
    """The words that are neither options nor their values."""
    pairs = pairwise(("", *words))
    return [w for before, w in pairs if not w.startswith("-") and not with_value.fullmatch(before)]
