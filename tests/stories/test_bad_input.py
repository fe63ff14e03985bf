"""What cannot work is told as what / why / fix, and the host stays untouched."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.lab.manifest import differences
from tests.support import guide_site as site

pytestmark = pytest.mark.host

APPLY = ("apply", "--auto-approve")
# The YAML, and what the message has to name.
WRONG = {
    "a key that does not exist": (site.with_line("servernames: [a.test]"), "server_names"),
    "YAML that is none": ("version: 1\nsites: [", "reconcile.yaml:2"),
    "an unknown user": (
        site.SMALLEST.replace("user: www-data", "user: nobody-here"),
        "nobody-here",
    ),
    "a source folder that does not exist": (
        site.SMALLEST.replace("./app/static", "./app/nowhere"),
        "/etc/reconcile/app/nowhere",
    ),
    "an unquoted mode": (
        site.SMALLEST + "owners: {assets: {user: root, group: root, dirs: 0755, files: 0644}}\n",
        '"0755"',
    ),
}


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A stock host with the app's code; no test here changes it for good."""
    host = module_hosts()
    site.deploy(host)
    return host


@pytest.mark.parametrize("command", [("plan",), APPLY], ids=["plan", "apply"])
@pytest.mark.parametrize(("yaml", "named"), WRONG.values(), ids=WRONG.keys())
def test_is_named_and_changes_nothing(
    host: DebianHost, yaml: str, named: str, command: tuple[str, ...]
) -> None:
    host.write("/etc/reconcile/reconcile.yaml", yaml)
    before = host.manifest(mtimes=True)

    done = host.reconcile(*command)

    assert 1 == done.returncode, done.stdout + done.stderr
    assert named in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert {} == differences(before, host.manifest(mtimes=True))


def test_a_missing_file_is_reported_with_the_command_to_create_it(host: DebianHost) -> None:
    done = host.reconcile("plan", "-f", "/nowhere/reconcile.yaml")

    assert 1 == done.returncode
    assert "/nowhere/reconcile.yaml" in done.stderr
    assert "reconcile init" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_apply_without_a_terminal_has_to_be_approved(host: DebianHost) -> None:
    site.deploy(host)
    before = host.manifest(mtimes=True)

    done = host.reconcile("apply")

    assert 1 == done.returncode, done.stdout + done.stderr
    assert "--auto-approve" in done.stderr
    assert {} == differences(before, host.manifest(mtimes=True))


def test_an_apply_by_somebody_without_the_right_to_is_refused(host: DebianHost) -> None:
    site.deploy(host)
    before = host.manifest(mtimes=True)

    command = ("/usr/local/bin/reconcile", *APPLY)
    done = host.run(*command, user="www-data", cwd="/etc/reconcile", check=False)

    assert 1 == done.returncode, done.stdout + done.stderr
    assert "sudo" in done.stderr
    assert "Traceback" not in done.stderr
    assert {} == differences(before, host.manifest(mtimes=True))


def test_an_already_invalid_configuration_is_reported_as_such(host: DebianHost) -> None:
    site.deploy(host)
    host.write("/etc/nginx/conf.d/other.conf", "not_ours on;\n")
    before = host.manifest(mtimes=True)

    done = host.reconcile(*APPLY)

    after = host.manifest(mtimes=True)
    host.run("rm", "/etc/nginx/conf.d/other.conf")
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "/etc/nginx/conf.d/other.conf" in done.stderr
    assert "already invalid" in done.stderr
    assert {} == differences(before, after)


def test_a_socket_without_a_server_fails_verification(host: DebianHost) -> None:
    unserved = """
version: 1
sites:
  myapp:
    server_names: [example.com]
    app: {upstream: "unix:/run/nobody.sock"}
    locations:
      /static/: {role: static, dir: /var/www/myapp/static, source: ./app/static}
"""
    site.deploy(host, unserved)
    before = host.manifest(mtimes=True)

    done = host.reconcile(*APPLY)

    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "/run/nobody.sock" in done.stdout + done.stderr
    assert {} == differences(before, host.manifest(mtimes=True))


def test_without_nginx_the_fix_is_to_install_it(debian_host: DebianHost) -> None:
    debian_host.run("apt-get", "-y", "purge", "nginx-light", "nginx-common")
    site.deploy(debian_host)
    before = debian_host.manifest(mtimes=True)

    done = debian_host.reconcile(*APPLY)

    assert 1 == done.returncode, done.stdout + done.stderr
    assert "nginx" in done.stderr
    assert "install" in done.stderr
    assert "Traceback" not in done.stderr
    assert {} == differences(before, debian_host.manifest(mtimes=True))
