"""A small host in one folder of memory: real files, and a modelled systemd and nginx."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from reconcile.config.config import Config
from reconcile.config.host_facts import HostFacts
from reconcile.config.load import load_bytes
from reconcile.engine.apply_report import Report, discard_event
from reconcile.engine.history import Actor
from reconcile.engine.model import Plan
from reconcile.engine.rollback import rollback_applies
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.engine.selection import Selection
from reconcile.filesystem.path import ancestors, is_inside
from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.applying import ApplyOptions, apply_plan, locked
from reconcile.workspace.planning import plan_changes
from tests.support.disk import picture
from tests.support.modelled_systemd import NGINX, ModelledSystemd, modelled

Yaml = dict[str, Any]
Event = tuple[str, ...]
"""Something that happens to the host between two applies: a verb and its arguments."""

BY = Actor("tester", "reconcile rollback")

ROOT = "@"
"""Stands for the folder of the host, in YAMLs and in events."""

NGINX_CONF = """\
user www-data;
pid {root}/nginx.pid;
error_log {root}/nginx.log;
events {{}}
http {{
    include {root}/nginx/conf.d/*.conf;
    include {root}/nginx/sites-enabled/*;
}}
"""
WEB_UNIT = "[Service]\nEnvironmentFile=-{root}/etc/web.env\n[Install]\nWantedBy=multi-user.target\n"
STYLE = "body { color: black; }\n" * 40
FILES = {
    "src/app.js": "console.log('source')",
    "src/css/site.css": STYLE,
    "src/css/print.css": "source print",
    "src/img/logo.svg": "source logo",
    "rel1/static/app.js": "release 1",
    "rel1/static/css/site.css": STYLE + "/* 1 */",
    "rel2/static/app.js": "release 2",
    "rel2/static/css/new.css": "release 2 new",
    "src.env": "NAME=value\n",
    "src.htpasswd": "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n",
    "src/pages/404.html": "<h1>Not here</h1>\n",
    "src/pages/50x.html": "<h1>Failed</h1>\n",
    "src/pages/maintenance.html": "<h1>Back soon</h1>\n",
    "etc/tls/chain.pem": "a certificate\n",
    "etc/tls/key.pem": "its key\n",
    "etc/hand.conf": "# by hand\n",
    "units/vendor.service": WEB_UNIT,
}
UPLOADS = {"www/media/2026/photo.jpg": "a photo", "www/private/bill.pdf": "a bill"}
FOLDERS = ("nginx/conf.d", "nginx/sites-available", "nginx/sites-enabled", "etc", "units")
BY_HAND = b"# by hand: "
INITIAL = frozenset(
    above
    for name in (*FILES, *UPLOADS, *(f"{folder}/" for folder in FOLDERS), "nginx/nginx.conf")
    for above in (name.rstrip("/"), *(one[1:] for one in ancestors(f"/{name}")))
)
"""What is there before the first apply, relative to the host."""
OWN = ("state", "protected", "protected.lock", "reconcile.yaml")
"""Ours: not a part of the host that the laws are about."""


@dataclass
class Box:
    """The host, and what a test does to it."""

    root: str
    systemd: ModelledSystemd
    mounts: dict[str, str] = field(default_factory=dict)
    """Mount point → the folder that is mounted there, too."""
    kept: tuple[str, ...] = ()
    """What the last rollback left for open pages."""

    @property
    def file(self) -> str:
        """The path of the reconcile.yaml."""
        return f"{self.root}/reconcile.yaml"

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def relative(self, path: str) -> str:
        """Where `path` leads, relative to the host."""
        return os.path.relpath(os.path.realpath(path.replace(ROOT, self.root)), self.root)

    def open(self, yaml: Yaml) -> Workspace:
        """A workspace of `yaml`, read anew."""
        text = json.dumps(with_variables(document(yaml)), indent=1).replace(ROOT, self.root)
        Path(self.file).write_text(text)
        config = _loaded(text, self.file)
        return Workspace(config, Host(config.host.settings()))

    def plan(self, yaml: Yaml, selection: Selection = Selection.ALL) -> Plan:
        return plan_changes(self.open(yaml), selection)

    def apply(self, yaml: Yaml, selection: Selection = Selection.ALL) -> Report:
        """Plan and apply under the lock. Errors: ReconcileError where it refuses."""
        with locked(self.open(yaml), "reconcile apply") as workspace:
            plan = plan_changes(workspace, selection)
            options = ApplyOptions(verify=False, allow_empty=True, selection=selection)
            return apply_plan(workspace, plan, "reconcile apply", options=options)

    def roll_back(self, yaml: Yaml) -> tuple[str, ...]:
        """Undo the last apply; the notes on what was left."""
        with locked(self.open(yaml), "reconcile rollback") as workspace:
            host = workspace.host
            applies = plan_rollback(host.state).applies
            rolled_back = rollback_applies(host, applies, BY, discard_event)
            self.kept = rolled_back.kept
            return (*rolled_back.notes, *map(str, rolled_back.remaining))

    def mounted(self) -> frozenset[str]:
        """Both names of each folder that is mounted twice."""
        pairs = self.mounts.items()
        return frozenset(os.path.relpath(one, self.root) for pair in pairs for one in pair)

    def names_of(self, path: str) -> Iterator[str]:
        """`path` itself, what it leads to, and their names by way of mounts."""
        for real in (
            os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)),
            os.path.realpath(path),
        ):
            yield os.path.relpath(real, self.root)
            for pair in self.mounts.items():
                for one, other in (pair, pair[::-1]):
                    if is_inside(real, one):
                        yield os.path.relpath(other + real.removeprefix(one), self.root)

    def picture(self, *, mtimes: bool = False) -> dict[str, Any]:
        """Everything on the host but what is reconcile's own: path → what is there."""
        everything = picture(Path(self.root), mtimes=mtimes)
        return {
            name: _without_random_parts(name, facts)
            for name, facts in everything.items()
            if name.partition("/")[0] not in OWN
        }

    def processes(self) -> dict[str, Any]:
        """What each unit has read, and which are enabled."""
        read = {unit: dict(process.files) for unit, process in self.systemd.run.items()}
        return {"run": read, "enabled": sorted(self.systemd.enabled)}

    def generations(self) -> dict[str, int]:
        """Each running unit with the number of its process."""
        return {unit: process.number for unit, process in self.systemd.run.items()}

    def contents_below(self, folders: Sequence[str]) -> list[str]:
        """The digest of every file below these, wherever links and mounts lead."""
        found = {}
        for folder in folders:
            for above, _, names in os.walk(os.path.realpath(self.path(folder))):
                found |= {os.path.join(above, name): "" for name in names}
        return [
            _digest(path) for path in found if os.path.isfile(path) and not os.path.islink(path)
        ]

    def all_contents(self) -> set[str]:
        """The digest of every file of the host."""
        found = set()
        for above, folders, names in os.walk(self.root):
            if above == self.root:
                folders[:] = [name for name in folders if name not in OWN]
            paths = (os.path.join(above, name) for name in names)
            found |= {_digest(path) for path in paths if not os.path.islink(path)}
        return found

    def happen(self, event: Event, unique: str) -> None:
        """Let `event` happen, unless the host has no place for it."""
        verb, *arguments = event
        getattr(self, f"_{verb}")(*arguments, unique=unique)

    def _upload(self, name: str, *, unique: str) -> None:
        path = Path(self.path(name))
        if path.parent.is_dir() and not path.exists():
            path.write_text(f"an upload: {name} {unique}")
            _give(path, "www-data")

    def _edit(self, name: str, *, unique: str) -> None:
        path = Path(self.path(name))
        if path.parent.is_dir() and (path.is_file() or not os.path.lexists(path)):
            path.write_bytes(BY_HAND + unique.encode() + b"\n")

    def _include(self, name: str, pattern: str, *, unique: str) -> None:
        """Write a file of nginx that includes others."""
        Path(self.path(name)).write_text(f"include {self.path(pattern)};\n")

    def _break(self, name: str, *, unique: str) -> None:
        """Edit a file of nginx so that nginx cannot read it."""
        path = Path(self.path(name))
        if path.is_file():
            path.write_bytes(path.read_bytes() + b"server {")

    def _remove(self, name: str, *, unique: str) -> None:
        path = self.path(name)
        if os.path.islink(path) or os.path.isfile(path):
            os.unlink(path)
        elif os.path.isdir(path) and not self.mounts:
            shutil.rmtree(path)

    def _turn(self, name: str, *, unique: str) -> None:
        """Let a file become a directory with a file in it, or a directory become a file."""
        path = self.path(name)
        was_directory = os.path.isdir(path)
        self._remove(name, unique=unique)
        if not os.path.lexists(path):
            self._source(name if was_directory else f"{name}/main.js", unique=unique)

    def _link(self, name: str, target: str, *, unique: str) -> None:
        path = Path(self.path(name))
        if path.parent.is_dir() and not os.path.lexists(path):
            path.symlink_to(self.path(target))

    def _move(self, name: str, to: str, *, unique: str) -> None:
        """Move a folder, and leave a link to it."""
        path, new = Path(self.path(name)), Path(self.path(to))
        if path.is_dir() and not path.is_symlink() and not os.path.lexists(new) and not self.mounts:
            path.rename(new)
            path.symlink_to(new)

    def _mode(self, name: str, mode: str, *, unique: str) -> None:
        if os.path.exists(self.path(name)):
            os.chmod(self.path(name), int(mode, 8))

    def _owner(self, name: str, user: str, *, unique: str) -> None:
        if os.path.exists(self.path(name)):
            _give(Path(self.path(name)), user)

    def _source(self, name: str, *, unique: str) -> None:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"source {unique}\n" * 60)

    def _bind(self, name: str, to: str, *, unique: str) -> None:
        source, target = os.path.realpath(self.path(name)), os.path.realpath(self.path(to))
        if os.path.isdir(source) and os.path.isdir(target) and not self.mounts:
            subprocess.run(["mount", "--bind", source, target], check=True)
            self.mounts[target] = source

    def _stop(self, unit: str, *, unique: str) -> None:
        self.systemd.run.pop(unit, None)

    def _restart(self, unit: str, *, unique: str) -> None:
        if unit in self.systemd.run:
            self.open({}).host.services.restart(unit)

    def close(self) -> None:
        for mount in self.mounts:
            subprocess.run(["umount", "--lazy", mount], check=True)
        shutil.rmtree(self.root)


