"""What users uploaded is not lost, by whichever name a YAML or an app leads there."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot

pytestmark = pytest.mark.host

MEDIA = "/var/www/myapp/media"
YAML = "/etc/reconcile/reconcile.yaml"
HEAD = "version: 1\n{top}\nsites:\n  myapp:\n    server_names: [example.com]\n{site}\n"
STATIC_LOCATION = "/static/: {role: static, dir: /var/www/myapp/static, source: ./static}"
UPLOADS = 6


def media(folder: str = MEDIA) -> str:
    return f"/media/: {{role: media, dir: {folder}}}"


def pruned(folder: str) -> str:
    return f"/pruned/: {{role: static, dir: {folder}, source: ./static, prune: true}}"


def declare(
    host: DebianHost, *locations: str, top: str = "", site: str = "", paths: str = ""
) -> None:
    lines = "".join(f"      {location}\n" for location in locations)
    tail = f"paths:\n  {paths}\n" if paths else ""
    host.write(YAML, f"{HEAD.format(top=top, site=site)}    locations:\n{lines}{tail}")


def apply(host: DebianHost) -> int:
    done = host.reconcile("apply", "--auto-approve")
    print(done.stdout, done.stderr)
    return done.returncode


def plan(host: DebianHost) -> str:
    done = host.reconcile("plan")
    return done.stdout + done.stderr


def upload(host: DebianHost, folder: str = MEDIA) -> None:
    for number in range(3):
        host.write(f"{folder}/u{number}.jpg", f"upload {number}")
        host.write(f"{folder}/2024/v{number}.jpg", f"upload {number}")
    host.run("chown", "-R", "www-data:www-data", folder)


def left(host: DebianHost, folder: str = MEDIA) -> int:
    found = host.run("grep", "-rl", "^upload [0-9]", folder, check=False)
    return len(found.stdout.splitlines())


@pytest.fixture
def host(debian_hosts: Boot) -> DebianHost:
    host = debian_hosts()
    host.write("/etc/reconcile/static/css/a.css", "body{}")
    host.write("/etc/reconcile/static/b.js", "x")
    return host


@pytest.fixture
def serving(host: DebianHost) -> DebianHost:
    """With media that was applied, and uploads in it."""
    declare(host, STATIC_LOCATION, media())
    assert 0 == apply(host)
    upload(host)
    assert 0 == apply(host)
    return host


def test_a_link_that_the_same_apply_turns(host: DebianHost) -> None:
    for name in ("rel1", "rel2"):
        host.run("mkdir", "-p", f"/srv/{name}/media")
    host.run("ln", "-s", "/srv/rel1", "/srv/cur")
    host.run("ln", "-s", "/srv/cur", "/var/www/app")
    upload(host, "/srv/rel2/media")
    locations = media("/srv/rel2/media"), pruned("/var/www/app/media")
    declare(host, *locations, paths="/srv/cur: {link: /srv/rel1}")
    assert 0 == apply(host)

    declare(host, *locations, paths="/srv/cur: {link: /srv/rel2}")

    assert "protected: /srv/rel2/media" in plan(host)
    assert 1 == apply(host)
    assert UPLOADS == left(host, "/srv/rel2/media")


def test_a_bind_mount_of_a_folder_in_media(serving: DebianHost) -> None:
    serving.run("mkdir", "/srv/alias")
    serving.run("mount", "--bind", f"{MEDIA}/2024", "/srv/alias")

    declare(serving, STATIC_LOCATION, media(), paths="/srv/alias/v0.jpg: {content: overwritten}")
    assert 1 == apply(serving)
    declare(serving, STATIC_LOCATION, media(), pruned("/srv/alias"))
    assert 1 == apply(serving)

    assert UPLOADS == left(serving)


def test_a_bind_mount_that_shows_media_below_a_static_folder(serving: DebianHost) -> None:
    serving.run("mkdir", "/srv/alias")
    serving.run("mount", "--bind", "/var/www/myapp", "/srv/alias")

    declare(serving, pruned("/srv/alias"), media())
    assert 1 == apply(serving)

    assert UPLOADS == left(serving)


def test_a_removal_by_another_name(serving: DebianHost) -> None:
    serving.run("mkdir", "/srv/alias")
    declare(serving, STATIC_LOCATION, media(), paths="/srv/alias/u0.jpg: {content: x}")
    assert 0 == apply(serving)
    serving.run("rm", "-r", "/srv/alias")
    serving.run("ln", "-s", MEDIA, "/srv/alias")

    declare(serving, STATIC_LOCATION, media())
    assert 0 == apply(serving)

    assert UPLOADS == left(serving)


def test_the_ledger_moved_away_as_its_message_advises(serving: DebianHost) -> None:
    serving.run("sh", "-c", "echo X >> /var/lib/reconcile/ledger.json")
    declare(serving, pruned(MEDIA))
    assert "move it away" in plan(serving)
    serving.run("mv", "/var/lib/reconcile/ledger.json", "/root")

    assert 1 == apply(serving)
    assert UPLOADS == left(serving)

    serving.reconcile("rollback", "--auto-approve")
    assert UPLOADS == left(serving)


def test_another_state_directory(serving: DebianHost) -> None:
    declare(serving, pruned(MEDIA), top="host: {state_dir: /var/lib/reconcile2}")

    assert 1 == apply(serving)
    assert UPLOADS == left(serving)


def test_another_state_directory_of_a_host_whose_record_is_lost(serving: DebianHost) -> None:
    serving.run("rm", "-r", "/var/lib/reconcile-protected")
    declare(serving, pruned(MEDIA), top="host: {state_dir: /var/lib/reconcile2}")

    assert 1 == apply(serving)
    assert UPLOADS == left(serving)


def test_uploads_are_no_source(serving: DebianHost) -> None:
    declare(serving, media(), f"/static/: {{role: static, dir: /srv/static, source: {MEDIA}/2024}}")

    assert "published by this" in plan(serving)
    assert 1 == apply(serving)
    assert not serving.exists("/srv/static/v0.jpg")


APP = """
import http.server, json, sys
class App(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"filename": sys.argv[1]}).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST
http.server.HTTPServer(("127.0.0.1", 8111), App).serve_forever()
"""


@pytest.mark.parametrize("name", ["empty.lock", "r3.txt", "2024/.gitkeep"])
def test_verify_removes_no_file_that_the_app_names(serving: DebianHost, name: str) -> None:
    serving.write(f"{MEDIA}/{name}", "rec" if name == "r3.txt" else "", user="www-data")
    serving.write("/srv/app.py", APP)
    serving.run("systemd-run", "--unit=app", "python3", "/srv/app.py", name)
    declare(
        serving,
        STATIC_LOCATION,
        media(),
        site='    app: {upstream: "http://127.0.0.1:8111"}\n    probes:\n'
        '      - {upload: /upload, field: file, then_get: "/media/{filename}"}',
    )

    serving.reconcile("apply", "--auto-approve", "--no-verify", check=True)
    serving.reconcile("verify")

    assert serving.exists(f"{MEDIA}/{name}")


def test_a_file_that_only_root_can_read_is_not_published(host: DebianHost) -> None:
    host.run("useradd", "-m", "deploy")
    host.run("chmod", "755", "/home/deploy")
    host.write("/home/deploy/secret.env", "TOPSECRET")
    host.run("chmod", "600", "/home/deploy/secret.env")
    host.run("install", "-d", "-o", "deploy", "/home/deploy/app", "/home/deploy/app/static")
    host.write("/home/deploy/app/static/a.css", "a", user="deploy")
    host.run(
        *("su", "deploy", "-s", "/bin/sh", "-c", "mv ~/secret.env ~/app/static/x.txt"),
    )
    declare(
        host,
        "/static/: {role: static, dir: /var/www/myapp/static, source: /home/deploy/app/static}",
    )

    planned = plan(host)
    assert 0 == apply(host)

    assert "x.txt belongs to root" in planned
    assert host.exists("/var/www/myapp/static/a.css")
    assert not host.exists("/var/www/myapp/static/x.txt")


def test_a_third_users_file_is_not_given_away(serving: DebianHost) -> None:
    serving.run("useradd", "-m", "bob")
    serving.write(f"{MEDIA}/x.jpg", "bob's")
    serving.run("chown", "bob:bob", f"{MEDIA}/x.jpg")
    serving.run("chmod", "600", f"{MEDIA}/x.jpg")

    planned = plan(serving)
    assert 0 == apply(serving)

    assert "x.jpg belongs to bob" in planned
    assert "bob 600" == serving.run("stat", "-c", "%U %a", f"{MEDIA}/x.jpg").stdout.strip()
