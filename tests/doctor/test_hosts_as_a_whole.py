"""The guide as it is typed in, a host that apply built, and a host with every common cause."""

from __future__ import annotations

import json

import pytest

from tests.doctor.conftest import SERVICE, SOCKET, WSGI, Said, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.guide import GUIDE
from tests.support.guide_site import APP, SMALLEST, apply, deploy

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def guided(module_hosts: Boot) -> Said:
    """Stock Debian with the guide's commands typed in, its Gunicorn on a socket."""
    host = module_hosts("guided")
    host.put_tree(APP, "/srv/myapp")
    host.run(
        "sh",
        "-c",
        "mkdir -p /var/www/myapp/static /var/www/myapp/media"
        " && cp -r /srv/myapp/static/. /var/www/myapp/static/"
        " && echo ok >/var/www/myapp/static/health.txt"
        " && echo upload-test >/var/www/myapp/media/sample.txt"
        " && chown -R www-data:www-data /var/www/myapp",
    )
    host.write("/etc/nginx/sites-available/myapp", GUIDE)
    host.run("ln", "-s", "/etc/nginx/sites-available/myapp", "/etc/nginx/sites-enabled/myapp")
    own = "Environment=UPLOAD_FOLDER=/var/www/myapp/media"
    unit = SERVICE.format(d="/srv/myapp", bind="", unit=own).replace("/srv/myapp/app", "/srv/myapp")
    host.write("/etc/systemd/system/gunicorn.service", unit)
    host.write("/etc/systemd/system/gunicorn.socket", SOCKET.format(path="/run/gunicorn.sock"))
    host.run(
        "sh",
        "-c",
        "systemctl daemon-reload && systemctl start gunicorn.socket"
        " && nginx -t && systemctl reload nginx",
    )
    return doctor(host)


def test_the_guide_as_typed_in_works_and_exactly_this_could_be_better(guided: Said) -> None:
    notes = {one["rule"] for one in guided.document["findings"]}
    expected = {
        "active-uploads",
        "body-limit",
        "default-server-capture",
        "dotfile-exposure",
        "duplicate-cache-control",
        "served-by-app",
        "symlink-escape",
        "writable-static",
    }

    assert [] == guided.unknown
    assert expected == notes
    assert (set(), 0) == (guided.rules, guided.exit_code)


@pytest.fixture(scope="module")
def built(module_hosts: Boot) -> DebianHost:
    host = module_hosts("built")
    deploy(host)
    apply(host)
    return host


@pytest.mark.parametrize(
    "options",
    [
        ("-f", "/etc/reconcile/reconcile.yaml"),
        ("-f", "/etc/reconcile/reconcile.yaml", "--site", "myapp"),
        (),
    ],
)
def test_a_host_that_apply_built_is_silent(built: DebianHost, options: tuple[str, ...]) -> None:
    if not options:
        built.run("mv", "/etc/reconcile/reconcile.yaml", "/root/aside.yaml")

    said = doctor(built, *options)

    if not options:
        built.run("mv", "/root/aside.yaml", "/etc/reconcile/reconcile.yaml")
    assert (set(), [], 0) == (said.rules, said.unknown, said.exit_code)


def test_stale_live_config_is_silent_where_files_are_only_touched(built: DebianHost) -> None:
    built.run("touch", "/etc/nginx/nginx.conf", "/etc/nginx/sites-available/myapp.conf")

    assert [] == doctor(built).of("stale-live-config")


def test_what_is_marked_as_fixed_by_apply_is_gone_after_it(built: DebianHost) -> None:
    built.run(
        "sh",
        "-c",
        "rm /var/www/myapp/static/css/app.css; chmod 0700 /var/www/myapp/static;"
        " chown root /var/www/myapp/media; sed -i 's,media/;,media;,'"
        " /etc/nginx/sites-available/myapp.conf; systemctl reload nginx",
    )
    before = doctor(built)

    apply(built)

    assert {"files-missing", "nginx-read", "app-write", "alias-slash"} <= before.rules
    promised = [one for one in before.document["findings"] if one["apply_fixes"]]
    assert {"files-missing", "nginx-read", "app-write", "alias-slash"} <= {
        one["rule"] for one in promised
    }
    assert set() == doctor(built).rules


def test_a_declared_location_that_nginx_lacks_is_reported(built: DebianHost) -> None:
    more = SMALLEST + "      /extra/: {role: media, dir: /var/www/myapp/extra}\n"
    built.write("/root/more.yaml", more.replace("./app", "/etc/reconcile/app"))

    said = doctor(built, "-f", "/root/more.yaml")

    assert ["No nginx server has the location /extra/ of myapp."] == [
        one["what"] for one in said.of("alias-target")
    ]