SETTINGS: Yaml = {
    "version": 1,
    "host": {
        "nginx": {"config": "@/nginx/nginx.conf", "binary": "/bin/true"},
        "state_dir": "@/state",
    },
}


def _without_random_parts(name: str, facts: Any) -> Any:
    """What is there, but the password that the probes of a site have."""
    if "reconcile-passwords/" not in name or facts[0] != "file":
        return facts
    lines = [line for line in facts[3].splitlines() if not line.startswith(b"reconcile-probe:")]
    return (*facts[:3], b"\n".join(lines), *facts[4:])


def document(yaml: Yaml) -> Yaml:
    """The whole document of the sections of `yaml`, for this host."""
    host = SETTINGS["host"]
    nginx = {**host["nginx"], **yaml.get("host", {}).get("nginx", {})}
    return {**SETTINGS, **yaml, "host": {**host, "nginx": nginx}}


def with_variables(document: Yaml) -> Yaml:
    """The same with `${var.name}` for the values of its variables, as far as they occur."""
    variables = document.get("vars", {})
    written = {
        key: value if key == "vars" else _with_uses(value, variables)
        for key, value in document.items()
    }
    used = {name for name in variables if f"${{var.{name}}}" in json.dumps(written)}
    return {**written, "vars": {name: variables[name] for name in variables if name in used}}


