"""Gunicorn by its unit and socket on a booted Debian host: Debian's own and the current one."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.python_on_host import RefusedError, inside

pytestmark = pytest.mark.host

APP = """
import os
from flask import Flask, request
app = Flask(__name__)

@app.get("/")
def index():
    return f"version 1 uid {os.getuid()}"

@app.post("/write")
def write():
    with open(request.args["path"], "x") as file:
        file.write("x")
    return "written"
"""
PYTHONS = {"debian": "/usr/bin/python3", "current": "/opt/apps-venv/bin/python"}

RENDER = """
from reconcile.resources.gunicorn_units import unit_texts
from reconcile.engine.digest import digest
from reconcile.engine.resource import Owner
from reconcile.resources.service import Service
from reconcile.resources.unit import Unit
from reconcile.resources.gunicorn_params import GunicornParams

view = GunicornParams(**{**values["view"], "writable": tuple(values["view"]["writable"])})
service_text, socket_text = unit_texts(view)
texts = {view.service: service_text, **({view.socket: socket_text} if view.socket else {})}
units = [Unit(path=f"/etc/systemd/system/{name}", content=text, user="root", group="root")
         for name, text in sorted(texts.items(), reverse=True)]
services_ = [Service(unit=name, enabled=True, active=True, runs=digest(text.encode()))
             for name, text in sorted(texts.items(), reverse=True)]
everything = [*units, *services_]
root = Owner("root", "root")

def put():
    for resource in everything:
        before = resource.observe(host)
        if before is None or before.managed() != resource.managed():
            whole = resource.as_created(root) if before is None else (
                resource.with_defaults_from(before))
            whole.apply(host, before)

def differences():
    seen = [resource.observe(host) for resource in everything]
    return [[resource.name, resource.managed(), now and now.managed()]
            for resource, now in zip(everything, seen)
            if now is None or now.managed() != resource.managed()]
"""


@pytest.fixture(scope="module")
def debian(module_hosts: Boot) -> DebianHost:
    """One host for the whole module: every test has an app of its own."""
    return module_hosts()


def an_app(debian: DebianHost, name: str, **changes: object) -> dict[str, object]:
    """A Flask app on the host and the view of it."""
    debian.write(f"/srv/{name}/{name}_app.py", APP)
    debian.run("install", "-d", "-o", "www-data", "-g", "www-data", f"/var/www/{name}/media")
    return {
        "site": name,
        "service": f"{name}.service",
        "socket": f"{name}.socket",
        "directory": f"/srv/{name}",
        "python": PYTHONS["debian"],
        "module": f"{name}_app:app",
        "workers": 2,
        "bind": f"unix:/run/{name}.sock",
        "user": "www-data",
        "group": "www-data",
        "writable": (f"/var/www/{name}/media",),
        "umask": 0o027,
        "connecting_user": "www-data",
        **changes,
    }


def with_units(debian: DebianHost, view: dict[str, object], code: str) -> Any:
    return inside(debian, RENDER + textwrap.dedent(code), values={"view": view})


def invocation(debian: DebianHost, unit: str) -> str:
    """systemd's name for the present run of the unit."""
    return debian.run("systemctl", "show", "-P", "InvocationID", unit).stdout.strip()


def curl(debian: DebianHost, socket: str, *arguments: str, user: str = "www-data") -> str:
    command = ("curl", "-sS", "-m", "10", "--unix-socket", socket, *arguments)
    done = debian.run(*command, user=user, check=False)
    return done.stdout or done.stderr


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("folder", ["", "own/"])
def test_gunicorn_serves_through_the_socket(debian: DebianHost, python: str, folder: str) -> None:
    name = f"serve{python}{folder.strip('/')}"
    socket = f"/run/{folder and name + '/'}{name}.sock"
    view = an_app(debian, name, python=PYTHONS[python], bind=f"unix:{socket}")

    left = with_units(debian, view, "put(); return differences()")

    assert [] == left
    assert "version 1 uid 33" == curl(debian, socket, "http://app/")
    status = debian.run("stat", "-c", "%U:%G %a", socket).stdout.strip()
    assert "www-data:www-data 660" == status


