"""Leftovers, folders and broken links that nginx loads as configuration, and invisible bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.config_tree import Include
from reconcile.nginx.running.discover import HostReader

_LEFTOVER = re.compile(r"(?:~|\.(?:bak|old|orig|save|swp|rej|dpkg-\w+|ucf-\w+|rpm\w+))$|^#.*#$")
_INVISIBLE = {b"\xef\xbb\xbf": "a byte order mark", b"\xc2\xa0": "a no-break space"}


class _LenientReader(HostReader):
    """Reads a file that nginx cannot read as an empty one, so that the rest can be checked."""

    def read(self, path: str) -> bytes:
        """The content of a file; empty where it cannot be read."""
        try:
            return super().read(path)
        except OSError:
            return b""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Check every name that a wildcard include loads, and the bytes of every file."""
    path = inspection.nginx.installation.config_path
    tree = load(path, _LenientReader(inspection.host))
    for include in tree.includes.values():
        if include.is_glob:
            for path in include.paths:
                yield from _check_included(inspection, include, path)
    for path, file in tree.files.items():
        yield from _invisible_bytes(path, file.data)


def _check_included(
    inspection: HostInspection, include: Include, path: str
) -> Iterator[RuleResult]:
    files, name = inspection.host.files, path.rpartition("/")[2]
    found = files.stat(path)
    if found is None:
        return
    if found.kind == "directory":
        yield error(
            f"{path} is a folder: nginx rejects its configuration.",
            f"loaded as a file by include {include.pattern}",
            fix=f"mv {quote(path)} /root/",
        )
    elif found.kind == "symlink" and files.stat(path, follow=True) is None:
        yield error(
            f"{path} is a broken link: nginx rejects its configuration.",
            f"{path} -> {files.readlink(path)}",
            fix=f"rm {quote(path)}",
        )
    elif _LEFTOVER.search(name):
        yield warning(
            f"{path} seems to be a leftover, and nginx loads it.",
            "of two servers with the same name, the file that sorts first wins",
            fix=f"mv {quote(path)} /root/ && systemctl reload nginx",
        )


def _invisible_bytes(path: str, data: bytes) -> Iterator[RuleResult]:
    for mark, name in _INVISIBLE.items():
        at = data.find(mark)
        line = 1 + data.count(b"\n", 0, at)
        # In a comment it does no harm.
        if at >= 0 and b"#" not in data[data.rfind(b"\n", 0, at) + 1 : at]:
            yield warning(
                f"{path}:{line} contains {name}, which nginx reads as part of a word.",
                f"bytes {mark.hex(' ')} at offset {at}",
                fix=f"Remove it: {path}:{line}",
            )


RULE = Rule(
    id="sites-enabled-hygiene",
    summary="nginx loads leftovers, folders, broken links or invisible bytes as configuration.",
    severity="error",
    help=(
        "A wildcard include loads every name, backups as well. Keep them out of the "
        "folders that nginx reads."
    ),
    reads=("configuration", "files"),
    guide_rows=("DB2",),
    check=check,
)
