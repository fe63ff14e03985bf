"""The examples run as they stand, but for their places: a folder of the test's own."""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "examples"


class Example:
    """A copy of an example, applied to the host of the demo."""

    def __init__(self, name: str, demo: DemoHost, run: Run) -> None:
        self.demo, self.run = demo, run
        self.folder = Path(demo.root) / "srv"
        shutil.copytree(EXAMPLES / name, self.folder)
        text = (EXAMPLES / name / "reconcile.yaml").read_text()
        deployed = re.search(r"cp -r [.] (/srv/\w+)", text)
        app_folder = deployed[1] if deployed else "/srv/none"
        for path in self.folder.rglob("*.py"):
            path.write_text(path.read_text().replace("/var/www", f"{demo.root}/www"))
        text = text.replace(app_folder, str(self.folder)).replace("/var/www", f"{demo.root}/www")
        self.values = self._adjusted(yaml.safe_load(text))
        self.file = self.folder / "reconcile.yaml"
        self.file.write_text(yaml.safe_dump(self.values, sort_keys=False))

    def _adjusted(self, values: dict[str, Any]) -> dict[str, Any]:
        """The same file for a host without root's places."""
        demo = yaml.safe_load(Path(self.demo.file).read_text())
        sock = f"unix:{self.demo.root}/run/app.sock"
        for site in values["sites"].values():
            site["listen"] = [self.demo.port]
            for location in site.get("locations", {}).values():
                if "upstream" in location:
                    location["upstream"] = sock
            app = site.get("app")
            if app:
                user = demo["sites"]["demo"]["app"]["user"]
                app |= {"upstream": sock, "service": "demo.service", "user": user}
                app["gunicorn"] |= {"python": sys.executable, "workers": 1}
                # Doctor imports no app as root, which runs this one.
                app.pop("django", None)
        return {**values, "host": demo["host"], "owners": demo["owners"]}

    def apply(self) -> None:
        """Apply, which verifies; `run` plans again, and finds nothing to do."""
        done = self.run("apply", "--auto-approve", cwd=self.folder)
        assert 0 == done.returncode, done.stdout + done.stderr

    def ask(
        self, host: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.demo.port, timeout=20)
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read().decode()
        connection.close()
        return found


def test_django(demo: DemoHost, run: Run) -> None:
    example = Example("django", demo, run)
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput"]
    subprocess.run(collect, cwd=example.folder, check=True, capture_output=True, timeout=120)

    example.apply()

    status, headers, body = example.ask("shop.example.com", "/")
    assert (200, "DENY", True) == (status, headers["X-Frame-Options"], "A shop" in body)
    status, _, body = example.ask("shop.example.com", "/static/css/shop.css")
    assert (200, "h1 { color: #0a5; }\n") == (status, body)


def test_fastapi_with_a_websocket(demo: DemoHost, run: Run) -> None:
    pytest.importorskip("fastapi")
    connect = pytest.importorskip("websockets.sync.client").connect
    example = Example("fastapi-websocket", demo, run)

    example.apply()

    sock = socket.create_connection(("127.0.0.1", demo.port), timeout=20)
    with connect("ws://chat.example.com/ws", sock=sock) as client:
        client.send("hello")
        assert "echo: hello" == client.recv(timeout=20)
    assert 200 == example.ask("chat.example.com", "/api/time")[0]


def test_an_app_of_one_page_and_its_api(demo: DemoHost, run: Run) -> None:
    example = Example("spa-and-api", demo, run)

    example.apply()

    assert "An app of one page" in example.ask("example.com", "/any/page")[2]
    assert 404 == example.ask("example.com", "/assets/missing.js")[0]
    assert "hello" in example.ask("example.com", "/api/hello")[2]
    assert "hello" in example.ask("api.example.com", "/api/hello")[2]
    assert 301 == example.ask("www.example.com", "/a")[0]


def test_staging_with_a_password(demo: DemoHost, run: Run) -> None:
    example = Example("staging-with-password", demo, run)

    example.apply()

    name = "staging.example.com"
    login = {"Authorization": "Basic " + base64.b64encode(b"anna:example").decode()}
    verified = example.run("verify", cwd=example.folder)
    assert 0 == verified.returncode, verified.stdout
    status, headers, body = example.ask(name, "/")
    assert (401, "noindex", True) == (status, headers["X-Robots-Tag"], "For colleagues" in body)
    assert "Staging" in example.ask(name, "/", login)[2]
    assert 200 == example.ask(name, "/health/health.txt")[0]
    assert os.path.exists(f"{demo.root}/www/staging/index.html")