def _with_uses(node: Any, variables: Yaml) -> Any:
    if isinstance(node, dict):
        return {key: _with_uses(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_uses(value, variables) for value in node]
    for name, value in variables.items():
        if type(node) is type(value) and node == value:
            return f"${{var.{name}}}"
        if isinstance(node, str) and isinstance(value, str) and value in node:
            return node.replace(value, f"${{var.{name}}}")
    return node


@contextmanager
def a_box(memory: str) -> Iterator[Box]:
    """A fresh host, always at the same place below `memory`."""
    root = f"{memory}/host"
    os.mkdir(root)
    systemd = ModelledSystemd(f"{root}/units", f"{root}/nginx/nginx.conf")
    box = Box(root, systemd)
    for name in FOLDERS:
        os.makedirs(box.path(name))
    for name, text in {**FILES, "nginx/nginx.conf": NGINX_CONF}.items():
        _write(box.path(name), text.replace("{root}", root).replace("{{", "{").replace("}}", "}"))
    for name, text in UPLOADS.items():
        _write(box.path(name), text)
        _give(Path(box.path(name)), "www-data")
    systemd.daemon_reload()
    with modelled(systemd, box.path("protected")), _places_inside(root):
        try:
            systemd.begin(NGINX, systemd.files_now(NGINX, box.open({}).host))
            systemd.enabled.add(NGINX)
            yield box
        finally:
            box.close()


@contextmanager
def _places_inside(root: str) -> Iterator[None]:
    """Move what has a fixed place on every host to `root`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HostFacts, "pages_dir", f"{root}/pages")
        yield


@contextmanager
def memory_folder() -> Iterator[str]:
    """A filesystem in memory, which every user may enter; its flushes cost nothing."""
    folder = tempfile.mkdtemp(prefix="reconcile-laws-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "laws", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        os.rmdir(folder)


@lru_cache(maxsize=16)
def _loaded(text: str, file: str) -> Config:
    return load_bytes(text.encode(), file)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(path).write_text(text)


def _give(path: Path, user: str) -> None:
    account = pwd.getpwnam(user)
    os.chown(path, account.pw_uid, account.pw_gid)


def _digest(path: str) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()
