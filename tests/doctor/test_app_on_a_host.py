"""The import of a hostile app on a booted host, by the command itself."""

from __future__ import annotations

import json
import time

import pytest

from tests.doctor.conftest import Said, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site

pytestmark = pytest.mark.host

YAML = site.with_line("max_upload: 20MB").replace(
    "      user: www-data\n",
    "      user: www-data\n      flask: {directory: /srv/asked, module: 'app:app'}\n",
)
HOSTILE = """
import contextlib, os, signal, socket, subprocess, time

def attempt(errand):
    with contextlib.suppress(OSError):
        errand()

for path in ("/var/www/myapp/media/harm", "/tmp/harm", "/srv/asked/harm", "/dev/shm/harm"):
    attempt(lambda: open(path, "w").write("harm"))
attempt(lambda: os.unlink("/var/www/myapp/media/kept.txt"))
attempt(lambda: subprocess.run(["touch", "/var/www/myapp/media/harm"], check=False))
def nginx():
    socket.create_connection(("127.0.0.1", 80), 1).send(b"GET /harm HTTP/1.0\\r\\n\\r\\n")
attempt(nginx)
def gunicorn():
    s = socket.socket(socket.AF_UNIX)
    s.connect("/run/gunicorn.sock")
    s.send(b"GET /harm HTTP/1.0\\r\\n\\r\\n")
attempt(gunicorn)
for pid in range(2, 3000):
    attempt(lambda: os.kill(pid, signal.SIGKILL))
for _ in range(10):
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
{end}
"""
FOLDERS = "/var/www /srv /tmp /dev/shm /etc /run/lock /run/gunicorn.sock"
FAILS = {
    "exits": ("os._exit(0)", "ended the process (exit status 0)"),
    "raises": ("raise SystemExit('no')", "SystemExit: no"),
    "connects": ("socket.create_connection(('127.0.0.1', 80))", "Network is unreachable"),
    "writes": ("open('/srv/asked/app.py', 'a')", "Read-only file system"),
}
UNKNOWN = {
    "sleeps": ("time.sleep(600)", "did not end within 10 s"),
    "loops": ("while True: pass", "did not end within 10 s"),
    "takes memory": ("x = b'1' * (4 << 30)", "memory"),
    "forks": ("while True: os.fork()", "in a sandbox"),
    "answers without end": ("while True: os.write(3, b'[' * 65536)", "exceeds 1024 KiB"),
    "answers at length": (
        "os.write(3, b'{\"facts\": ' + b'[' * (2 << 20)); os._exit(0)", "exceeds 1024 KiB"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("hostile")
    site.deploy(host, YAML)
    host.write("/srv/asked/app.py", "")
    site.apply(host)
    host.write("/var/www/myapp/media/kept.txt", "kept", user="www-data")
    host.run("chown", "-R", "www-data", "/srv/asked")
    return host


def processes(host: DebianHost) -> set[str]:
    """Every process of the app's user, by id and command."""
    told = host.run("ps", "-u", "www-data", "-o", "pid=,args=").stdout
    return {line.strip() for line in told.splitlines()}


@pytest.mark.parametrize(("end", "why"), FAILS.values(), ids=FAILS)
def test_app_import_can_not_hurt_a_host(host: DebianHost, end: str, why: str) -> None:
    said = asked(host, end)

    [finding] = said.of("app-import")
    assert "app:app of myapp cannot be imported" in finding["what"]
    assert why in finding["what"]
    assert [] == said.unknown, json.dumps(said.unknown)


@pytest.mark.parametrize(("end", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_app_import_beyond_the_limits_of_the_sandbox_is_unknown(
    host: DebianHost, end: str, why: str
) -> None:
    said = asked(host, end)

    assert [] == said.of("app-import")
    [unknown] = said.unknown
    assert why in unknown["reason"], json.dumps(unknown)


def asked(host: DebianHost, end: str) -> Said:
    """What doctor reports of the hostile app, which has changed nothing and reached nobody."""
    host.write("/srv/asked/app.py", HOSTILE.replace("{end}", end), user="www-data")
    folders = f"find {FOLDERS} -mindepth 1 -printf '%p %m %u %s %T@ %C@\\n' | sort"
    logs = "cat /var/log/nginx/access.log; journalctl -u gunicorn --output=cat"
    before = processes(host), host.run("sh", "-c", folders).stdout
    began = time.monotonic()

    said = doctor(host)

    assert time.monotonic() - began < 30
    assert before == (processes(host), host.run("sh", "-c", folders).stdout)
    assert "/harm" not in host.run("sh", "-c", logs).stdout
    return said
