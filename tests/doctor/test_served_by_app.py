"""Who answers for files: a request of the doctor's own, found in the logs of the app or not."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.doctor.access_log_format import COMBINED, NginxAccessLog, answered_by
from reconcile.doctor.gunicorn_logs import access_log
from reconcile.doctor.units import UnitView
from reconcile.system import Host
from tests.doctor.conftest import SERVICE, WSGI, Said, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

FORM = "log_format told '$request <$upstream_addr>';"


@dataclass(frozen=True)
class Kind:
    """A Gunicorn that logs requests to `where`; `unit` are lines of [Service]."""

    where: str
    options: str = ""
    unit: str = ""
    config: str = ""
    server: str = ""


KINDS = {
    "journal": Kind("journalctl -u {n}.service", "--access-logfile -"),
    "file": Kind("/var/log/app/{n}.log", "--access-logfile=/var/log/app/{n}.log"),
    "relative": Kind("/srv/{n}/app/log", "--access-logfile log"),
    "appended": Kind(
        "/var/log/app/{n}.out", "--access-logfile -", "StandardOutput=append:/var/log/app/{n}.out"
    ),
    "environment": Kind(
        "journalctl -u {n}.service", unit="Environment=GUNICORN_CMD_ARGS=--access-logfile=-"
    ),
    "config": Kind("/var/log/app/{n}.py.log", config='accesslog = "/var/log/app/{n}.py.log"'),
    "nginx": Kind("/var/log/nginx/{n}.log", server="access_log /var/log/nginx/{n}.log told;"),
}
"""`nginx`: the app keeps no log, but the form of nginx's own tells of upstreams."""
SILENT = Kind("")


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """For each kind, one site without the location and its twin that has it."""
    host = module_hosts("logs")
    host.write("/etc/nginx/conf.d/form.conf", FORM)
    names = []
    for number, (name, kind) in enumerate([*KINDS.items(), ("silent", SILENT)]):
        for side, port in (("bad", 9200 + number), ("good", 9300 + number)):
            names.append(f"{side}-{name}")
            _site(host, names[-1], kind, port, mapped=side == "good")
    every = " ".join(names)
    host.run(
        "sh",
        "-c",
        f"mkdir -p /var/log/app; for n in {every}; do"
        " mkdir -p /srv/$n/app/static; echo css >/srv/$n/app/static/a.css;"
        " chown -R www-data /srv/$n/app; done; chown www-data /var/log/app;"
        f" systemctl daemon-reload; systemctl start {every}; systemctl reload nginx;"
        " for p in $(grep -ho '9[23]0[0-9]' /etc/nginx/sites-enabled/*); do"
        ' timeout 20 sh -c "until curl -s http://127.0.0.1:$p/ >/dev/null; do sleep 0.05;'
        ' done"; done',
    )
    return host


def _site(host: DebianHost, name: str, kind: Kind, port: int, *, mapped: bool) -> None:
    inside = kind.server
    if mapped:
        inside += " location = /static { return 301 /static/; }"
        inside += " location ^~ /static/ { alias /srv/{n}/app/static/; }"
    server = f"""server {{ listen 80; server_name {name}.test; {inside}
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}"""
    unit = SERVICE.replace("--access-logfile -", kind.options).replace("{d}", "/srv/{n}")
    unit = unit.replace("{bind}", f"-b 127.0.0.1:{port}").replace("{unit}", kind.unit)
    for path, text in {
        "/etc/nginx/sites-enabled/{n}": server,
        "/etc/systemd/system/{n}.service": unit,
        "/srv/{n}/app/app.py": WSGI,
        "/srv/{n}/app/gunicorn.conf.py": kind.config,
    }.items():
        host.write(path.replace("{n}", name), text.replace("{n}", name))


@pytest.fixture(scope="module")
def said(host: DebianHost) -> Said:
    return doctor(host)


@pytest.mark.parametrize("kind", KINDS)
def test_served_by_app_shows_the_line_that_logged_its_request(said: Said, kind: str) -> None:
    where = re.escape(KINDS[kind].where.replace("{n}", f"bad-{kind}"))
    [finding] = [one for one in said.of("served-by-app") if f"bad-{kind}.test" in one["what"]]

    asked = re.search(r"GET (/static/a\.css\?reconcile=[0-9a-f]{16}) ", str(finding["evidence"]))

    assert asked
    assert re.search(rf"{where}: .*{re.escape(asked[1])}", "\n".join(finding["evidence"]))


