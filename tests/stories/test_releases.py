"""New versions of an app go live while visitors come, and broken ones never do."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab import DebianHost
from tests.lab.debian import Completed
from tests.lab.fixtures import Boot
from tests.support import release_visitors
from tests.support.flask_release import flask_release
from tests.support.tally import TALLY

pytestmark = pytest.mark.host

SOURCE = "/home/dev/app"
ECHO = """
@app.post("/echo")
def echo():
    return str(len(request.get_data()))
"""
STEP = "[/usr/bin/python3, -c, \"open('made', 'w').write('by a step')\"]"
YAML = """
version: 1
sites:
  myapp:
    server_names: [example.com]
    app:
      upstream: unix:/run/gunicorn.sock
      service: gunicorn.service
      user: www-data
      gunicorn: {{python: /opt/apps-venv/bin/python, module: "app:app", workers: 2}}
      release:
        source: /home/dev/app
        into: /srv/myapp
        keep: 2
        steps: [{step}]
        ready: /healthz
    locations:
      /static/: {{role: static, dir: /var/www/myapp/static, source: "{{release}}/static"}}
    probes: [{probe}]
"""
MIGRATION = "{run: [/usr/bin/true], irreversible: true}"
COMPATIBLE = MIGRATION.replace("true}", "true, backward_compatible: true}")
FAILS_AFTERWARDS = "{get: /static/none.css}"


def declare(host: DebianHost, step: str = STEP, probe: str = "") -> None:
    host.write("/etc/reconcile/reconcile.yaml", YAML.format(step=step, probe=probe))


def lay_source(
    host: DebianHost, version: str, *, page: str = "pass", ready: int = 200, asset: str = ""
) -> None:
    host.run("rm", "-rf", SOURCE)
    text = flask_release(version, f"app.{version}.css", routes=ECHO, page=page, ready=ready)
    host.write(f"{SOURCE}/app.py", text)
    host.write(f"{SOURCE}/static/app.{asset or version}.css", f"/* {version} */")
    host.write(f"{SOURCE}/.git/config", "not part of a release")


def apply(host: DebianHost, code: int = 0) -> str:
    done = host.reconcile("apply", "--auto-approve")
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass
class Visits:
    """What visitors got in the meantime."""

    failures: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)


@contextmanager
def visited(host: DebianHost) -> Iterator[Visits]:
    """Visitors come until the end of the body; none of them may see a failure."""
    visits = Visits()
    inside = ["nsenter", "--target", str(host.leader), "--net"]
    program = str(Path(release_visitors.__file__))
    with subprocess.Popen(
        [*inside, sys.executable, "-I", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield visits
        found = json.loads(process.communicate()[0])
    TALLY["requests while releases changed"] += found["count"]
    visits.failures, visits.versions = found["failures"], found["versions"]
    assert [] == visits.failures


def served(host: DebianHost) -> str:
    return host.http("GET", "/").body.decode().rpartition(" ")[2]


def units(host: DebianHost) -> list[str]:
    listed = host.run("systemctl", "list-units", "--plain", "--no-legend", "gunicorn*").stdout
    return sorted(line.split()[0] for line in listed.splitlines())


def in_use(host: DebianHost) -> str:
    return host.run("readlink", "/srv/myapp/current").stdout.strip()


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A host that serves version 1."""
    host = module_hosts()
    lay_source(host, "1")
    declare(host)
    apply(host)
    assert "1" == served(host)
    return host


def test_a_release_belongs_to_root_and_has_what_its_steps_made(host: DebianHost) -> None:
    release = in_use(host)

    assert b"by a step" == host.read(f"{release}/made")
    owners = host.run("find", release, "-not", "-user", "root", "-o", "-perm", "/022").stdout
    assert "" == owners
    assert not host.exists(f"{release}/.git")


def test_visitors_notice_neither_a_new_version_nor_its_rollback(host: DebianHost) -> None:
    with visited(host) as visits:
        lay_source(host, "2")
        apply(host)
        assert "2" == served(host)
        host.reconcile("rollback", "--auto-approve", check=True)

    assert ["1", "2"] == visits.versions
    assert "1" == served(host)
    name = in_use(host).rpartition("/")[2]
    assert [f"gunicorn-{name}.service", f"gunicorn-{name}.socket"] == units(host)


