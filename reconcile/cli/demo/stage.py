"""The throw-away host of the demo: a folder, a free port, a Flask app that nobody serves yet."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.util import find_spec
from string import Template
from typing import Any

from reconcile.errors import ReconcileError
from reconcile.system import Host, HostSettings

MARK = ".reconcile-demo"
FOLDERS = ("nginx/sites-available", "nginx/sites-enabled", "log", "run", "tmp", "www")
NGINX_PLACES = ("/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx")
DEPLOYED_MEDIA = "/var/www/myapp/media"
SERVICE = "demo.service"


@dataclass(frozen=True)
class Stage:
    """Where everything of one demo is."""

    root: str
    port: int
    nginx: str

    @property
    def file(self) -> str:
        return f"{self.root}/reconcile.yaml"

    @property
    def address(self) -> str:
        return f"http://demo.localhost:{self.port}/"

    @property
    def host(self) -> Host:
        """The same host that the commands see, for what the story does behind their back."""
        return Host(
            HostSettings(
                service_manager="process",
                state_dir=f"{self.root}/state",
                nginx_config=f"{self.root}/nginx/nginx.conf",
                nginx_binary=self.nginx,
            )
        )


def nginx_binary() -> str:
    """Errors: ReconcileError where something that the demo runs is not installed."""
    missing = [name for name in ("flask", "gunicorn") if find_spec(name) is None]
    if missing:
        raise ReconcileError(
            f"The demo runs a real Flask app, and {' and '.join(missing)} cannot be imported",
            f"{sys.executable} has no such package",
            "pip install 'reconcile-host[demo]'",
        )
    found = next((path for path in NGINX_PLACES if os.access(path, os.X_OK)), None)
    if found is None:
        raise ReconcileError(
            "The demo runs a real nginx, and none is installed",
            f"none of {', '.join(NGINX_PLACES)} is there",
            "apt-get install nginx-light, or your system's like.",
        )
    return found


def build(root: str, nginx: str) -> Stage:
    """Fill `root` with an app, a bare nginx.conf and a reconcile.yaml; start nothing."""
    stage = Stage(root, _free_port(), nginx)
    # mkdtemp closes it to everyone else, and the app may run as another user.
    os.chmod(root, 0o755)  # noqa: S103
    for name in FOLDERS:
        os.makedirs(f"{root}/{name}")
    runner, owner = _runner(), _name_of(os.geteuid())
    values = {
        "root": root,
        "nginx": nginx,
        "port": stage.port,
        "python": sys.executable,
        "runner": runner,
        "runner_group": _group_of(runner),
        "owner": owner,
        "owner_group": _group_of(owner),
        "user": f"user {runner};" if os.geteuid() == 0 else "",
    }
    _write(stage.file, _filled("reconcile.yaml", values))
    _write(f"{root}/nginx/nginx.conf", _filled("nginx.conf", values))
    _copy_app(stage)
    _give_run_to(runner, stage)
    _write(f"{root}/{MARK}", f"{stage.port} {nginx}\n")
    return stage


def found(root: str) -> Stage:
    """The demo that was kept in `root`. Errors: ReconcileError where there is none."""
    try:
        with open(f"{root}/{MARK}", encoding="utf-8") as mark:
            port, nginx = mark.read().split()
    except (OSError, ValueError):
        raise ReconcileError(
            f"There is no demo in {root}", "", "Name the folder that `demo --keep` told."
        ) from None
    return Stage(os.path.abspath(root), int(port), nginx)


def take_down(stage: Stage) -> None:
    """Stop what runs, and remove the folder."""
    services = stage.host.services
    for unit in (SERVICE, "nginx.service"):
        services.stop(unit)
    shutil.rmtree(stage.root, onerror=_unlock_and_retry)


def _unlock_and_retry(action: Callable[[str], Any], path: str, _error: Any) -> None:
    """The story locks a folder, and Ctrl-C may come just then."""
    os.chmod(os.path.dirname(path), 0o700)
    os.chmod(path, 0o700)
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        action(path)


def _filled(name: str, values: dict[str, Any]) -> str:
    text = (files("reconcile.cli.demo") / name).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _write(path: str, content: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)


def _copy_app(stage: Stage) -> None:
    """The app of examples/, told where its uploads go."""
    with as_file(files("reconcile.cli.demo") / "app") as source:
        shutil.copytree(source, f"{stage.root}/app", ignore=shutil.ignore_patterns("__pycache__"))
    path = f"{stage.root}/app/app.py"
    with open(path, encoding="utf-8") as file:
        code = file.read()
    _write(path, code.replace(DEPLOYED_MEDIA, f"{stage.root}/www/media"))


def _runner() -> str:
    """Who runs the app and nginx: ourselves; for root www-data, if it can reach our Python."""
    if os.geteuid() != 0:
        return _name_of(os.geteuid())
    from reconcile.system.accounts import Accounts, UnknownAccount
    from reconcile.system.processes import as_user

    spec = find_spec("gunicorn")
    package = spec.origin if spec and spec.origin else sys.executable

    def reaches_python() -> bool:
        return os.access(sys.executable, os.X_OK) and os.access(package, os.R_OK)

    try:
        able = as_user(Accounts().user("www-data"), reaches_python)
    except UnknownAccount:
        able = False
    return "www-data" if able else "root"


def _name_of(uid: int) -> str:
    from reconcile.system.accounts import Accounts

    return Accounts().user_name(uid)


def _group_of(user: str) -> str:
    from reconcile.system.accounts import Accounts

    accounts = Accounts()
    return accounts.group_name(accounts.user(user).gid)


def _give_run_to(runner: str, stage: Stage) -> None:
    """The app makes its socket there."""
    if os.geteuid() == 0:
        shutil.chown(f"{stage.root}/run", runner)


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
