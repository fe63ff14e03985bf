"""One host that has every fault at once, and what the doctor says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.doctor.faults import FAULTS, Side
from tests.lab import DebianHost
from tests.lab.fixtures import Boot

WSGI = """
import os
def app(environ, start):
    path = environ["PATH_INFO"]
    if path == "/save":
        with open(os.environ["UPLOAD_FOLDER"] + "/saved.txt", "w") as file:
            file.write("saved")
    page = f'<img src="{os.environ.get("PAGE", "")}">'.encode()
    known = path in ("/", "/save")
    start("200 OK" if known else "404 Not Found", [("Content-Type", "text/html")])
    return [page if known else b"the app knows no such page"]
"""
SERVICE = """
[Service]
User=www-data
WorkingDirectory={d}/app
ExecStart=/opt/apps-venv/bin/gunicorn --access-logfile - -w 1 {bind} app:app
{unit}
"""
SOCKET = """
[Socket]
ListenStream={path}
[Install]
WantedBy=sockets.target
"""


SYMPTOMS = ("log-triage", "probe-static", "probe-media")


@dataclass(frozen=True)
class Said:
    """What `reconcile doctor --json` told."""

    exit_code: int
    document: dict[str, Any]

    @property
    def unknown(self) -> list[dict[str, Any]]:
        return list(self.document["unknown"])

    def of(self, rule: str, *severities: str) -> list[dict[str, Any]]:
        wanted = severities or ("error", "warning")
        return [
            finding
            for finding in self.document["findings"]
            if finding["rule"] == rule and finding["severity"] in wanted
        ]

    def about(self, rule: str, name: str, *severities: str) -> list[str]:
        """What a rule said that concerns `name`; notes aside, where no severity is named."""
        found = self.of(rule, *severities)
        told = (f"{one['what']} {' '.join(one['evidence'])}" for one in found)
        return [text for text in told if name in text]

    @property
    def rules(self) -> set[str]:
        """Every rule that found something, notes aside."""
        found = self.document["findings"]
        return {finding["rule"] for finding in found if finding["severity"] != "note"}


def doctor(host: DebianHost, *options: str) -> Said:
    done = host.reconcile("doctor", "--json", *options, cwd="/")
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert "findings" in document, document
    return Said(done.returncode, document)


@pytest.fixture(scope="package")
def sick_host(lab: Any) -> Any:
    """A host with all faults and all their twins, nginx running."""
    host = lab.boot("sick")
    lay_out(host)
    yield host
    lab.stop(host)


@pytest.fixture(scope="package")
def sick(sick_host: DebianHost) -> Said:
    return doctor(sick_host)


@pytest.fixture(scope="package")
def symptoms(sick_host: DebianHost) -> Said:
    """The rules alone whose findings are otherwise listed by the finding of their cause."""
    return doctor(sick_host, *(f"--only={rule}" for rule in SYMPTOMS))


def sides() -> list[tuple[str, Side]]:
    named = [(f"bad-{fault.id}", fault.bad) for fault in FAULTS]
    return named + [(f"good-{fault.id}", fault.good) for fault in FAULTS]


def lay_out(host: DebianHost) -> None:
    """All sides by one shell: a call into the host costs more than what it does."""
    host.write("/srv/app.py", WSGI)
    _unit(host, "shared", Side("", unit=""))
    every = sides()
    lines = ["set -e", *(_folders(name) for name, _ in [("shared", None), *every])]
    for name, side in every:
        if side.unit is not None:
            _unit(host, name, side)
        host.write(_filled("/etc/nginx/sites-enabled/" + side.file, name), _server(name, side))
        lines.append(_filled(side.setup, name))
    hosts = " ".join(f"{name}.test" for name, _ in every)
    lines += [f"echo 127.0.0.1 {hosts} >>/etc/hosts", "systemctl daemon-reload"]
    units = [
        name for name, side in [("shared", Side("", unit="")), *every] if side.unit is not None
    ]
    sockets = " ".join(f"{name}.socket" for name in units if name != "bad-selinux-sandbox")
    lines += [f"systemctl start {sockets} bad-selinux-sandbox.service", "systemctl restart nginx"]
    lines += [f"( {_filled(side.after, name)} ) >/dev/null" for name, side in every if side.after]
    host.run("sh", "-c", "\n".join(line for line in lines if line), timeout_s=600)


def _folders(name: str) -> str:
    d = f"/srv/{name}"
    return (
        f"mkdir -p {d}/static/css {d}/media {d}/app; echo ok >{d}/static/health.txt;"
        f" echo css >{d}/static/css/app.css; echo up >{d}/media/sample.txt;"
        f" cp /srv/app.py {d}/app/; chown -R www-data:www-data {d}/media"
    )


def _unit(host: DebianHost, name: str, side: Side) -> None:
    path = f"/run/{name}.sock"
    bind = ""
    if name == "bad-selinux-sandbox":
        bind = f"-b unix:/tmp/{name}.sock"
    unit = SERVICE.format(d=f"/srv/{name}", bind=bind, unit=_filled(side.unit or "", name))
    host.write(f"/etc/systemd/system/{name}.service", unit)
    host.write(f"/etc/systemd/system/{name}.socket", SOCKET.format(path=path))


def _server(name: str, side: Side) -> str:
    text = f"server {{ {side.listen} server_name {name}.test; {side.body} }}\n{side.more}\n"
    return _filled(text, name)


def _filled(text: str, name: str) -> str:
    words = {
        "{d}": f"/srv/{name}",
        "{n}": name,
        "{l}": "listen 80; listen [::]:80;",
        "{v}": name.replace("-", "_"),
    }
    for word, value in words.items():
        text = text.replace(word, value)
    return text


@pytest.fixture(scope="module")
def boot(module_hosts: Boot) -> Boot:
    return module_hosts