NOT_IMPORTABLE = "pass\n\nimport none\n\ndef more():"
BROKEN = {
    "it cannot be imported": ({"page": NOT_IMPORTABLE}, STEP, "No module named 'none'"),
    "a step fails": ({}, "[/usr/bin/python3, -c, \"raise SystemExit('no column')\"]", "no column"),
    "a step hangs": ({}, "{run: [/bin/sleep, '99'], timeout: 1s}", "it did not end within 1 s"),
    "its page is an error": ({"page": "raise ValueError"}, STEP, "expected no 5xx, got 500"),
    "assets are missing": ({"asset": "other"}, STEP, "no such file: /static/app.3.css"),
}


def test_a_broken_version_never_serves_visitors(host: DebianHost) -> None:
    before = in_use(host)
    with visited(host) as visits:
        for source, step, reason in BROKEN.values():
            lay_source(host, "3", **source)  # type: ignore[arg-type]
            declare(host, step)
            assert reason in apply(host, 3)

    assert ["1"] == visits.versions
    assert before == in_use(host)
    assert 2 == len(units(host))


@pytest.mark.nightly
def test_a_version_that_is_never_ready_never_serves_visitors(host: DebianHost) -> None:
    before = served(host)
    lay_source(host, "4", ready=503)
    declare(host)

    with visited(host) as visits:
        assert "expected a status below 400, got 503" in apply(host, 3)

    assert [before] == visits.versions


def test_a_failure_after_the_switch_returns_where_the_steps_allow_it(host: DebianHost) -> None:
    before = served(host)
    lay_source(host, "5")
    declare(host, COMPATIBLE, FAILS_AFTERWARDS)

    with visited(host):
        apply(host, 3)

    assert before == served(host)


def test_over_an_irreversible_step_the_new_version_stays(host: DebianHost) -> None:
    lay_source(host, "6")
    declare(host, MIGRATION, FAILS_AFTERWARDS)

    text = apply(host, 1)

    assert "6" == served(host)
    assert "It was not rolled back: `/usr/bin/true` of release" in text
    declare(host, MIGRATION)
    apply(host)


def test_a_rollback_over_an_irreversible_step_warns_of_it(host: DebianHost) -> None:
    lay_source(host, "7")
    apply(host)

    done = host.reconcile("rollback", "--auto-approve")

    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Warning: `/usr/bin/true` of release" in done.stdout
    assert "6" == served(host)


@pytest.mark.nightly
def test_an_environment_file_that_the_app_cannot_start_with_is_never_noticed(
    host: DebianHost,
) -> None:
    file = "/etc/myapp/app.env"
    yaml = YAML.format(step=STEP, probe="").replace(
        "workers: 2", f"workers: 2, environment_file: {file}"
    )
    host.write(file, "MODE=one\n")
    host.write("/etc/reconcile/reconcile.yaml", yaml)
    apply(host)

    with visited(host):
        host.write(file, "PYTHONHOME=/nowhere\n")
        assert "fails the check before its start" in apply(host, 3)
        host.write(file, "MODE=two\n")
        apply(host)


@pytest.mark.parametrize("after_s", [2.5, pytest.param(1.5, marks=pytest.mark.nightly)])
def test_a_killed_apply_is_finished_by_the_next_one(host: DebianHost, after_s: float) -> None:
    lay_source(host, f"killed-{after_s}")
    declare(host)
    with visited(host):
        killed = kill_apply(host, after_s)
        apply(host)

    assert f"killed-{after_s}" == served(host), killed.stdout
    assert 2 == len(units(host))
    assert 2 == len(host.run("ls", "/srv/myapp/releases").stdout.split())


def kill_apply(host: DebianHost, after_s: float) -> Completed:
    command = f"timeout -s KILL {after_s} /usr/local/bin/reconcile apply --auto-approve; true"
    return host.run("sh", "-c", command, cwd="/etc/reconcile")