def test_gunicorn_on_a_port_needs_no_socket_unit(debian: DebianHost) -> None:
    view = an_app(debian, "tcp", socket=None, bind="127.0.0.1:8123")

    left = with_units(debian, view, "put(); return differences()")

    assert [] == left
    assert "version 1 uid 33" == debian.http("GET", "/", port=8123).body.decode()


def test_no_other_user_can_connect_to_the_socket(debian: DebianHost) -> None:
    with_units(debian, an_app(debian, "closed"), "put()")

    assert "Couldn't connect" in curl(debian, "/run/closed.sock", "http://app/", user="games")


def test_the_app_writes_media_with_the_declared_modes_and_nothing_else(debian: DebianHost) -> None:
    debian.run("install", "-d", "-o", "www-data", "/srv/elsewhere")
    with_units(debian, an_app(debian, "writer"), "put()")

    def write(path: str) -> str:
        return curl(debian, "/run/writer.sock", "-d", "", f"http://app/write?path={path}")

    assert "written" == write("/var/www/writer/media/a.txt")
    assert "Internal Server Error" in write("/srv/elsewhere/a.txt")
    mode = debian.run("stat", "-c", "%a", "/var/www/writer/media/a.txt").stdout.strip()
    assert "640" == mode
    assert not debian.exists("/srv/elsewhere/a.txt")


def test_systemd_finds_no_fault_and_little_exposure(debian: DebianHost) -> None:
    with_units(debian, an_app(debian, "safe"), "put()")

    verified = debian.run("systemd-analyze", "verify", "safe.service", "safe.socket", check=False)
    security = ("systemd-analyze", "security", "--no-pager", "--threshold=30", "safe.service")

    assert (0, "", "") == (verified.returncode, verified.stdout, verified.stderr)
    assert 0 == debian.run(*security, check=False).returncode


def test_a_stopped_service_is_a_difference_although_its_socket_listens(debian: DebianHost) -> None:
    view = an_app(debian, "idle")
    with_units(debian, view, "put()")

    debian.run("systemctl", "stop", "idle.service")
    left = with_units(debian, view, "return differences()")
    fixed = with_units(debian, view, "put(); return differences()")

    assert ["idle.service"] == [name for name, _, _ in left]
    assert [(False, "nothing")] == [(now["active"], now["runs"]) for _, _, now in left]
    assert [] == fixed


@pytest.mark.parametrize("unit", ["service", "socket"])
def test_an_edited_unit_file_is_put_back_and_restarts_nothing(
    debian: DebianHost, unit: str
) -> None:
    view = an_app(debian, f"edited{unit}")
    with_units(debian, view, "put()")
    runs = invocation(debian, f"edited{unit}.{unit}")
    path = f"/etc/systemd/system/edited{unit}.{unit}"

    debian.run("sh", "-c", f"echo '# edited' >> {path}")
    left = with_units(debian, view, "return differences()")
    fixed = with_units(debian, view, "put(); return differences()")

    assert [path] == [name for name, _, _ in left]
    assert [] == fixed
    assert b"# edited" not in debian.read(path)
    assert runs == invocation(debian, f"edited{unit}.{unit}")
    assert "version 1" in curl(debian, f"/run/edited{unit}.sock", "http://app/")


def test_a_service_started_from_an_edited_unit_file_is_restarted(debian: DebianHost) -> None:
    view = an_app(debian, "restarted")
    with_units(debian, view, "put()")
    path = "/etc/systemd/system/restarted.service"

    debian.run("sh", "-c", f"echo '# edited' >> {path}; systemctl daemon-reload")
    debian.run("systemctl", "restart", "restarted.service")
    left = with_units(debian, view, "return differences()")
    fixed = with_units(debian, view, "put(); return differences()")

    assert [path, "restarted.service"] == [name for name, _, _ in left]
    assert [] == fixed
    assert "version 1" in curl(debian, "/run/restarted.sock", "http://app/")