def test_an_unknown_site_is_an_error(built: DebianHost) -> None:
    done = built.reconcile("doctor", "--site", "nosuch")

    assert 1 == done.returncode
    assert "Unknown site: nosuch" in done.stderr


CAUSES = {
    "root-doubling": "location /static/ { root /srv/c1/static; }",
    "alias-slash": "location /static/ { alias /srv/c2/static; }",
    "files-missing": "location /static/ { alias /srv/c3/static/; }",
    "upload-dir-mismatch": "location /media/ { alias /srv/c4/media/; }",
    "nginx-read": "location /static/ { alias /srv/c5/static/; }",
    "served-by-app": "",
    "url-mismatch": "location /media/ { alias /srv/c7/media/; }",
    "ephemeral-path": "location /media/ { alias /srv/c8/releases/7/media/; }",
}


def test_all_eight_common_causes_are_found_without_a_yaml(module_hosts: Boot) -> None:
    host = module_hosts("causes")
    host.write("/srv/app.py", WSGI)
    script = ["set -e"]
    for number, (rule, body) in enumerate(CAUSES.items(), 1):
        d, name = f"/srv/c{number}", f"c{number}"
        inside = "releases/7/media" if rule == "ephemeral-path" else "media"
        script.append(
            f"mkdir -p {d}/static {d}/{inside} {d}/app/static; cp /srv/app.py {d}/app/;"
            f" echo a >{d}/app/static/a.css; chown www-data {d}/{inside};"
            f" echo {d} >>/root/all; systemctl start {name}.socket"
        )
        own = "Environment=PAGE=/uploads/a.png" if rule == "url-mismatch" else ""
        own += f"\nEnvironment=UPLOAD_FOLDER={d}/else" if rule == "upload-dir-mismatch" else ""
        host.write(f"/etc/systemd/system/{name}.service", SERVICE.format(d=d, bind="", unit=own))
        socket = SOCKET.format(path=f"/run/{name}.sock")
        host.write(f"/etc/systemd/system/{name}.socket", socket)
        passed = f"location / {{ proxy_pass http://unix:/run/{name}.sock; }}"
        text = f"server {{ listen 80; server_name {name}.test; {body} {passed} }}"
        host.write(f"/etc/nginx/sites-enabled/{name}", text)
    script += ["chmod 0700 /srv/c5/static", "systemctl reload nginx"]
    host.run("sh", "-c", "\n".join(script))

    said = doctor(host)

    found = {rule: bool(said.about(rule, f"/c{number}")) for number, rule in enumerate(CAUSES, 1)}
    assert dict.fromkeys(CAUSES, True) == found


def test_nothing_is_unknown_of_ten_sites_with_ten_thousand_files(module_hosts: Boot) -> None:
    """How long it takes is measured in benchmarks/bench_doctor.py."""
    host = module_hosts("many")
    for number in range(10):
        text = f"""server {{ listen 80; listen [::]:80; server_name s{number}.test;
            location ^~ /static/ {{ alias /srv/s{number}/static/; location ~ /\\. {{ deny all; }} }}
            location ^~ /media/ {{ alias /srv/s{number}/media/; location ~ /\\. {{ deny all; }} }}
        }}
        """
        host.write(f"/etc/nginx/sites-enabled/s{number}", text)
    host.run(
        "sh",
        "-c",
        "for s in 0 1 2 3 4 5 6 7 8 9; do for f in static media; do"
        " mkdir -p /srv/s$s/$f; cd /srv/s$s/$f; seq 500 | split -l 1 -a 3 - x;"
        " done; done; systemctl reload nginx",
    )

    said = doctor(host)

    assert [] == said.unknown
    assert all(said.about("files-missing", f"/srv/s{number}") == [] for number in range(10))


@pytest.mark.parametrize("form", ["--markdown", "--sarif"])
def test_every_output_format_has_the_same_findings(
    sick_host: DebianHost, sick: Said, form: str
) -> None:
    findings = sick.document["findings"]

    done = sick_host.reconcile("doctor", form, cwd="/")

    assert 2 == done.returncode
    if form == "--sarif":
        told = {one["ruleId"] for one in json.loads(done.stdout)["runs"][0]["results"]}
        assert {one["rule"] for one in findings} == told
    else:
        assert all(f": {one['rule']}" in done.stdout for one in findings)


def test_a_site_can_be_checked_alone(sick_host: DebianHost) -> None:
    said = doctor(sick_host, "--site", "bad-alias-slash.test")

    assert {"alias-slash"} == said.rules & {"alias-slash", "root-doubling", "dotfile-exposure"}


def test_it_changes_nothing(sick_host: DebianHost) -> None:
    watched = ("/srv", "/etc", "/var/lib/nginx")
    before = sick_host.manifest(*watched, mtimes=True)

    doctor(sick_host)

    assert before == sick_host.manifest(*watched, mtimes=True)
