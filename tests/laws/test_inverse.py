"""A rollback leaves the host as it was before the apply, whatever that did to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.manifest import Manifest, differences

pytestmark = pytest.mark.host

YAML = "/etc/reconcile/reconcile.yaml"
KEPT = 5
"""So many applies can be rolled back."""
ROOTS = ("/etc", "/srv", "/var/www", "/var/tmp/own")
# What a service or systemd does by itself, and what the tests write.
EXCLUDED = ("/etc/reconcile", "/etc/ld.so.cache", "/etc/mtab")
UNITS = ("nginx.service", "app.service", "app.socket", "web.service", "web2.service")
ASKED = [
    *(("shop.test", path) for path in ("/who", "/static/a.txt", "/static/b.txt", "/", "/pub/x")),
    *(("blog.test", path) for path in ("/who", "/static/a.txt")),
]
ADDRESSES = [
    *(("127.0.0.1", port) for port in (80, 8080, 8081, 8082, 443)),
    *(("::1", port) for port in (80, 8080, 8081)),
]
# Of a running service; others, such as the invocation, are another run's.
VARIABLES = ("EXTRA", "NUMBER", "HOME", "USER")

Yaml = dict[str, Any]


def site(name: str, **more: Any) -> Yaml:
    locations = {"/static/": {"role": "static", "dir": f"/var/www/{name}/static", "source": SOURCE}}
    who = f"location = /who {{ return 200 {name}; }}"
    return {"server_names": [f"{name}.test"], "locations": locations, "extra": who, **more}


SOURCE = "/srv/source1"
BASE: Yaml = {"version": 1, "sites": {"shop": site("shop")}, "paths": {}}
GUNICORN = {
    "directory": "/srv/app",
    "python": "/opt/apps-venv/bin/python",
    "module": "app:app",
    "workers": 1,
}
APP = {"upstream": "unix:/run/app.sock", "service": "app.service", "gunicorn": GUNICORN}
WEB = {"upstream": "http://127.0.0.1:8001", "service": "web.service"}
UNIT = (
    "[Service]\nUser=www-data\nEnvironmentFile=-/etc/web.env\n"
    "ExecStart=/usr/bin/python3 -m http.server -d /srv/source1 8001\n"
    "[Install]\nWantedBy=multi-user.target\n"
)
SERVER = "server {{ listen {}; server_name blog.test; location = /who {{ return 200 conf; }} }}\n"


def deploy(host: DebianHost) -> None:
    """Sources, an app, and a file with everything that a file may have."""
    for number in (1, 2):
        host.write(f"/srv/source{number}/a.txt", f"a of {number} " * 400)
        host.write(f"/srv/source{number}/only{number}/b.txt", "b")
        host.write(f"/srv/rel{number}/x", f"release {number}")
    host.write("/srv/app/app.py", "from flask import Flask\napp = Flask(__name__)\n")
    host.write("/srv/private/doc.txt", "a document", mode="0600")
    host.run("mkdir", "-p", "/srv/private/sub")
    host.run("setfacl", "-m", "u:nobody:rwx", "/srv/private/doc.txt")
    host.run("setfacl", "-d", "-m", "u:nobody:rx", "/srv/private/sub")
    host.run("setfattr", "-n", "user.note", "-v", "own", "/srv/private/doc.txt")
    host.write("/etc/own.conf", "by hand\n", mode="0640", group="www-data")
    host.run("setfacl", "-m", "u:nobody:r", "/etc/own.conf")
    host.run("touch", "-d", "2020-01-01 00:00:00.123456789", "/etc/own.conf")
    host.run("ln", "-s", "/srv/rel1", "/srv/current")
    host.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-batch", "-subj", "/CN=shop.test"),
        *("-keyout", "/etc/ssl/shop.key", "-out", "/etc/ssl/shop.pem"),
    )


Step = Callable[[Yaml, DebianHost], None]


def _listen(*ports: Any) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["sites"]["shop"]["listen"] = [*ports]

    return step


def _shop(**more: Any) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["sites"]["shop"].update(deepcopy(more))

    return step


def _without(section: str, *names: str) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        for name in names:
            del yaml[section][name]

    return step


def _path(name: str, **entry: Any) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["paths"][name] = entry

    return step


def _static(**more: Any) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["sites"]["shop"]["locations"]["/static/"].update(more)

    return step


def _site(name: str) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["sites"][name] = site(name)

    return step


def _location(prefix: str, **entry: Any) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        yaml["sites"]["shop"]["locations"][prefix] = entry

    return step


def _by_hand(*argv: str) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        host.run(*argv)

    return step


def _workers(number: int) -> Step:
    return _shop(app={**APP, "gunicorn": {**GUNICORN, "workers": number}})


def _both(*steps: Step) -> Step:
    def step(yaml: Yaml, host: DebianHost) -> None:
        for one in steps:
            one(yaml, host)

    return step


CONF, DROPIN = "/etc/nginx/conf.d/blog.conf", "/etc/systemd/system/app.service.d/extra.conf"
STEPS: Mapping[str, Step] = {
    "a first site": lambda yaml, host: None,
    "a port more": _listen(80, 8080),
    "another port instead": _listen(80, 8081),
    "one address instead of all": _listen(80, "127.0.0.1:8081"),
    "a site more": _site("blog"),
    "an app, with its units": _shop(app=APP),
    "another unit file": _workers(2),
    "a drop-in": _path(DROPIN, content="[Service]\nEnvironment=EXTRA=yes\n"),
    "another socket": _shop(app={**APP, "upstream": "unix:/run/other.sock"}),
    "a port instead of a socket": _shop(app={**APP, "upstream": "http://127.0.0.1:8009"}),
    "a socket again": _shop(app=APP),
    "no drop-in": _without("paths", DROPIN),
    "no app": lambda yaml, host: yaml["sites"]["shop"].pop("app"),
    "a site less": _without("sites", "blog"),
    "IPv4 through an IPv6 socket": _both(
        _path(CONF, content=SERVER.format("[::]:8082 ipv6only=off")), _listen(80)
    ),
    "IPv4 through its own again": _path(CONF, content=SERVER.format("8082")),
    "no file of nginx": _without("paths", CONF),
    "another source, pruned and compressed": _static(
        source="/srv/source2", prune=True, precompress=["gzip"]
    ),
    "another folder": _static(dir="/var/www/elsewhere", precompress=[]),
    "owners and modes": _location(
        "/private/", role="private", dir="/srv/private", owner={"user": "www-data", "files": "0640"}
    ),
    "a file that was written by hand": _path("/etc/own.conf", content="managed\n"),
    "another mode of a file": _path(
        "/etc/own.conf", content="managed\n", owner={"files": "0600", "user": "www-data"}
    ),
    "a link that leads elsewhere": _path("/srv/current", link="/srv/rel2"),
    "TLS": _shop(
        listen=[80, 443], tls={"certificate": "/etc/ssl/shop.pem", "key": "/etc/ssl/shop.key"}
    ),
    "no TLS, no private files": _both(
        _listen(80),
        lambda yaml, host: yaml["sites"]["shop"].pop("tls"),
        lambda yaml, host: yaml["sites"]["shop"]["locations"].pop("/private/"),
    ),
    "a unit of paths": _both(
        _path("/etc/systemd/system/web.service", content=UNIT),
        _path("/etc/web.env", content="NUMBER=1\n"),
        _shop(app=WEB),
    ),
    "another environment": _path("/etc/web.env", content="NUMBER=2\n"),
}
BY_HAND: Mapping[str, Step] = {
    "what was stopped and disabled by hand": _by_hand(
        "systemctl", "disable", "--now", "web.service"
    ),
    "what was disabled by hand": _by_hand("systemctl", "disable", "web.service", "nginx.service"),
    "an nginx that was stopped": _by_hand("systemctl", "stop", "nginx.service"),
    "a file that was edited": _by_hand("sh", "-c", "echo '# x' >>/etc/web.env"),
    "a mode that was changed": _by_hand("chmod", "g+w", "/var/www/elsewhere/a.txt"),
}


CHOSEN = (
    *("a first site", "one address instead of all", "an app, with its units", "another socket"),
    *("IPv4 through an IPv6 socket", "owners and modes", "another unit file"),
)
"""Of each kind one, for every run."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that a rollback has to bring back."""

    files: Manifest
    sockets: frozenset[str]
    answers: Mapping[str, str]
    processes: Mapping[str, str]

    def changed(self, other: Snapshot) -> dict[str, object]:
        """What differs, both sides of it."""
        found: dict[str, object] = dict(differences(self.files, other.files))
        if self.sockets != other.sockets:
            found["sockets"] = (self.sockets - other.sockets, other.sockets - self.sockets)
        for name in ("answers", "processes"):
            before, after = getattr(self, name), getattr(other, name)
            found.update(
                {
                    f"{name} {key}": (before[key], after[key])
                    for key in before
                    if before[key] != after[key]
                }
            )
        return found


