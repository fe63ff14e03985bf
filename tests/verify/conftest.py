"""A real nginx with the guide's two locations, and the guide's Flask app under a real Gunicorn."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.config.probes import Endpoint
from reconcile.system import Host
from tests.support.ports import free_port

APP = Path(__file__).parents[2] / "examples" / "flask-app" / "app"
APP_USER = "www-data"
MAIN = """
user {user};
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {root}/tmp-body; proxy_temp_path {root}/tmp-proxy;
    fastcgi_temp_path {root}/tmp-f; uwsgi_temp_path {root}/tmp-u; scgi_temp_path {root}/tmp-s;
"""
CONFIG = (
    MAIN
    + """
    access_log off;
    types {{ text/css css; text/plain txt; }}
    server {{
        listen 127.0.0.1:{port};
        listen [::1]:{port};
        server_name shop.example;
        location = /static {{ return 301 /static/; }}
        location ^~ /static/ {{
            alias {root}/static/;
            add_header Cache-Control "public, max-age=604800";
        }}
        location ^~ /twice/ {{
            alias {root}/static/;
            expires 7d;
            add_header Cache-Control "public";
        }}
        location ^~ /media/ {{
            alias {root}/media/;
            location ~ /\\. {{ return 404; }}
        }}
        location = /unreachable {{ proxy_pass http://unix:{root}/app/none.sock; }}
        location ^~ /leaking/ {{ alias {root}/media/; }}
        location / {{ proxy_pass http://unix:{root}/app/app.sock; proxy_set_header Host $host; }}
    }}
}}
"""
)


@dataclass(frozen=True)
class Site:
    """A running nginx; `media` belongs to the app's user."""

    root: Path
    port: int

    @property
    def media(self) -> str:
        return str(self.root / "media")

    def endpoint(self, *addresses: str) -> Endpoint:
        return Endpoint("http", "shop.example", self.port, addresses or ("127.0.0.1",))

    def uploads(self) -> set[str]:
        return set(os.listdir(self.media))


@pytest.fixture(scope="session")
def running_site() -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="reconcile-verify-"))
    root.chmod(0o755)
    user = pwd.getpwnam(APP_USER)
    for name in ("static", "media", "app"):
        (root / name).mkdir(mode=0o755)
    os.chown(root / "media", user.pw_uid, user.pw_gid)
    os.chown(root / "app", user.pw_uid, user.pw_gid)
    (root / "static" / "health.txt").write_text("ok\n")
    site = Site(root, free_port())
    (root / "nginx.conf").write_text(CONFIG.format(root=root, port=site.port, user=APP_USER))
    with running([nginx_binary(), "-c", str(root / "nginx.conf")], lambda: listening(site.port)):
        yield site
    shutil.rmtree(root)


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """The site, with nothing uploaded."""
    yield running_site
    for name in running_site.uploads():
        path = running_site.root / "media" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="session")
def running_app(running_site: Site) -> Iterator[None]:
    """The example's app behind the site."""
    environment = {"UPLOAD_FOLDER": running_site.media, "PATH": "/usr/bin:/bin"}
    bind = f"unix:{running_site.root}/app/app.sock"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "--chdir",
        str(APP),
        "--bind",
        bind,
        "--umask",
        "0",
        "app:app",
    ]
    with running(command, (running_site.root / "app" / "app.sock").exists, environment):
        yield


@pytest.fixture
def host() -> Host:
    return Host()


@contextmanager
def running(
    command: list[str],
    ready: Callable[[], bool],
    env: dict[str, str] | None = None,
) -> Iterator[None]:
    process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, cwd="/")
    try:
        deadline = time.monotonic() + 60
        while not ready():
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not start"
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(60)


def nginx_binary() -> str:
    return "/usr/sbin/nginx"


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
