"""A host that is only files, as the guide's commands leave it; its nginx does not run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from reconcile.engine.behaviour_change import BehaviourChange
from reconcile.engine.model import Plan
from reconcile.workspace import Workspace
from reconcile.workspace.applying import ApplyOptions, apply_plan, locked
from reconcile.workspace.planning import plan_changes
from tests.support.guide import GUIDE

DEFAULT = """
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    root ROOT/html;
    server_name _;
}
"""
YAML = """
version: 1
host:
  nginx: {config: ROOT/nginx/nginx.conf}
  service_manager: none
  state_dir: ROOT/state
sites:
  myapp:
    server_names: [example.com]
    app: {upstream: "unix:/run/gunicorn.sock"}
    locations:
      /static/: {role: static, dir: ROOT/www/static, source: ROOT/app/static}
      /media/:  {role: media,  dir: ROOT/www/media}
"""


@dataclass
class GuidesHost:
    """`root` holds nginx/, www/, app/ and html/; workers may enter all of it."""

    root: Path
    yaml: str = YAML

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode() if isinstance(text, str) else text
        path.write_bytes(data.replace(b"ROOT", str(self.root).encode()))
        return path

    def workspace(self) -> Workspace:
        return Workspace.open(str(self.write("reconcile.yaml", self.yaml)))

    def plan(self) -> Plan:
        return plan_changes(self.workspace())

    def apply(self) -> None:
        with locked(self.workspace(), "reconcile apply") as current:
            plan = plan_changes(current)
            apply_plan(current, plan, "reconcile apply", options=ApplyOptions(verify=False))

    def noticed(self) -> dict[str, tuple[str, str]]:
        """What visitors will notice of the plan: request → before and after, our root as ROOT."""
        return {
            change.request: (self._shown(change.before), self._shown(change.after))
            for change in self.plan().behaviour_changes
        }

    def changes(self) -> tuple[BehaviourChange, ...]:
        return self.plan().behaviour_changes

    def _shown(self, text: str) -> str:
        return text.replace(str(self.root), "ROOT")

    @property
    def site_file(self) -> Path:
        return self.root / "nginx/sites-available/myapp.conf"


@pytest.fixture
def guide() -> Iterator[GuidesHost]:
    """The guide run as written, on stock Debian's default site."""
    with guides_host() as host:
        yield host


@contextmanager
def guides_host() -> Iterator[GuidesHost]:
    """The same, for as long as the caller needs it."""
    root = Path(mkdtemp(prefix="reconcile-foresight-"))
    root.chmod(0o755)
    host = GuidesHost(root)
    host.write(
        "nginx/nginx.conf",
        "user www-data;\npid ROOT/nginx.pid;\nevents {}\n"
        "http {\n    include ROOT/nginx/sites-enabled/*;\n}\n",
    )
    host.write("nginx/sites-available/default", DEFAULT)
    site = GUIDE.replace("/var/www/myapp", "ROOT/www").replace("include proxy_params;", "")
    host.write("nginx/sites-available/myapp.conf", site)
    (root / "nginx/sites-enabled").mkdir()
    for name in ("default", "myapp.conf"):
        (root / "nginx/sites-enabled" / name).symlink_to(root / "nginx/sites-available" / name)
    for name in ("app/static/css/app.css", "www/static/css/app.css", "www/media/photo.jpg"):
        host.write(name, "x")
    (root / "html").mkdir()
    try:
        yield host
    finally:
        rmtree(root)
