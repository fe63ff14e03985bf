"""What a finding says of `reconcile apply` is what an apply does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.conftest import Said, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support.guide_site import SMALLEST, apply, deploy
from tests.support.nginx_reload import reload_nginx

pytestmark = pytest.mark.host

SITE = """
  {n}:
    server_names: [{n}.test]
    max_upload: 20MB
    app: {{upstream: "unix:/run/gunicorn.sock"}}
    locations:
      /static/: {{role: static, dir: /srv/www/{n}/static, source: ./app/static}}
      /media/:  {{role: media,  dir: /srv/www/{n}/media}}
"""
FILE = """# Managed by reconcile (site {n})
server {{
    listen 80; listen [::]:80; server_name {n}.test; {body}
    location / {{ proxy_pass http://unix:/run/gunicorn.sock; }}
}}
"""
ROOMY = "client_max_body_size 20m;"
STATIC = "location = /static { return 301 /static/; } location ^~ /static/ { alias {d}/static/;"
STATIC += r" location ~ /\.(?!well-known/) { return 404; } }"
MEDIA = """
location = /media { return 301 /media/; }
location ^~ /media/ {
    alias {d}/media/; disable_symlinks on from={d}/media/;
    types { } default_type application/octet-stream;
    location ~ /\\. { return 404; }
}
"""
UNREAD = "served-by-app-unread"
# Site → what is typed into its file, or what is done on the host; "" where it is not touched.
BROKEN = {
    "alias-slash": (ROOMY + STATIC.replace("{d}/static/;", "{d}/static;") + MEDIA, ""),
    "root-doubling": (ROOMY + STATIC.replace("alias", "root") + MEDIA, ""),
    "traversal-leak": (ROOMY + STATIC.replace("^~ /static/", "^~ /static") + MEDIA, ""),
    "route-shadowed": (
        ROOMY + STATIC.replace("^~", "") + r"location ~ \.css$ { root /var/empty; }" + MEDIA,
        "",
    ),
    "served-by-app": (ROOMY + STATIC.replace("location = /static", "location = /x") + MEDIA, ""),
    "dotfile-exposure": (
        ROOMY + STATIC + MEDIA.replace("return 404;", ""),
        "echo A=1 >{d}/media/.env",
    ),
    "active-uploads": (
        ROOMY + STATIC + MEDIA.replace("types { } default_type application/octet-stream;", ""),
        "",
    ),
    "symlink-escape": (
        ROOMY + STATIC + MEDIA.replace("disable_symlinks on from={d}/media/;", ""),
        "ln -s /etc/passwd {d}/media/p.txt",
    ),
    "alias-target": (
        ROOMY + STATIC.replace("{d}/static/", "{d}/other/") + MEDIA,
        "cp -r {d}/static {d}/other",
    ),
    "alias-target-undeclared": (ROOMY + STATIC, ""),
    "alias-target-absent": ("", "rm -r {d}/static"),
    "body-limit": (STATIC + MEDIA, ""),
    "stale-precompressed": (
        ROOMY + STATIC.replace("{d}/static/;", "{d}/static/; gzip_static on;") + MEDIA,
        "echo old | gzip >{d}/static/css/app.css.gz; touch -d 2020-01-01 {d}/static/css/*.gz",
    ),
    "files-missing": ("", "rm {d}/static/css/app.css"),
    "files-missing-other": ("", "echo x >{d}/static/css/app.css"),
    "nginx-read": ("", "chmod 0700 {d}/static"),
    "nginx-read-parent": ("", "chmod 0700 {d}"),
    "nginx-read-file": ("", "chmod 0600 {d}/static/css/app.css"),
    "app-write": ("", "chown root {d}/media"),
    "writable-static": ("", "chown -R www-data {d}/static"),
    "writable-static-acl": ("", "setfacl -m u:www-data:rwx {d}/static"),
}


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("promises")
    yaml = SMALLEST + "".join(SITE.format(n=name) for name in [*BROKEN, UNREAD])
    deploy(host, yaml)
    apply(host)
    return host


@pytest.fixture(scope="module")
def broken(host: DebianHost) -> Said:
    """What is said of all faults at once."""
    lines = ["set -e"]
    for name, (body, command) in BROKEN.items():
        d = f"/srv/www/{name}"
        lines.append(command.replace("{d}", d))
        if body:
            path = f"/etc/nginx/sites-available/{name}.conf"
            host.write(path, FILE.format(n=name, body=body.replace("{d}", d)))
    host.run("sh", "-c", "\n".join(filter(None, lines)))
    saved = f"/etc/nginx/sites-available/{UNREAD}.conf"
    host.run("cp", "-p", saved, "/root/")
    host.write(saved, FILE.format(n=UNREAD, body=ROOMY))
    host.run("nginx", "-t")
    reload_nginx(host)
    # On the disk it is right again; nginx has not read it since.
    host.run("mv", f"/root/{UNREAD}.conf", saved)
    return doctor(host)


@pytest.fixture(scope="module")
def mended(host: DebianHost, broken: Said) -> Said:
    apply(host)
    return doctor(host)


def promised(said: Said, name: str) -> list[dict[str, Any]]:
    """What an apply is said to do for one site."""
    return [
        one
        for one in said.document["findings"]
        if one["apply_fixes"]
        and any(
            f"{mark}{name}{end}" in text
            for text in (one["what"], *one["evidence"])
            for mark, end in (("/", "/"), ("", ".test"), ("of ", "."), ("/", ".conf"))
        )
    ]


@pytest.mark.parametrize("name", [*BROKEN, UNREAD])
def test_a_finding_is_marked_as_fixed_by_apply(broken: Said, name: str) -> None:
    rules = {one["rule"] for one in promised(broken, name)}

    assert any(name.startswith(rule) for rule in rules), rules


def test_every_finding_marked_as_fixed_by_apply_is_gone_after_it(
    broken: Said, mended: Said
) -> None:
    told = {(one["rule"], one["what"]) for one in broken.document["findings"] if one["apply_fixes"]}
    left = {(one["rule"], one["what"]) for one in mended.document["findings"]}

    assert "stale-live-config" in {rule for rule, _ in told}
    assert set() == told & left
    # The sandbox of the one unit is made for the uploads of its own site.
    assert {"app-write"} == mended.rules


def test_a_finding_without_the_mark_remains_after_an_apply(host: DebianHost, mended: Said) -> None:
    extra = '    extra: "location /docs/ { alias /srv/docs; }"\n    locations:\n'
    yaml = SMALLEST + SITE.format(n="own").replace("    locations:\n", extra)
    host.write("/root/own.yaml", yaml.replace("./app", "/etc/reconcile/app"))
    apply(host, "-f", "/root/own.yaml", "--max-deletes", "500")
    shut = "/srv/www/own/static/css/app.css"
    host.run("sh", "-c", f"mkdir /srv/docs; setfacl -m u:www-data:--- {shut}")

    before = doctor(host, "-f", "/root/own.yaml")
    apply(host, "-f", "/root/own.yaml")
    after = doctor(host, "-f", "/root/own.yaml")

    assert [] == [one["rule"] for one in before.document["findings"] if one["apply_fixes"]]
    assert {"alias-slash", "nginx-read", "app-write"} == before.rules
    assert before.rules <= after.rules
