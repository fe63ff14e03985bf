"""Uploads that a deploy deletes: below a static folder, or below the target of rsync --delete."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise

from reconcile.doctor.mapping import Mapped
from reconcile.doctor.model import Rule, Said, error, warning
from reconcile.doctor.snapshot import Snapshot

MOST_BYTES = 256 << 10
SCRIPTS = ("*.sh", "Makefile", "deploy*", "Procfile", "fabfile.py", "justfile")
_PLACES = ("/etc/crontab", "/etc/cron.*/*", "/var/spool/cron/crontabs/*", "/usr/local/bin/*")
# rsync(1): --del, --delete and --delete-before, -during, -delay, -after, -excluded.
_DELETES = re.compile(r"\brsync\b.*\s--del(?:ete(?:-\w+)?)?(?:\s|$)")
_END = re.compile(r"[;&|\n]")


def look(snapshot: Snapshot) -> Iterator[Said]:
    media = [one for one in snapshot.of_role("media") if not one.is_internal]
    if not media:
        return
    for place, target, excluded in _deletions(snapshot):
        for mapped in media:
            if _is_below(mapped.path, target) and not _is_kept(mapped.path, target, excluded):
                yield error(
                    f"A deploy deletes the uploads in {mapped.path}.",
                    f"{place}: rsync --delete to {target}",
                    f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
                    fix=f"Exclude it there (--exclude={mapped.path.removeprefix(target)}/),"
                    " or move the uploads out of the target.",
                )
    yield from _in_static(snapshot, media)


def _in_static(snapshot: Snapshot, media: list[Mapped]) -> Iterator[Said]:
    for mapped in media:
        for static in snapshot.of_role("static"):
            if static.server is mapped.server and _is_below(mapped.path, static.path):
                yield warning(
                    f"Uploads lie in {mapped.path}, inside the static files in {static.path}.",
                    f"{static.place}: {static.directive.name} {static.directive.args[0]};",
                    f"{mapped.place}: {mapped.directive.name} {mapped.directive.args[0]};",
                    fix="Keep them apart: static files are replaced by every deploy.",
                )


def _deletions(snapshot: Snapshot) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every `rsync --delete` that is to be found: where, to what folder, excluding what."""
    for place, text in _texts(snapshot):
        for number, line in enumerate(text.replace("\\\n", " ").splitlines(), 1):
            for command in _END.split(line):
                if _DELETES.search(command) and (found := _parsed(command)):
                    yield f"{place}:{number}", *found


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    files = snapshot.host.files
    for unit in snapshot.units.values():
        yield unit.said.get("FragmentPath") or unit.name, unit.command
    folders = {app.unit.working_directory for app in snapshot.apps} - {"", "/"}
    patterns = (*_PLACES, *(f"{folder}/{name}" for folder in folders for name in SCRIPTS))
    for path in (path for pattern in patterns for path in files.glob(pattern)):
        found = files.stat(path, follow=True)
        if found and found.kind == "file" and found.size <= MOST_BYTES:
            yield path, files.read(path).decode("utf-8", "surrogateescape")


def _parsed(command: str) -> tuple[str, tuple[str, ...]] | None:
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return None
    excluded = tuple(word.partition("=")[2] for word in words if word.startswith("--exclude="))
    spaced = tuple(after for word, after in pairwise(words) if word == "--exclude")
    target = words[-1] if words else ""
    return (target.rstrip("/") or "/", excluded + spaced) if target.startswith("/") else None


def _is_below(path: str, top: str) -> bool:
    return f"{path}/".startswith(top.rstrip("/") + "/")


def _is_kept(path: str, target: str, excluded: tuple[str, ...]) -> bool:
    """Whether one of the folders from the target down to `path` is excluded."""
    inner = path.removeprefix(target).strip("/").split("/")
    ways = ["/".join(inner[: n + 1]) for n in range(len(inner))]
    return any(
        fnmatch.fnmatch(way, word.strip("/")) or fnmatch.fnmatch(name, word.strip("/"))
        for word in excluded
        for way, name in zip(ways, inner, strict=True)
    )


RULE = Rule("media-preserved", ("CL10",), look)
