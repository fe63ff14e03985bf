"""Where to correct a configuration that nginx rejects: in the YAML, or in another file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.nginx.model.listen import listens_of
from reconcile.nginx.render.site_config import extra_line
from reconcile.nginx.running.loaded_config import real_path
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink

if TYPE_CHECKING:
    from reconcile.engine.model import Change
    from reconcile.nginx.model.config_tree import ConfigTree
    from reconcile.nginx.running.config_test import NginxRejected
    from reconcile.system import Host

_SECOND_DEFAULT = re.compile(r"a duplicate default server for (\S+)")
Written = Mapping[str, "Change"]
"""The changes that write files of nginx, by the name under which it opens them."""


def with_places(
    host: Host, refused: NginxRejected, changes: Sequence[Change], tree: ConfigTree | None
) -> NginxRejected:
    """The same error; its fix names the place in the YAML, or the file that contradicts it."""
    written = dict(_written_files(changes))
    file = real_path(host, refused.file) if refused.file else ""
    change = written.get(refused.file) or written.get(file)
    default = _SECOND_DEFAULT.search(refused.why)
    if refused.is_planned and default and tree:
        fix = _fix_default(tree, default[1], written)
    elif change and change.positions:
        fix = f"Correct {_position_in_yaml(change, refused.line)}."
    elif refused.is_planned and not refused.file and written:
        fix = f"Correct {_places(written)}."
    elif refused.is_planned and written and not change:
        place = f"{refused.file}:{refused.line}"
        fix = f"It contradicts {_places(written)}: correct {place} or that."
    else:
        return refused
    refused.fix = f"{fix} Nothing was changed."
    return refused


def _written_files(changes: Sequence[Change]) -> Iterator[tuple[str, Change]]:
    files = {change.ref.name: change for change in changes if change.ref.kind == "file"}
    yield from files.items()
    for change in changes:
        if isinstance(change.after, Symlink) and change.after.target in files:
            yield change.after.path, files[change.after.target]


def _position_in_yaml(change: Change, line: int) -> str:
    places = " and ".join(str(place) for place in change.positions)
    content = change.after.content if isinstance(change.after, File) else None
    number = extra_line(content or b"", line)
    return f"line {number} of `extra` of the site at {places}" if number else places


def _places(written: Written) -> str:
    places = (str(place) for change in written.values() for place in change.positions)
    return " or ".join(dict.fromkeys(places)) or "what it changes"


def _fix_default(tree: ConfigTree, address: str, written: Written) -> str:
    """Both servers that want to be the default of an address, and what to do with each."""
    places = [
        one.place
        for one in listens_of(tree)
        if one.default_server and str(one.address) == address and one.place
    ]
    steps = [_step(place, written) for place in dict.fromkeys(places)]
    return f"Only one server can be the default of {address}: {', or '.join(steps)}."


def _step(place: str, written: Written) -> str:
    file = place.rpartition(":")[0]
    change = written.get(file)
    if change and change.positions:
        return f"remove default_server at {' and '.join(map(str, change.positions))}"
    whole = f" (or the whole site: rm {quote(file)})" if "/sites-enabled/" in file else ""
    return f"remove default_server at {place}{whole}"