def snapshot(host: DebianHost) -> Snapshot:
    listening = host.run("ss", "-Hlntx").stdout.splitlines()
    return Snapshot(
        host.manifest(*ROOTS, exclude=EXCLUDED, units=UNITS, mtimes=True),
        frozenset(" ".join((*line.split()[:1], *line.split()[4:5])) for line in listening),
        dict(_answers(host)),
        {unit: _process(host, unit) for unit in UNITS if unit.endswith(".service")},
    )


def _answers(host: DebianHost) -> Iterator[tuple[str, str]]:
    for address, port in ADDRESSES:
        for name, path in ASKED:
            yield f"{name}{path} at {address} {port}", _answer(host, address, port, name, path)


def _answer(host: DebianHost, address: str, port: int, name: str, path: str) -> str:
    try:
        got = host.http("GET", path, host=name, address=address, port=port)
    except OSError as error:
        return type(error).__name__
    return f"{got.status} {got.headers.get('Cache-Control')} {got.body[:80]!r}"


def _process(host: DebianHost, unit: str) -> str:
    """The command line and environment that the service runs with."""
    pid = host.run("systemctl", "show", "--value", "-p", "MainPID", unit).stdout.strip()
    if pid == "0":
        return "none"
    variables = host.read(f"/proc/{pid}/environ").decode().split("\0")
    kept = sorted(line for line in variables if line.partition("=")[0] in VARIABLES)
    command = host.read(f"/proc/{pid}/cmdline").decode().replace("\0", " ").strip()
    workers = host.run("pgrep", "-c", "-P", pid, check=False).stdout.strip()
    return f"{command} {kept} {workers if unit != 'nginx.service' else ''}"


