"""The contents of the single files that `paths` copies."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.planned_entry import Link
from reconcile.system.planned_host import PlannedHost

if TYPE_CHECKING:
    from reconcile.config.outline import ConfigOutline
    from reconcile.filesystem.planned_files import PlannedFiles
    from reconcile.system import Host


_ABSENT = (errno.ENOENT, errno.ENOTDIR)


class SourceFiles(NamedTuple):
    """Path → content; of what must not be published, path → owner."""

    contents: dict[str, bytes]
    private: dict[str, str]


def read_sources(outline: ConfigOutline, host: Host) -> SourceFiles:
    """What the files at `outline.file_sources` will hold once `paths` is as declared.

    What does not exist is left out: the key that names it gives the error its place.
    Errors: HostError where one cannot be read.
    """
    files = PlannedHost(host).files
    for path, target in outline.links.items():
        files.plan(path, Link(target))
    for path, text in outline.contents.items():
        files.plan(path, text.encode("utf-8", "surrogateescape"))
    _plan_copies(outline.copies, files)
    return _read(outline.file_sources, files, host)


def _plan_copies(copies: Mapping[str, str], files: PlannedFiles) -> None:
    """A source may be a copy itself, and that of a further one: until nothing new is read."""
    known: dict[str, bytes] = {}
    for _ in copies:
        read = {path: _publishable_content(files, source) for path, source in copies.items()}
        contents = {path: content for path, content in read.items() if content is not None}
        if contents == known:
            return
        for path, content in contents.items():
            files.plan(path, content)
        known = contents


def _publishable_content(files: PlannedFiles, source: str) -> bytes | None:
    try:
        return files.read_publishable(source)[1]
    except HostError:
        # It may be made by a copy; what is still missing afterwards is reported.
        return None


def _read(paths: Iterable[str], files: PlannedFiles, host: Host) -> SourceFiles:
    found = SourceFiles({}, {})
    for path in paths:
        try:
            facts, content = files.read_publishable(path)
        except HostError as error:
            if error.errno in _ABSENT:
                continue
            raise
        if content is None:
            found.private[path] = host.accounts.user_name(facts.uid)
        else:
            found.contents[path] = content
    return found