def test_a_changed_mode_of_the_unit_file_restarts_nothing(debian: DebianHost) -> None:
    view = an_app(debian, "quiet")
    with_units(debian, view, "put()")
    pid = debian.run("systemctl", "show", "-P", "MainPID", "quiet.service").stdout

    debian.run("chmod", "0666", "/etc/systemd/system/quiet.service")
    left = with_units(debian, view, "left = differences(); put(); return [left, differences()]")

    assert ["/etc/systemd/system/quiet.service"] == [name for name, _, _ in left[0]]
    assert [] == left[1]
    assert pid == debian.run("systemctl", "show", "-P", "MainPID", "quiet.service").stdout


def test_a_second_put_restarts_nothing(debian: DebianHost) -> None:
    view = an_app(debian, "twice")
    with_units(debian, view, "put()")
    pid = debian.run("systemctl", "show", "-P", "MainPID", "twice.service").stdout

    with_units(debian, view, "put()")

    assert pid == debian.run("systemctl", "show", "-P", "MainPID", "twice.service").stdout


REMOVE = """
for resource in [*reversed(services_), *reversed(units)]:
    there = type(resource).from_name(resource.name).observe(host)
    assert "" == there.why_not_removable(frozenset())
    there.delete(host)
    assert type(resource).from_name(resource.name).observe(host) is None
"""


def test_what_is_removed_is_stopped_disabled_and_forgotten(debian: DebianHost) -> None:
    view = an_app(debian, "gone")
    with_units(debian, view, "put()")

    with_units(debian, view, REMOVE)

    assert "" == debian.run("systemctl", "list-units", "--all", "--plain", "-q", "gone.*").stdout
    assert "" == debian.run("find", "/etc/systemd", "/run", "-name", "gone.*").stdout


def test_a_foreign_service_stays(debian: DebianHost) -> None:
    why = inside(
        debian,
        """
        from reconcile.resources.service import Service
        nginx = Service.from_name("nginx.service").observe(host)
        nginx.delete(host)
        return nginx.why_not_removable(frozenset())
        """,
    )

    assert "reconcile did not create its unit, so it is not stopped" == why
    assert "active" == debian.run("systemctl", "is-active", "nginx").stdout.strip()


def test_a_rollback_of_new_units_leaves_nothing_behind(debian: DebianHost) -> None:
    debian.run("mkdir", "-p", "/var/lib/keep")
    view = an_app(debian, "undone")

    notes = with_units(
        debian,
        view,
        "host.recorder = journal = Journal(); put(); return journal.roll_back(host)",
    )

    assert [] == notes
    assert "" == debian.run("systemctl", "list-units", "--all", "--plain", "-q", "undone.*").stdout
    assert "" == debian.run("find", "/etc/systemd", "-name", "*undone*").stdout
    assert not debian.exists("/run/undone.sock")


def test_a_broken_app_does_not_start_and_the_old_one_runs_again(debian: DebianHost) -> None:
    debian.run("mkdir", "-p", "/var/lib/keep")
    view = an_app(debian, "back")
    with_units(debian, view, "put()")
    before = debian.manifest("/etc/systemd", units=("back.service", "back.socket"))

    reported = with_units(
        debian,
        {**view, "module": "nonsense:app"},
        """
        host.recorder = journal = Journal()
        try:
            put()
        except ReconcileError as error:
            return [error.what, error.why, journal.roll_back(host)]
        """,
    )

    assert "systemctl restart back.service failed" == reported[0]
    assert "No module named 'nonsense'" in reported[1]
    assert [] == reported[2]
    assert before == debian.manifest("/etc/systemd", units=("back.service", "back.socket"))
    assert [] == with_units(debian, view, "return differences()")
    assert "version 1" in curl(debian, "/run/back.sock", "http://app/")


def test_a_rollback_of_a_removal_brings_the_service_back(debian: DebianHost) -> None:
    debian.run("mkdir", "-p", "/var/lib/keep")
    view = an_app(debian, "kept")
    with_units(debian, view, "put()")

    notes = with_units(
        debian,
        view,
        "host.recorder = journal = Journal()\n" + REMOVE + "return journal.roll_back(host)",
    )

    assert [] == notes
    assert [] == with_units(debian, view, "return differences()")
    assert "version 1" in curl(debian, "/run/kept.sock", "http://app/")


