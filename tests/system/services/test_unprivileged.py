"""The process manager as a user without any rights, on a booted Debian host."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab import DebianHost
from tests.support.python_on_host import inside

pytestmark = pytest.mark.host

HOME = "/srv/sandbox"
NGINX_CONFIG = f"""
pid {HOME}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {HOME}/t1; proxy_temp_path {HOME}/t2; fastcgi_temp_path {HOME}/t3;
  uwsgi_temp_path {HOME}/t4; scgi_temp_path {HOME}/t5;
  server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://unix:{HOME}/app.sock; }} }}
}}
"""
APP = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"uid {os.getuid()}".encode()]
"""
START = f"""
import os
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.resources.unit import Unit
from reconcile.resources.gunicorn_params import GunicornParams
view = GunicornParams("app", "app.service", None, "{HOME}", "/opt/apps-venv/bin/python", "app:app",
                    1, "unix:{HOME}/app.sock", "root", "root", (), 0o022, "www-data")
os.makedirs("{HOME}/state", mode=0o700, exist_ok=True)
unit = Unit(path=services.unit_path("app.service"), content=unit_texts(view, "process")[0])
unit.apply(host, unit.observe(host))
services.start("app.service")
services.start("nginx.service")
return [services.status(name).main_pid for name in ("app.service", "nginx.service")]
"""


@pytest.fixture
def debian(debian_host: DebianHost) -> DebianHost:
    debian_host.write(f"{HOME}/nginx.conf", NGINX_CONFIG, user="www-data")
    debian_host.write(f"{HOME}/app.py", APP, user="www-data")
    debian_host.run("chown", "www-data", HOME)
    return debian_host


def as_www_data(debian: DebianHost, code: str) -> Any:
    settings = {
        "service_manager": "process",
        "state_dir": f"{HOME}/state",
        "nginx_config": f"{HOME}/nginx.conf",
    }
    return inside(debian, code, user="www-data", settings=settings)


def test_nginx_and_gunicorn_run_without_root(debian: DebianHost) -> None:
    pids = as_www_data(debian, START)

    assert "uid 33" == debian.http("GET", "/", port=8080).body.decode()
    owners = debian.run("ps", "-o", "user=", "-p", ",".join(map(str, pids))).stdout.split()
    assert ["www-data", "www-data"] == owners
    assert debian.exists(f"{HOME}/state/log/nginx.error.log")


def test_who_started_them_may_end_and_they_stay_until_they_are_stopped(debian: DebianHost) -> None:
    pids = as_www_data(debian, START)

    asked = ("-p", ",".join(map(str, pids)))
    parents = debian.run("ps", "-o", "ppid=", *asked).stdout.split()
    as_www_data(debian, "services.stop('nginx.service'); services.stop('app.service')")

    assert ["1", "1"] == parents
    assert "" == debian.run("ps", "-o", "pid=", *asked, check=False).stdout
    assert (
        ""
        == debian.run(
            "find", "/run", "/var/log", "-user", "www-data", "-newer", f"{HOME}/app.py"
        ).stdout
    )
