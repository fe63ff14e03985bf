"""What lies in the folders that nginx reads and should not, or should be read and is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.nginx.model.tree import Include, load
from reconcile.nginx.running.discover import HostReader

_LEFTOVER = re.compile(r"(?:~|\.(?:bak|old|orig|save|swp|rej|dpkg-\w+|ucf-\w+|rpm\w+))$|^#.*#$")
_ODD = {b"\xef\xbb\xbf": "a byte order mark", b"\xc2\xa0": "a no-break space"}


class _Lenient(HostReader):
    """What nginx stumbles over is empty here, so that the rest can be looked at."""

    def read(self, path: str) -> bytes:
        try:
            return super().read(path)
        except OSError:
            return b""


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    tree = load(inspection.nginx.config_path, _Lenient(inspection.host))
    for include in tree.includes.values():
        if include.is_glob:
            for path in include.paths:
                yield from _loaded(inspection, include, path)
    for path, file in tree.files.items():
        yield from _odd(path, file.data)


def _loaded(inspection: HostInspection, include: Include, path: str) -> Iterator[RuleResult]:
    name = path.rpartition("/")[2]
    found = inspection.host.files.stat(path)
    if found is None:
        return
    if found.kind == "directory":
        yield error(
            f"{path} is a folder: nginx refuses to load its configuration.",
            f"read as a file because of {include.pattern}",
            fix=f"Move it away: mv {quote(path)} /root/",
        )
    elif found.kind == "symlink" and inspection.host.files.stat(path, follow=True) is None:
        yield error(
            f"{path} leads to nothing: nginx refuses to load its configuration.",
            f"{path} -> {inspection.host.files.readlink(path)}",
            fix=f"rm {quote(path)}",
        )
    elif _LEFTOVER.search(name):
        yield warning(
            f"{path} looks like a leftover, and nginx reads it.",
            "what sorts first wins its names",
            fix=f"Move it away: mv {quote(path)} /root/",
        )


def _odd(path: str, data: bytes) -> Iterator[RuleResult]:
    for mark, called in _ODD.items():
        at = data.find(mark)
        line = 1 + data.count(b"\n", 0, at)
        # In a comment it does no harm.
        if at >= 0 and b"#" not in data[data.rfind(b"\n", 0, at) + 1 : at]:
            yield warning(
                f"{path}:{line} holds {called}, which nginx takes for part of a word.",
                f"bytes {mark.hex(' ')} at offset {at}",
                fix=f"Remove it: {path}:{line}",
            )


RULE = Rule("sites-enabled-hygiene", ("DB2",), check)