def test_a_missing_user_is_reported_before_anything_changes(debian: DebianHost) -> None:
    view = an_app(debian, "nouser", user="nobody-there", group=None)

    with pytest.raises(RefusedError) as refused:
        with_units(debian, view, "put()")

    assert "nouser.service failed" in refused.value.what
    assert "user" in refused.value.why.lower()


REHEARSE = """
from reconcile.engine.model import Change
from reconcile.resources.service import Service
service = Service(unit=unit, enabled=True, active=True)
service.preflight(host, [Change(service.ref, service.observe(host), service)])
"""


@pytest.mark.parametrize(
    ("unit", "why", "fix"),
    [
        ("absent.service", "the host has no unit of that name", "Install the package of"),
        ("hidden.service", "it is masked", "systemctl unmask hidden.service"),
    ],
)
def test_a_service_that_cannot_start_is_refused_before_anything_changes(
    debian: DebianHost, unit: str, why: str, fix: str
) -> None:
    debian.run("systemctl", "mask", "hidden.service")

    with pytest.raises(RefusedError, match="cannot be started") as refused:
        inside(debian, REHEARSE, unit=unit)

    assert why == refused.value.why
    assert fix in refused.value.fix


FOREWARN = """
from reconcile.engine.model import Change
from reconcile.errors import ReconcileError
from reconcile.resources.service import Service
from reconcile.system.planned_host import PlannedHost
world = PlannedHost(host)
for path in units:
    world.files.plan(path, b"[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=a.target\\n")
service = Service(unit=unit, enabled=True, active=True)
try:
    service.preflight(world, (Change(service.ref, None, service),))
except ReconcileError as error:
    return [(error.rule, error.what, error.why, error.fix)]
return []
"""


def test_a_plan_reports_a_missing_unit_before_an_apply_refuses_it(
    debian: DebianHost,
) -> None:
    [[rule, what, why, fix]] = inside(debian, FOREWARN, unit="absent.service", units=[])

    assert ("service-missing", "absent.service cannot be started") == (rule, what)
    assert "the host has no unit of that name" == why
    assert "app.gunicorn" in fix


def test_a_unit_that_is_made_by_the_plan_is_not_missing(debian: DebianHost) -> None:
    units = ["/etc/systemd/system/absent.service"]

    assert [] == inside(debian, FOREWARN, unit="absent.service", units=units)


def test_a_service_that_can_start_is_not_refused(debian: DebianHost) -> None:
    inside(debian, REHEARSE, unit="nginx.service")
    inside(debian, REHEARSE.replace("[Change(", "[] and [Change("), unit="absent.service")


WORKER = """
import os, time
from pathlib import Path
secret = Path(os.environ["CREDENTIALS_DIRECTORY"], "job.env").read_text()
Path("/var/lib/jobs/started").write_text(os.environ["WHO"] + " " + secret)
"""
STAYS = "time.sleep(1000)\n"
FILE = "/etc/reconcile/reconcile.yaml"
SECRET = """version: 1
paths:
  /etc/jobs/job.env:
    {{owner: {{user: root, group: root, files: "0600"}}, content: "WHO={who}\\n", sensitive: true}}
"""
SERVICES = """services:
  jobs-worker:
    command: [/usr/bin/python3, /srv/jobs/worker.py]
    user: www-data
    code: /srv/jobs
    environment_file: /etc/jobs/job.env
    writable: [/var/lib/jobs]
  jobs-nightly: {command: [/bin/true], user: www-data, schedule: "Mon..Fri 03:30"}
"""


def state(debian: DebianHost, unit: str) -> tuple[str, str]:
    """Whether systemd has the unit active, and whether it starts at boot."""
    return (
        debian.run("systemctl", "is-active", unit, check=False).stdout.strip(),
        debian.run("systemctl", "is-enabled", unit, check=False).stdout.strip(),
    )


