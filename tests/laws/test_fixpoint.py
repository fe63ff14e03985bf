"""One apply is enough: what has consequences elsewhere is part of the same plan."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.support import guide_site as site

pytestmark = pytest.mark.host

STATIC_LINE = "      /static/: {role: static, dir: /var/www/myapp/static, source: ./app/static}"
YAML = "/etc/reconcile/reconcile.yaml"
CONF = "/etc/nginx/conf.d/extra.conf"
DROPIN = "/etc/systemd/system/gunicorn.service.d/extra.conf"


def paths(*lines: str) -> str:
    """A `paths` section with these entries."""
    return "paths:\n" + "".join(f"  {line}\n" for line in lines)


def applied(host: DebianHost, yaml: str) -> None:
    """Apply `yaml`, and see that nothing is left to do."""
    host.write(YAML, yaml)
    host.reconcile("apply", "--auto-approve", check=True)
    assert 0 == site.plan(host).exit_code


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    site.deploy(debian_host)
    return debian_host


def environment(host: DebianHost, unit: str) -> list[str]:
    pid = host.run("systemctl", "show", "--value", "-p", "MainPID", unit).stdout.strip()
    return host.read(f"/proc/{pid}/environ").decode().split("\0")


def test_a_location_that_becomes_narrower_keeps_its_files(host: DebianHost) -> None:
    applied(host, site.SMALLEST)
    css = STATIC_LINE.replace("/static/:", "/static/css/:").replace("/static,", "/static/css,")

    applied(
        host, site.SMALLEST.replace(STATIC_LINE, css.replace("./app/static", "./app/static/css"))
    )

    assert 200 == host.http("GET", "/static/css/app.css").status
    assert not host.exists(f"{site.STATIC}/favicon.ico")


def test_a_file_of_nginx_is_loaded_when_it_appears_and_unloaded_when_it_goes(
    host: DebianHost,
) -> None:
    applied(host, site.SMALLEST)
    conf = "'add_header X-Extra yes always;'"

    applied(host, site.SMALLEST + paths(f"{CONF}: {{content: {conf}}}"))
    loaded = host.http("GET", "/").headers.get("X-Extra")
    applied(host, site.SMALLEST)

    assert ("yes", None) == (loaded, host.http("GET", "/").headers.get("X-Extra"))


def test_a_file_of_nginx_is_loaded_where_no_site_is_declared(host: DebianHost) -> None:
    server = "'server { listen 8090; return 204; }'"

    applied(host, "version: 1\n" + paths(f"{CONF}: {{content: {server}}}"))

    assert 204 == host.http("GET", "/", port=8090).status


def test_a_removed_site_no_longer_answers(host: DebianHost) -> None:
    other = site.SMALLEST.replace("myapp:", "other:", 1).replace("example.com", "other.test")
    other = other.partition("sites:")[2].replace("/var/www/myapp", "/var/www/other")
    other = other.replace("gunicorn.s", "other.s").replace("/run/gunicorn", "/run/other")
    applied(host, site.SMALLEST + other.lstrip("\n"))
    before = host.http("GET", "/static/css/app.css", host="other.test").status

    applied(host, site.SMALLEST)

    assert (200, 404) == (before, host.http("GET", "/static/css/app.css", host="other.test").status)


def test_new_static_files_are_published_with_the_link_that_leads_to_them(host: DebianHost) -> None:
    for number in (1, 2):
        host.write(f"/srv/rel{number}/static/app.js", f"release {number}")
    yaml = site.SMALLEST.replace("./app/static", "/srv/current/static")

    answers = []
    for number in (1, 2):
        applied(host, yaml + paths(f"/srv/current: {{link: /srv/rel{number}}}"))
        answers.append(host.http("GET", "/static/app.js").body)

    assert [b"release 1", b"release 2"] == answers


@pytest.mark.parametrize("first", [True, False], ids=["at once", "later"])
def test_a_dropin_of_paths_restarts_its_service(host: DebianHost, first: bool) -> None:
    if not first:
        applied(host, site.SMALLEST)
    content = '"[Service]\\nEnvironment=EXTRA=yes\\n"'

    applied(host, site.SMALLEST + paths(f"{DROPIN}: {{content: {content}}}"))
    started = environment(host, "gunicorn.service")
    applied(host, site.SMALLEST)

    assert "EXTRA=yes" in started
    assert "EXTRA=yes" not in environment(host, "gunicorn.service")


FOREIGN = """
version: 1
sites:
  web:
    server_names: [example.com]
    app: {upstream: "http://127.0.0.1:8001", service: web.service, user: www-data}
