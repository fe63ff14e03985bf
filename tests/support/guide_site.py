"""The guide's site as the stories deploy it, and the command line as they read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import DebianHost

EXAMPLE = Path(__file__).parents[2] / "examples/flask-app"
APP = EXAMPLE / "app"

SITE_FILE = "/etc/nginx/sites-available/myapp.conf"
SITE_LINK = "/etc/nginx/sites-enabled/myapp.conf"
UNIT_FILE = "/etc/systemd/system/gunicorn.service"
SOCKET_FILE = "/etc/systemd/system/gunicorn.socket"
STATIC = "/var/www/myapp/static"
STYLESHEET = f"{STATIC}/css/app.css"
MEDIA = "/var/www/myapp/media"

# The smallest file of the contract, with app.gunicorn added.
SMALLEST = """
version: 1
sites:
  myapp:
    server_names: [example.com]
    app:
      upstream: "unix:/run/gunicorn.sock"
      service: gunicorn.service
      user: www-data
      gunicorn: {directory: /srv/myapp, python: /opt/apps-venv/bin/python, module: "app:app"}
    locations:
      /static/: {role: static, dir: /var/www/myapp/static, source: ./app/static}
      /media/:  {role: media,  dir: /var/www/myapp/media}
"""


def with_line(line: str) -> str:
    """The smallest file with one more key of the site, as a line of its own."""
    return SMALLEST.replace("    app:\n", f"    {line}\n    app:\n")


def deploy(host: DebianHost, yaml: str = SMALLEST) -> None:
    """Put the app's code, its assets and the reconcile.yaml on the host; apply nothing."""
    host.put_tree(APP, "/srv/myapp")
    host.put_tree(APP / "static", "/etc/reconcile/app/static")
    host.write("/etc/reconcile/reconcile.yaml", yaml)


@dataclass(frozen=True)
class Planned:
    """What `reconcile plan --json --detailed-exitcode` said."""

    exit_code: int
    document: dict[str, Any]

    @property
    def addresses(self) -> set[str]:
        return {change["address"] for change in self.document["resource_changes"]}


def plan(host: DebianHost) -> Planned:
    """Plan, read-only; the exit code and the document as one."""
    done = host.reconcile("plan", "--json", "--detailed-exitcode")
    assert done.returncode in (0, 2), done.stdout + done.stderr
    return Planned(done.returncode, json.loads(done.stdout))


def apply(host: DebianHost, *options: str) -> None:
    """Apply what the YAML says; anything but success is a failure of the test."""
    host.reconcile("apply", "--auto-approve", *options, check=True)