@pytest.mark.parametrize("kind", [*KINDS, "silent"])
def test_served_by_app_is_silent_where_nginx_has_the_location(said: Said, kind: str) -> None:
    assert [] == said.about("served-by-app", f"good-{kind}")


def test_served_by_app_reports_where_no_log_confirms_it(said: Said) -> None:
    [finding] = [one for one in said.of("served-by-app") if "bad-silent" in one["what"]]

    assert "by the route and the answer alone" in finding["evidence"][-1]
    assert "keeps no access log" in finding["evidence"][-1]


def test_served_by_app_reports_a_location_that_was_never_loaded(host: DebianHost) -> None:
    site = "/etc/nginx/sites-enabled/bad-journal"
    before = host.read(site).decode()
    static = "location ^~ /static/ { alias /srv/bad-journal/app/static/; } location / {"
    host.write(site, before.replace("location / {", static))

    found = doctor(host).about("served-by-app", "bad-journal.test")
    reload_nginx(host)
    after = doctor(host).about("served-by-app", "bad-journal.test")

    host.write(site, before)
    reload_nginx(host)
    assert "reach the app despite location ^~ /static/" in found[0]
    assert "journalctl -u bad-journal.service: " in found[0]
    assert not any("despite" in one for one in after)


def test_served_by_app_warns_of_a_location_that_only_the_old_workers_have(
    host: DebianHost,
) -> None:
    site = "/etc/nginx/sites-enabled/good-file"
    before = host.read(site).decode()
    host.write(site, re.sub(r"location \^~ /static/ \{.*?\}", "", before))

    found = doctor(host).about("served-by-app", "good-file.test")

    host.write(site, before)
    assert "reach the app after the next reload" in found[0]
    assert "has /reconcile-control?reconcile=" in found[0]


def test_served_by_app_sends_requests_that_gunicorn_triage_ignores(
    host: DebianHost, said: Said
) -> None:
    assert said.rules
    assert [] == doctor(host).of("gunicorn-triage")


@pytest.mark.parametrize(
    ("options", "config", "where"),
    [
        ("--access-logfile -", "", "{top}/out"),
        ("--access-logfile /dev/stdout", "", "{top}/out"),
        ("--access-logfile log", "", "{top}/log"),
        ("--access-logfile log --access-logfile=later", "", "{top}/later"),
        ("", "accesslog = 'a'\naccesslog = 'b'", "{top}/b"),
        ("-c other.py", "accesslog = 'a'", None),
        ("", "accesslog = '/log' if DEBUG else None", None),
        ("", "this is no Python", None),
        ("", "", None),
    ],
)
def test_gunicorn_logs_to_the_file_of_its_last_setting(
    tmp_path: Path, options: str, config: str, where: str | None
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(config)
    with (tmp_path / "out").open("w") as out:
        running = subprocess.Popen(["/bin/sleep", "60"], stdout=out)
    unit = UnitView(
        "shop.service",
        {
            "MainPID": str(running.pid),
            "WorkingDirectory": str(tmp_path),
            "ExecStart": f"{{ path=/x ; argv[]=/x/gunicorn {options} app:app ; ignore_errors=no }}",
        },
    )

    found = access_log(Host(), unit)

    running.kill()
    running.wait()
    assert (where and where.format(top=tmp_path)) == (found and found.where)


@pytest.mark.parametrize(
    ("form", "line", "fields"),
    [
        (
            COMBINED,
            '1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 404 5 "-" "a \\x22b\\x22"',
            {"request": "GET /a HTTP/1.1", "status": "404", "http_user_agent": "a \\x22b\\x22"},
        ),
        ("$request <${upstream_addr}>", "GET /a HTTP/1.1 <->", {"upstream_addr": "-"}),
        ("$a|$a", "1|2", {"a": "2"}),
        (COMBINED, "a line of somebody else's", {}),
    ],
)
def test_a_line_of_an_access_log_is_read_by_its_form(
    form: str, line: str, fields: dict[str, str]
) -> None:
    found = NginxAccessLog("/log", form).fields(line)

    assert fields == {name: found[name] for name in fields}
    assert bool(fields) == bool(found)


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        ({"upstream_addr": "unix:/run/a.sock"}, "app"),
        ({"upstream_addr": "-"}, "nginx"),
        ({"upstream_status": "200"}, "app"),
        ({"status": "200"}, ""),
    ],
)
def test_upstream_variables_show_who_answered(fields: dict[str, str], by: str) -> None:
    assert by == answered_by(fields)
