"""The recipes of Gunicorn, releases and services, applied on a booted host and used."""

from __future__ import annotations

import pytest

from tests.support.proven_recipes import proves
from tests.support.recipe_host import DEPLOY, RecipeHost
from tests.support.wait import wait_for

pytestmark = [pytest.mark.host, pytest.mark.nightly]

UNIT = "gunicorn-myapp.service"


@proves("A Flask app with uploads")
def test_an_upload_comes_back_from_media_and_in_parts(site: RecipeHost) -> None:
    site.make_venv()

    site.apply()

    site.visitor.write("/root/photo.txt", "what was sent")
    sent = site.get("http://example.com/upload", "--form", "file=@/root/photo.txt")
    fetched = site.get("http://example.com/media/photo.txt")
    part = site.get("http://example.com/media/photo.txt", "--range", "5-7")
    assert 200 == sent.status
    assert (200, "what was sent") == (fetched.status, fetched.body)
    assert ["public, max-age=86400"] == fetched.lines("Cache-Control")
    assert (206, "was") == (part.status, part.body)
    assert ["public, max-age=604800"] == (
        site.get("http://example.com/static/app.css").lines("Cache-Control")
    )
    assert "version 1" in site.get("http://example.com/").body


@proves("A new release of the code")
def test_changed_code_is_planned_and_served(site: RecipeHost) -> None:
    site.make_venv()
    site.apply()
    site.host.run("sed", "-i", 's/^VERSION = "1"/VERSION = "2"/', "/srv/myapp/app.py")

    planned = site.reconcile("plan", "--detailed-exitcode", code=2).stdout
    site.apply()

    assert "app.py" in planned
    assert "version 2" in site.get("http://example.com/").body


@proves("A new release of the app beside the one in use")
def test_a_new_version_serves_from_a_folder_of_its_own(site: RecipeHost) -> None:
    site.host.run("rm", "-r", "/srv/myapp")
    site.apply()
    first = site.host.run("readlink", "-f", "/srv/myapp/current").stdout
    assert "version 1" in site.get("http://example.com/").body
    site.host.run("sed", "-i", 's/^VERSION = "1"/VERSION = "2"/', f"{DEPLOY}/app/app.py")

    site.apply()

    assert "version 2" in site.get("http://example.com/").body
    assert first != site.host.run("readlink", "-f", "/srv/myapp/current").stdout
    assert 200 == site.get("http://example.com/static/app.css").status


@proves("An ASGI app")
def test_an_asgi_app_answers_and_takes_websockets(site: RecipeHost) -> None:
    site.make_venv()

    site.apply()

    assert "asgi: http /page" == site.get("http://example.com/page").body
    assert "echo hello" == site.echoed("/chat", "hello")


@proves("Workers, threads and timeouts")
def test_gunicorn_runs_with_these_options(site: RecipeHost) -> None:
    site.make_venv()

    site.apply()

    command = site.host.run("systemctl", "show", "--value", "-p", "ExecStart", UNIT).stdout
    pid = site.host.run("systemctl", "show", "--value", "-p", "MainPID", UNIT).stdout.strip()
    children = ("pgrep", "--count", "--parent", pid)
    wait_for(lambda: site.host.run(*children, check=False).stdout == "4\n", "four workers")
    for words in ("--threads 2", "--max-requests 1000", "--worker-tmp-dir /dev/shm"):
        assert words in command.replace("=", " ")
    assert "slept" == site.get("http://example.com/sleep/35").body, "Gunicorn's own limit is 30 s"


@proves("Secrets in an environment file")
def test_a_changed_secret_reaches_the_app(site: RecipeHost) -> None:
    site.make_venv()
    shown = site.apply()
    assert "first" == site.get("http://example.com/environment/SECRET").body
    site.host.write(f"{DEPLOY}/app.env", "SECRET=second\n")

    shown += site.apply()

    assert "second" == site.get("http://example.com/environment/SECRET").body
    assert ("first" in shown, "second" in shown) == (False, False)
    found = site.host.testinfra.file("/etc/myapp/app.env")
    assert ("root", "www-data", 0o640) == (found.user, found.group, found.mode)


@proves("A unit of one's own")
def test_a_unit_of_ones_own_is_started_and_restarted_as_it_changes(site: RecipeHost) -> None:
    site.apply()
    before = site.started("myapp.service")
    assert "version 1" in site.get("http://example.com/").body
    site.host.run("sed", "-i", "s/app:app/--workers 2 app:app/", f"{DEPLOY}/myapp.service")

    site.apply()

    assert before != site.started("myapp.service")
    assert "version 1" in site.get("http://example.com/").body
    assert "enabled\n" == site.host.run("systemctl", "is-enabled", "myapp.service").stdout