def apply_services(debian: DebianHost, who: str = "one", services: str = SERVICES) -> Any:
    debian.write(FILE, SECRET.format(who=who) + services)
    return debian.reconcile("apply", "--auto-approve")


def test_a_worker_follows_its_code_and_a_timer_its_entry(debian: DebianHost) -> None:
    debian.write("/srv/jobs/worker.py", WORKER + STAYS)

    first = apply_services(debian)
    assert 0 == first.returncode, first.stderr
    assert ("active", "enabled") == state(debian, "jobs-worker.service")
    assert ("active", "enabled") == state(debian, "jobs-nightly.timer")
    assert ("inactive", "disabled") == state(debian, "jobs-nightly.service")
    assert b"one WHO=one\n" == debian.read("/var/lib/jobs/started")

    run = invocation(debian, "jobs-worker.service")
    debian.run("touch", "/srv/jobs/worker.py")
    assert 0 == debian.reconcile("plan", "--detailed-exitcode").returncode
    debian.write("/srv/jobs/worker.py", "# new\n" + WORKER + STAYS)
    assert 0 == apply_services(debian).returncode
    assert run != invocation(debian, "jobs-worker.service")

    debian.write("/srv/jobs/worker.py", WORKER + "time.sleep(1)\nraise OSError('no broker')\n")
    broken = apply_services(debian, "three")
    assert 3 == broken.returncode
    assert "no broker" in broken.stderr
    assert b"WHO=one\n" == debian.read("/etc/jobs/job.env")

    assert 0 == apply_services(debian, services="").returncode
    assert {"inactive"} == {
        state(debian, unit)[0]
        for unit in ("jobs-worker.service", "jobs-nightly.timer", "jobs-nightly.service")
    }
    assert "" == debian.run("find", "/etc/systemd/system", "-name", "jobs-*").stdout


@pytest.mark.nightly
def test_a_worker_follows_its_secret_and_becomes_a_job(debian: DebianHost) -> None:
    debian.write("/srv/jobs/worker.py", WORKER + STAYS)
    as_worker = SERVICES.replace(', schedule: "Mon..Fri 03:30"', "").replace(
        "/bin/true", "/bin/cat, /dev/zero"
    )

    assert 0 == apply_services(debian, services=as_worker).returncode
    assert ("active", "enabled") == state(debian, "jobs-nightly.service")
    assert not debian.exists("/etc/systemd/system/jobs-nightly.timer")

    assert 0 == apply_services(debian, "two").returncode
    assert b"two WHO=two\n" == debian.read("/var/lib/jobs/started")
    assert ("inactive", "disabled") == state(debian, "jobs-nightly.service")

    assert 0 == apply_services(debian, "two", services=as_worker).returncode
    assert ("active", "enabled") == state(debian, "jobs-nightly.service")
    assert 0 == apply_services(debian, services="").returncode


CODED = """version: 1
sites:
  coded:
    server_names: [coded.test]
    app:
      code: /srv/coded
      gunicorn: {directory: /srv/coded, python: /usr/bin/python3, module: "coded_app:app"}
"""


def test_new_code_is_served_after_an_apply_and_broken_code_never(debian: DebianHost) -> None:
    def applied(text: str) -> Any:
        debian.write("/srv/coded/coded_app.py", text)
        debian.write(FILE, CODED)
        return debian.reconcile("apply", "--auto-approve")

    def served() -> str:
        return curl(debian, "/run/gunicorn-coded.sock", "http://coded.test/")

    assert 0 == applied(APP).returncode
    run = invocation(debian, "gunicorn-coded.service")
    assert 0 == applied(APP).returncode
    assert (run, "version 1 uid 33") == (invocation(debian, "gunicorn-coded.service"), served())

    assert 0 == applied(APP.replace("version 1", "version 2")).returncode
    assert "version 2 uid 33" == served()

    broken = applied("import nothing_here\n")
    assert 3 == broken.returncode
    assert "nothing_here" in broken.stderr
    assert "version 2 uid 33" == served()
    assert "" == debian.run("find", "/run/systemd/system", "-name", "reconcile-check*").stdout
