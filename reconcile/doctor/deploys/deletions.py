"""Commands that take whole folders away: what, from where, and what they spare.

Source: rsync(1), rm(1), git-clean(1), mv(1), ln(1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from posixpath import basename, join
from typing import Literal

from reconcile.doctor.deploys.scripts import Command

Kind = Literal["deletes", "replaces", "moves"]
_DELETE = re.compile(r"^--del(?:ete(?:-\w+)?)?$")
_WITH_VALUE = re.compile(
    r"-[a-zA-Z]*[efTB]|--(?:rsh|filter|(?:ex|in)clude(?:-from)?|files-from|rsync-path|log-file|chown"
    r"|chmod|timeout|password-file|bwlimit|(?:link|backup|compare|copy)-d(?:est|ir)|suffix)"
)
_NO_VALUE, _EXCLUDES = re.compile(r"(?!)"), re.compile(r"-e|--exclude")
_PROTECT = re.compile(r"^(?:P|protect|-|exclude|H|hide)(?:,\S*)?\s+(.*)$")
_LISTED = ("--exclude-from", "--filter=merge", "--filter=.", "-F", "-C", "--cvs-exclude")


@dataclass(frozen=True)
class Deletion:
    """`target` is the folder (or a pattern for such), `kept` the names in it that stay.

    `certain`: the command is for deploys alone. `told` is the command as people know it.
    """

    kind: Kind
    place: str
    told: str
    target: str
    kept: tuple[str, ...] = ()
    certain: bool = False

    def hit(self, path: str) -> str:
        """The folder that goes and has `path` in it, "" where none does."""
        top = "/".join(path.split("/")[: self.target.rstrip("/").count("/") + 1]) or "/"
        if not fnmatchcase(top, self.target.rstrip("/") or "/"):
            return ""
        inner = path.removeprefix(top).strip("/")
        return "" if inner and self._spares(inner) else top

    def _spares(self, inner: str) -> bool:
        """Whether one of the folders from the target down to there is left out."""
        names = inner.split("/")
        ways = ["/".join(names[: n + 1]) for n in range(len(names))]
        return any(
            fnmatchcase(way, word.strip("/")) or fnmatchcase(name, word.strip("/").split("**/")[-1])
            for word in map(_plain, self.kept)
            for way, name in zip(ways, names, strict=True)
        )


def _plain(pattern: str) -> str:
    """`media/***`, `media/**` and `media/*` all spare what is in media."""
    return re.sub(r"/\*+$", "", pattern)


def deletions(command: Command) -> Iterator[Deletion]:
    """What one command takes away."""
    for verb, look in _VERBS.items():
        words = command.after(verb)
        if words is not None:
            yield from look(command, words)
            return


def _rsync(command: Command, words: tuple[str, ...]) -> Iterator[Deletion]:
    deletes = [word for word in words if _DELETE.match(word)]
    if not deletes or _has(words, "n", "--dry-run") or any(w.startswith(_LISTED) for w in words):
        return
    *sources, target = _operands(words, _WITH_VALUE) or ("",)
    spared = _protected(words)
    if "--delete-excluded" not in deletes:
        spared += _values(words, "--exclude")
    for source in sources:
        # Without a slash at its end the folder itself is copied, into the target.
        into = (
            target
            if source.endswith(("/", "/.")) or source == "."
            else join(target, basename(source))
        )
        if path := command.path(into):
            told = f"rsync {deletes[0]} to {path}"
            yield Deletion("deletes", command.place, told, path, spared, certain=True)


def _protected(words: tuple[str, ...]) -> tuple[str, ...]:
    rules = _values(words, "--filter") + _values(words, "-f")
    found = (_PROTECT.match(rule) for rule in rules)
    return tuple(match[1] for match in found if match)


def _rm(command: Command, words: tuple[str, ...]) -> Iterator[Deletion]:
    if _has(words, "r", "--recursive") or _has(words, "R"):
        for word in _operands(words):
            if path := command.path(word):
                # What begins with a dot stays, and no uploads do.
                target = path.removesuffix("/*") or "/"
                yield Deletion("deletes", command.place, f"rm -r {path}", target)


def _git(command: Command, words: tuple[str, ...]) -> Iterator[Deletion]:
    if "clean" not in words:
        return
    before, own = words[: words.index("clean")], words[words.index("clean") + 1 :]
    is_sure = _has(own, "f", "--force") and _has(own, "d")
    if not is_sure or not (_has(own, "x") or _has(own, "X")) or _has(own, "n", "--dry-run"):
        return
    folder = next(iter(_values(before, "-C")), ".")
    kept = _values(own, "-e") + _values(own, "--exclude")
    for word in _operands(own, _EXCLUDES) or (".",):
        if path := command.path(join(folder, word)):
            yield Deletion("deletes", command.place, f"git clean -fdx in {path}", path, kept)


def _mv(command: Command, words: tuple[str, ...]) -> Iterator[Deletion]:
    *sources, target = _operands(words) or ("",)
    for source in sources:
        if path := command.path(source):
            yield Deletion("moves", command.place, f"mv {path}", path)
    if path := command.path(target):
        yield Deletion("replaces", command.place, f"mv {' '.join(sources)} {path}", path)


def _ln(command: Command, words: tuple[str, ...]) -> Iterator[Deletion]:
    operands = _operands(words)
    replaces = _has(words, "s", "--symbolic") and _has(words, "f", "--force")
    path = command.path(operands[1]) if replaces and len(operands) == 2 else ""
    if path:
        yield Deletion("replaces", command.place, f"ln -sfn {operands[0]} {path}", path)


_VERBS = {"rsync": _rsync, "git": _git, "rm": _rm, "mv": _mv, "ln": _ln}


def put_back(command: Command) -> tuple[str, ...]:
    """Where a command puts something: the target, or what it becomes in it."""
    for verb in ("mv", "cp", "rsync"):
        if (words := command.after(verb)) is not None:
            *sources, target = _operands(words, _WITH_VALUE) or ("",)
            path = command.path(target)
            names = (basename(source.rstrip("/")) for source in sources)
            return (path, *(join(path, name) for name in names)) if path else ()
    return ()


def _has(words: tuple[str, ...], letter: str, long: str = "") -> bool:
    """Whether an option is given, alone or among others behind one dash."""
    short = (word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    return bool(long and long in words) or any(letter in letters for letters in short)


def _values(words: tuple[str, ...], option: str) -> tuple[str, ...]:
    """The values of an option, be they words of their own or behind "="."""
    joined = [word.partition("=")[2] for word in words if word.startswith(f"{option}=")]
    spaced = [after for word, after in pairwise(words) if word == option]
    return (*joined, *spaced)


def _operands(words: tuple[str, ...], with_value: re.Pattern[str] = _NO_VALUE) -> tuple[str, ...]:
    """The words that are neither options nor values of such."""
    return tuple(
        word
        for before, word in pairwise(("", *words))
        if not word.startswith("-") and not with_value.fullmatch(before)
    )