@proves("SQLite beside the app")
def test_the_app_writes_its_database_and_nothing_else(site: RecipeHost) -> None:
    site.make_venv()

    site.apply()

    posted = [site.get("http://example.com/notes", "--request", "POST").body for _ in range(2)]
    assert ["1", "2"] == posted
    before = site.started(UNIT)
    site.apply()
    assert before == site.started(UNIT)


@proves("A Celery worker")
def test_a_worker_does_a_task_and_is_restarted_with_its_code(site: RecipeHost) -> None:
    site.make_venv()
    code = "from celery import Celery\napp = Celery('app', broker=URL, backend=URL)\n"
    code += "@app.task(name='double')\ndef double(n): return n * {}\n"
    url = "URL = 'redis://127.0.0.1/0'\n"
    site.host.write("/srv/myapp/app.py", url + code.format(2))
    site.host.run("systemctl", "start", "redis-server")
    asking = "from app import double; print(double.delay(21).get(timeout=50))"
    ask = ("/srv/myapp/.venv/bin/python", "-B", "-c", asking)
    site.apply()
    before = site.started("myapp-worker.service")
    assert "42\n" == site.host.run(*ask, cwd="/srv/myapp").stdout
    site.host.write("/srv/myapp/app.py", url + code.format(3))

    site.apply()

    assert before != site.started("myapp-worker.service")
    assert "63\n" == site.host.run(*ask, cwd="/srv/myapp").stdout


@proves("A scheduled job")
def test_the_timer_starts_the_job(site: RecipeHost) -> None:
    site.make_venv()
    site.apply()
    assert "enabled\n" == site.host.run("systemctl", "is-enabled", "myapp-cleanup.timer").stdout
    stamp = "/var/lib/systemd/timers/stamp-myapp-cleanup.timer"

    site.host.run("systemctl", "stop", "myapp-cleanup.timer")
    site.host.run("touch", "--date", "3 days ago", stamp)
    site.host.run("systemctl", "start", "myapp-cleanup.timer")

    log = ("journalctl", "--unit", "myapp-cleanup.service", "--output", "cat")
    wait_for(lambda: "cleaned up" in site.host.run(*log).stdout, "the job")
    site.reconcile("plan", "--detailed-exitcode")


@proves("One file for staging and production")
def test_one_file_serves_two_names(site: RecipeHost) -> None:
    site.make_venv()

    site.apply("--var", "domain=staging.example.com", "--var", "workers=1")

    assert "version 1" in site.get("http://staging.example.com/").body
    moved = site.get("http://www.staging.example.com/a")
    assert ["http://staging.example.com/a"] == moved.lines("Location")
    assert "workers 1" in site.host.read(f"/etc/systemd/system/{UNIT}").decode().replace("=", " ")


CONTAINER = (
    *("podman", "--cgroup-manager=cgroupfs", "run", "--detach", "--name=web"),
    # The test's host is a container itself: its groups and its network are not its own to divide.
    *("--cgroups=disabled", "--network=host", "--user=33:33", "--workdir=/srv/myapp"),
    *("--volume=/usr:/usr:ro", "--volume=/opt/apps-venv:/opt/apps-venv:ro"),
    *("--volume=/var/www/myapp/media:/app/media", "--rootfs", "/srv/image"),
    *("/opt/apps-venv/bin/gunicorn", "--bind", "127.0.0.1:8000", "app:app"),
)
# Programs are the host's own; /bin and the like are links into /usr.
IMAGE = """
mkdir /srv/image
cd /srv/image
mkdir -p app/media dev etc opt/apps-venv proc srv sys tmp usr
chmod 1777 tmp
cp -a /bin /lib /lib64 /sbin .
cp -a /etc/passwd /etc/group etc
cp -a /srv/myapp srv
sed -i s#/var/www/myapp/media#/app/media# srv/myapp/app.py
"""


@proves("An app in a container")
def test_a_container_saves_uploads_that_nginx_serves(site: RecipeHost) -> None:
    # Its folder of uploads has to be there before the container starts.
    site.host.run("install", "-d", "-o", "www-data", "-g", "www-data", "/var/www/myapp/media")
    site.host.run("sh", "-euc", IMAGE)
    # The test's host is an overlay itself.
    storage = '[storage]\ndriver = "vfs"\nrunroot = "/run/pods"\ngraphroot = "/srv/pods"\n'
    site.host.write("/etc/containers/storage.conf", storage)
    site.host.run(*CONTAINER)
    site.wait_for_port(8000)

    site.apply()

    site.visitor.write("/root/photo.txt", "what was sent")
    site.get("http://example.com/upload", "--form", "file=@/root/photo.txt")
    assert "what was sent" == site.get("http://example.com/media/photo.txt").body