def apply(host: DebianHost, yaml: Yaml) -> None:
    host.write(YAML, json.dumps(yaml, indent=1))
    done = host.run(
        "/usr/local/bin/reconcile", "apply", "--auto-approve", cwd="/etc/reconcile", check=False
    )
    assert 0 == done.returncode, done.stdout + done.stderr


def refuse(host: DebianHost, yaml: Yaml) -> None:
    """Apply it with a probe that fails."""
    failing = deepcopy(yaml)
    failing["sites"]["shop"]["probes"] = [{"get": "/none", "expect": {"status": 299}}]
    host.write(YAML, json.dumps(failing, indent=1))
    done = host.reconcile("apply", "--auto-approve", timeout_s=120)
    assert 3 == done.returncode, done.stdout + done.stderr


def walk(
    host: DebianHost, groups: Sequence[Sequence[tuple[str, Step]]], *, fails: bool
) -> Iterator[tuple[str, dict[str, object]]]:
    """Every step of a group, then back; what each rollback did not bring back."""
    deploy(host)
    yaml = deepcopy(BASE)
    for group in groups:
        before: list[tuple[str, Snapshot]] = []
        for name, step in group:
            step(yaml, host)
            before.append((name, snapshot(host)))
            if fails:
                refuse(host, yaml)
                yield f"{name}, by a failed check", before[-1][1].changed(snapshot(host))
            apply(host, yaml)
        for name, expected in reversed(before):
            done = host.reconcile("rollback", "--auto-approve")
            # What did not answer before the apply does not answer again.
            expected_codes = (0, 3) if name in BY_HAND else (0,)
            assert done.returncode in expected_codes, done.stdout + done.stderr
            yield name, expected.changed(snapshot(host))
        apply(host, yaml)


def grouped(steps: Sequence[tuple[str, Step]]) -> list[Sequence[tuple[str, Step]]]:
    return [steps[start : start + KEPT] for start in range(0, len(steps), KEPT)]


def test_a_rollback_brings_everything_back(debian_host: DebianHost) -> None:
    groups = grouped([(name, STEPS[name]) for name in CHOSEN])

    found = {name: changed for name, changed in walk(debian_host, groups, fails=False) if changed}

    assert {} == found


@pytest.mark.nightly
@pytest.mark.parametrize("fails", [False, True], ids=["by hand", "by a failed check too"])
def test_a_rollback_of_anything_brings_everything_back(
    debian_host: DebianHost, fails: bool
) -> None:
    # What somebody did between two applies is not undone with them.
    groups = [*grouped([*STEPS.items()]), *([one] for one in BY_HAND.items())]

    found = {name: changed for name, changed in walk(debian_host, groups, fails=fails) if changed}

    assert {} == found


def test_a_rollback_to_a_number_goes_back_over_several(debian_host: DebianHost) -> None:
    deploy(debian_host)
    yaml, before = deepcopy(BASE), list[Snapshot]()
    for name in CHOSEN[:4]:
        STEPS[name](yaml, debian_host)
        before.append(snapshot(debian_host))
        apply(debian_host, yaml)
    first = json.loads(debian_host.reconcile("history", "--json").stdout)["entries"]
    number = min(entry["number"] for entry in first)

    debian_host.reconcile("rollback", "--auto-approve", "--to", str(number), check=True)

    assert {} == before[1].changed(snapshot(debian_host))
