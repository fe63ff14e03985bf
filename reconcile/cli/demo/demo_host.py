"""The host of the demo: a temporary folder, a free port, and a Flask app that is not served yet."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import as_file, files
from string import Template
from typing import Any

from reconcile.cli.demo.app_python import AppPython, find_app_python
from reconcile.errors import ReconcileError
from reconcile.system import Host, HostSettings
from reconcile.system.accounts import Accounts, UnknownAccount
from reconcile.system.processes import as_user

MARKER = ".reconcile-demo"
FOLDERS = ("nginx/sites-available", "nginx/sites-enabled", "log", "run", "tmp", "www")
NGINX_PATHS = ("/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx")
DEPLOYED_MEDIA = "/var/www/myapp/media"
SERVICE = "demo.service"


@dataclass(frozen=True)
class DemoHost:
    """The folder, port and nginx binary of one demo."""

    root: str
    port: int
    nginx: str

    @property
    def file(self) -> str:
        """The path of its reconcile.yaml."""
        return f"{self.root}/reconcile.yaml"

    @property
    def address(self) -> str:
        """The URL of its start page."""
        return f"http://demo.localhost:{self.port}/"

    @property
    def host(self) -> Host:
        """The same host as the commands use it, for changes without them."""
        return Host(
            HostSettings(
                service_manager="process",
                state_dir=f"{self.root}/state",
                nginx_config=f"{self.root}/nginx/nginx.conf",
                nginx_binary=self.nginx,
            )
        )


def nginx_binary() -> str:
    """The path of nginx. Errors: ReconcileError where the demo lacks something it runs."""
    found = next((path for path in NGINX_PATHS if os.access(path, os.X_OK)), None)
    missing = [] if found else [("nginx", "nginx-light")]
    if find_app_python() is None:
        missing.append(("Flask and Gunicorn", "gunicorn python3-flask"))
    if found is None or missing:
        raise ReconcileError(
            f"The demo needs {' and '.join(name for name, _ in missing)}",
            fix=f"Install them: sudo apt-get install {' '.join(names for _, names in missing)}",
        )
    return found


def create_demo(root: str, nginx: str) -> DemoHost:
    """Fill `root` with an app, a minimal nginx.conf and a reconcile.yaml; start nothing."""
    demo = DemoHost(root, _free_port(), nginx)
    # mkdtemp denies access to everyone else, and the app may run as another user.
    os.chmod(root, 0o755)  # noqa: S103
    for name in FOLDERS:
        os.makedirs(f"{root}/{name}")
    python = find_app_python() or AppPython(sys.executable, sys.executable)
    runner, owner = _app_user(python), _user_name(os.geteuid())
    values = {
        "root": root,
        "nginx": nginx,
        "port": demo.port,
        "python": python.path,
        "runner": runner,
        "runner_group": _group_name(runner),
        "owner": owner,
        "owner_group": _group_name(owner),
        "user": f"user {runner};" if os.geteuid() == 0 else "",
    }
    _write_file(demo.file, _template("reconcile.yaml", values))
    _write_file(f"{root}/nginx/nginx.conf", _template("nginx.conf", values))
    _copy_app(demo)
    _chown_run(runner, demo)
    _write_file(f"{root}/{MARKER}", f"{demo.port} {nginx}\n")
    return demo


def open_demo(root: str) -> DemoHost:
    """The demo that was kept in `root`. Errors: ReconcileError where it holds none."""
    try:
        with open(f"{root}/{MARKER}", encoding="utf-8") as mark:
            port, nginx = mark.read().split()
    except (OSError, ValueError):
        raise ReconcileError(
            f"No demo found in {root}", "", "Use the folder that `demo --keep` printed."
        ) from None
    return DemoHost(os.path.abspath(root), int(port), nginx)


def remove_demo(demo: DemoHost) -> None:
    """Stop its services, and remove the folder."""
    services = demo.host.services
    for unit in (SERVICE, "nginx.service"):
        services.stop(unit)
    shutil.rmtree(demo.root, onerror=_unlock_and_retry)


def _unlock_and_retry(action: Callable[[str], Any], path: str, _error: Any) -> None:
    """The demo locks a folder, and Ctrl-C may come just then."""
    os.chmod(os.path.dirname(path), 0o700)
    os.chmod(path, 0o700)
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        action(path)


def _template(name: str, values: dict[str, Any]) -> str:
    text = (files("reconcile.cli.demo") / name).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _write_file(path: str, content: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def _copy_app(demo: DemoHost) -> None:
    """The app of examples/, with its uploads in the demo's folder."""
    with as_file(files("reconcile.cli.demo") / "app") as source:
        shutil.copytree(source, f"{demo.root}/app", ignore=shutil.ignore_patterns("__pycache__"))
    path = f"{demo.root}/app/app.py"
    with open(path, encoding="utf-8") as file:
        code = file.read()
    _write_file(path, code.replace(DEPLOYED_MEDIA, f"{demo.root}/www/media"))


def _app_user(python: AppPython) -> str:
    """The user of the app and nginx: the current one; for root www-data, if it can run Python."""
    if os.geteuid() != 0:
        return _user_name(os.geteuid())
    try:
        can_run = as_user(Accounts().user("www-data"), partial(_can_run, python))
    except UnknownAccount:
        can_run = False
    return "www-data" if can_run else "root"


def _can_run(python: AppPython) -> bool:
    return os.access(python.path, os.X_OK) and os.access(python.gunicorn, os.R_OK)


def _user_name(uid: int) -> str:
    return Accounts().user_name(uid)


def _group_name(user: str) -> str:
    accounts = Accounts()
    return accounts.group_name(accounts.user(user).gid)


def _chown_run(runner: str, demo: DemoHost) -> None:
    """Let the app create its socket."""
    if os.geteuid() == 0:
        shutil.chown(f"{demo.root}/run", runner)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
