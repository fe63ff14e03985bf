"""What the last apply compiled, kept for plans of the same file on the same host.

Only plans use it, and only where everything that decides it is as it was: an apply that finds
anything to do compiles the file itself. So whoever could change what is kept would change what a
plan shows, and nothing else; and what was changed does not match its own digest, and is compiled
again.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from reconcile import __version__
from reconcile.config.config_file import ConfigFile
from reconcile.config.outline import ConfigOutline
from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.errors import ReconcileError
from reconcile.filesystem.state_dir import StateDir
from reconcile.system import HostSettings
from reconcile.workspace.state_codec import StateCodec

if TYPE_CHECKING:
    from reconcile.config.host_facts import HostFacts
    from reconcile.workspace import Workspace
    from reconcile.workspace.desired_state import DesiredState

NAME = "cache/compiled.json"
_STATE_DIR = re.compile(rb"\bstate_dir:\s*[\"']?([^\s\"',}#]+)")
_LIBRARIES = ("pydantic", "pydantic_core", "yaml", "jinja2")
_PACKAGE = os.path.dirname(os.path.dirname(__file__))


@dataclass(frozen=True)
class KeptState:
    """The outline of a configuration; `facts` is the digest of those that `state` is for."""

    outline: ConfigOutline
    facts: str
    state: Any

    def on(self, facts: HostFacts) -> DesiredState | None:
        """What the configuration desires of a host with these facts, if it was compiled for it."""
        if digest(facts) != self.facts:
            return None
        state: DesiredState = StateCodec(facts.sources).decode(self.state)
        return state


def read_kept(file: ConfigFile) -> KeptState | None:
    """What is kept of this very file; None where that is another, or damaged."""
    folder = _state_dir(file.data)
    try:
        data = StateDir(folder).read(NAME) or b""
        written, _, body = data.partition(b"\n")
        if written.decode() != sha256(body).hexdigest():
            return None
        kept = json.loads(body)
        if kept["key"] != key_of(file):
            return None
        outline = StateCodec({}).decode(kept["outline"])
    except (ReconcileError, KeyError, TypeError, ValueError):
        return None
    if outline.settings.state_dir != folder:
        return None
    return KeptState(outline, kept["facts"], kept["state"])


def keep_state(workspace: Workspace, *, is_changed: bool) -> None:
    """Keep what this workspace compiled. Errors: HostError.

    An apply that changed nothing leaves what is kept of the same file by another name.
    """
    config, host = workspace.config, workspace.host
    if not config.is_plain_file:
        return
    file = ConfigFile(config.file, config.data, config.variables.given)
    codec = StateCodec(workspace.facts.sources)
    body = json.dumps(
        {
            "key": key_of(file),
            "file": _digest_of(file),
            "outline": codec.encode(workspace.outline),
            "facts": digest(workspace.facts),
            "state": codec.encode(workspace.state),
        }
    ).encode()
    data = f"{sha256(body).hexdigest()}\n".encode() + body
    there = host.state.read(NAME) or b""
    if there != data and (is_changed or not _is_by_another_name(there, file)):
        host.state.write(NAME, data)


def _is_by_another_name(there: bytes, file: ConfigFile) -> bool:
    """Whether what is kept is of this file, named from another folder."""
    is_of_file = f'"file": "{_digest_of(file)}"'.encode() in there
    return is_of_file and f'"key": "{key_of(file)}"'.encode() not in there


def key_of(file: ConfigFile) -> str:
    """The digest of what decides the meaning of a file, beside the facts of its host."""
    return digest([_digest_of(file), file.path])


def _digest_of(file: ConfigFile) -> str:
    """The same without the name that the command line gives the file."""
    code = [list(entry) for entry in sorted(_versions())]
    return digest([code, os.path.abspath(file.path), dict(file.variables), file.data])


def _state_dir(data: bytes) -> str:
    """Where the file may keep its state: a guess, which has to be confirmed by what lies there."""
    found = _STATE_DIR.search(data)
    path = found[1].decode("utf-8", "surrogateescape") if found else ""
    return path if path.startswith("/") else HostSettings.state_dir


def _versions() -> Iterator[tuple[str, ...]]:
    """What changes with every change of our own code, or of a library: cheaper than to read it."""
    yield (__version__, sys.version)
    for name in _LIBRARIES:
        found = find_spec(name)
        yield (name, _signature(found.origin or "") if found else "")
    folders = [_PACKAGE]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif entry.name.endswith((".py", ".j2")):
                yield (entry.path, _signature(entry.path))


def _signature(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return ""
    # Not its ctime, which a second hard link changes, too.
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"
