"""The test hosts themselves: what other tests rest on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import CommandFailedError, DebianHost, Lab
from tests.lab.cache import cache_folder
from tests.lab.fixtures import Boot
from tests.lab.lab import sweep
from tests.lab.manifest import differences

pytestmark = pytest.mark.host

DIES_WITH_A_HOST = """
import os, signal
from tests.lab import images
from tests.lab.lab import Lab
print(Lab(images.layers()).boot().id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    return module_hosts()


def test_a_host_runs_stock_nginx_under_systemd(host: DebianHost) -> None:
    assert "systemd\n" == host.run("cat", "/proc/1/comm").stdout
    assert "active\n" == host.run("systemctl", "is-active", "nginx.service").stdout
    assert host.exists("/etc/nginx/sites-enabled/default")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_request_is_made_inside_the_host(host: DebianHost, address: str) -> None:
    answer = host.http("GET", "/", address=address)

    assert 200 == answer.status
    assert b"Welcome to nginx" in answer.body


def test_the_tool_is_installed_apart_from_the_checkout(host: DebianHost) -> None:
    script = "import reconcile; print(reconcile.__file__)"
    found = host.run("/opt/reconcile/bin/python", "-I", "-c", script).stdout

    assert found.startswith("/opt/reconcile/lib/")
    assert host.testinfra.file("/usr/local/bin/reconcile").is_executable
    assert not host.exists(str(Path(__file__)))


def test_apps_find_gunicorn_and_flask(host: DebianHost) -> None:
    host.run("/opt/apps-venv/bin/python", "-c", "import flask, gunicorn")
    assert host.testinfra.file("/opt/apps-venv/bin/gunicorn").is_executable


def test_a_command_runs_as_the_user_asked_for(host: DebianHost) -> None:
    assert (
        "www-data www-data\n"
        == host.run("sh", "-c", "echo $(id -un) $(id -gn)", user="www-data").stdout
    )


def test_a_failing_command_raises_unless_unchecked(host: DebianHost) -> None:
    assert 3 == host.run("sh", "-c", "exit 3", check=False).returncode
    with pytest.raises(CommandFailedError, match="exited 3"):
        host.run("sh", "-c", "exit 3")


def test_a_command_out_of_time_is_killed_inside_the_host(host: DebianHost) -> None:
    with pytest.raises(CommandFailedError, match="killed"):
        host.run("sleep", "1234", timeout_s=0.2)

    assert 1 == host.run("pgrep", "-f", "^sleep 1234", check=False).returncode


def test_what_is_written_is_read_back_with_its_owner_and_mode(host: DebianHost) -> None:
    host.write("/srv/a/b.bin", b"\x00\xff", mode="0640", group="www-data")

    assert b"\x00\xff" == host.read("/srv/a/b.bin")
    assert ("root", "www-data", 0o640) == (
        host.testinfra.file("/srv/a/b.bin").user,
        host.testinfra.file("/srv/a/b.bin").group,
        host.testinfra.file("/srv/a/b.bin").mode,
    )


def test_a_folder_is_put_whole_and_belongs_to_root(host: DebianHost, tmp_path: Path) -> None:
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "app.css").write_text("body {}")

    host.put_tree(tmp_path, "/srv/tree")

    assert b"body {}" == host.read("/srv/tree/css/app.css")
    assert "root" == host.testinfra.file("/srv/tree/css/app.css").user


@pytest.mark.parametrize(
    "change",
    [
        "echo changed >/srv/seen/file",
        "chmod 0600 /srv/seen/file",
        "chown www-data /srv/seen/file",
        "chgrp www-data /srv/seen/file",
        "setfacl -m u:www-data:r /srv/seen/file",
        "setfattr -n user.note -v 1 /srv/seen/file",
        "rm /srv/seen/file",
        "ln -sfn elsewhere /srv/seen/link",
        "touch /srv/seen/new",
        "systemctl stop nginx.service",
        "systemctl disable nginx.service",
    ],
)
def test_a_manifest_notices(host: DebianHost, change: str) -> None:
    host.run("sh", "-euc", "rm -rf /srv/seen; mkdir /srv/seen; cd /srv/seen; >file; ln -s a link")
    host.run("systemctl", "enable", "--now", "nginx.service")
    before = host.manifest("/srv/seen")

    host.run("sh", "-euc", change)

    assert {} != differences(before, host.manifest("/srv/seen"))


def test_a_manifest_of_an_untouched_host_is_the_same_twice(host: DebianHost) -> None:
    assert {} == differences(host.manifest(mtimes=True), host.manifest(mtimes=True))


def test_hosts_reach_each_other_and_share_nothing(debian_hosts: Boot) -> None:
    one, two = debian_hosts("one"), debian_hosts("two")

    one.run("systemctl", "stop", "nginx.service")
    one.write("/srv/only-here", "")

    assert "one\n" == one.run("hostname").stdout
    assert "active\n" == two.run("systemctl", "is-active", "nginx.service").stdout
    assert not two.exists("/srv/only-here")
    assert (
        "200"
        == one.run(
            "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://{two.address}/"
        ).stdout
    )


def test_a_stopped_host_leaves_nothing(lab: Lab) -> None:
    host = lab.boot()

    lab.stop(host)

    assert [] == _traces_of(host.id)


def test_what_a_killed_run_left_is_swept(lab: Lab) -> None:
    command = [sys.executable, "-c", DIES_WITH_A_HOST]
    root = Path(__file__).parents[2]
    died = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True)
    left = died.stdout.strip()
    assert (-signal.SIGKILL, True) == (died.returncode, bool(_traces_of(left)))

    sweep()

    assert [] == _traces_of(left)


def _traces_of(host_id: str) -> list[str]:
    """What this machine still holds of a host: processes, mounts, namespaces, groups, files."""
    processes = subprocess.run(["pgrep", "-f", host_id], capture_output=True, text=True)
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if host_id in line]
    folders = [Path("/run/netns"), Path("/sys/fs/cgroup"), cache_folder() / "runs"]
    names = [
        name for folder in folders for _, found, files in os.walk(folder) for name in found + files
    ]
    return processes.stdout.split() + mounts + [name for name in names if host_id in name]