"""
UNIT = (
    "[Service]\\nEnvironmentFile=/etc/web.env\\nUser=www-data\\n"
    "ExecStart=/usr/bin/python3 -m http.server -d /srv 8001\\n"
    "[Install]\\nWantedBy=multi-user.target\\n"
)


def test_a_unit_and_its_environment_of_paths_are_live_after_one_apply(host: DebianHost) -> None:
    unit = f'/etc/systemd/system/web.service: {{content: "{UNIT}"}}'
    seen = []
    for number in (1, 2):
        variables = f'/etc/web.env: {{content: "NUMBER={number}\\n"}}'
        applied(host, FOREIGN + paths(unit, variables))
        seen += [line for line in environment(host, "web.service") if line.startswith("NUMBER")]

    applied(host, FOREIGN + paths(unit.replace("/srv 8001", "/tmp 8001"), variables))
    command = host.run("systemctl", "show", "-p", "ExecStart", "web.service").stdout

    assert ["NUMBER=1", "NUMBER=2"] == seen
    assert "/tmp 8001" in command


def test_a_unit_that_a_service_still_needs_is_not_removed(host: DebianHost) -> None:
    unit = f'/etc/systemd/system/web.service: {{content: "{UNIT}"}}'
    variables = '/etc/web.env: {content: "NUMBER=1\\n"}'
    applied(host, FOREIGN + paths(unit, variables))
    host.write(YAML, FOREIGN + paths(variables))

    planned = host.reconcile("plan")
    done = host.reconcile("apply", "--auto-approve")

    assert (1, 1) == (planned.returncode, done.returncode)
    assert "web.service cannot be started" in planned.stdout
    assert host.exists("/etc/systemd/system/web.service")


def test_a_source_is_added_to_a_location_that_had_none(host: DebianHost) -> None:
    host.run("mkdir", "-p", site.STATIC)
    host.write(site.STYLESHEET, "by hand")
    applied(host, site.SMALLEST.replace(", source: ./app/static", ""))

    applied(host, site.SMALLEST)

    assert 200 == host.http("GET", "/static/css/app.css").status


def test_a_static_folder_that_was_removed_by_hand_can_leave_the_yaml(host: DebianHost) -> None:
    applied(host, site.SMALLEST)
    host.run("rm", "-r", site.STATIC)

    applied(host, site.SMALLEST.replace(STATIC_LINE + "\n", ""))

    assert not host.exists(site.STATIC)


def test_a_unit_of_paths_is_stopped_before_it_goes_with_its_site(host: DebianHost) -> None:
    unit = f'/etc/systemd/system/web.service: {{content: "{UNIT}"}}'
    variables = '/etc/web.env: {content: "NUMBER=1\\n"}'
    applied(
        host,
        site.SMALLEST
        + FOREIGN.partition("sites:")[2].replace("example.com", "web.test").lstrip("\n")
        + paths(unit, variables),
    )

    applied(host, site.SMALLEST)

    assert 0 != host.run("systemctl", "is-active", "web.service", check=False).returncode
    assert "not-found" in host.run("systemctl", "show", "-p", "LoadState", "web.service").stdout


def test_a_unit_of_others_runs_on_when_only_its_dropin_leaves(host: DebianHost) -> None:
    host.write("/etc/systemd/system/web.service", UNIT.replace("\\n", "\n"))
    host.write("/etc/web.env", "NUMBER=1\n")
    dropin = "/etc/systemd/system/web.service.d/extra.conf"
    extra = f'{dropin}: {{content: "[Service]\\nEnvironment=EXTRA=yes\\n"}}'
    applied(host, FOREIGN + paths(extra))

    applied(host, site.SMALLEST.replace("example.com", "shop.test"))

    assert "active" == host.run("systemctl", "is-active", "web.service").stdout.strip()
    assert not host.exists(dropin)
