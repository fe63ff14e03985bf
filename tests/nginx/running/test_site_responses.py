"""What the rendered site answers, asked of a real nginx."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from reconcile.nginx.model.media_types import added_types
from reconcile.nginx.render.site_config import config_token_of, render_site
from reconcile.nginx.render.site_view import LocationView
from reconcile.nginx.running.discover import discover

pytestmark = pytest.mark.process

SLASHES = [
    ("/static", 301, None),
    ("/static/health.txt", 200, b"ok\n"),
    ("/static/css/app.css", 200, b"body {}\n"),
    ("/static/css", 301, None),
    ("/static/", 403, None),
    ("/static/missing.css", 404, None),
    ("/static../app.py", 200, b"app"),
    ("/static/../app.py", 200, b"app"),
    ("/static/..%2fapp.py", 200, b"app"),
    ("/static/%2e%2e/app.py", 200, b"app"),
    ("/static//../app.py", 200, b"app"),
    ("/staticsecret.txt", 200, b"app"),
    ("/media", 301, None),
    ("/media../app.py", 200, b"app"),
    ("/media/sample.txt", 200, b"upload\n"),
    ("/", 200, b"app"),
    ("/protected/report.txt", 404, None),
    ("/protected", 200, b"app"),
]


@pytest.mark.parametrize(("target", "status", "body"), SLASHES)
def test_each_uri_is_answered_by_the_right_one(world, target, status, body):
    world.serve()

    answer = world.ask(target)

    assert status == answer.status
    if body == b"app":
        assert ["app"] == answer.all("X-Served-By")
    else:
        assert [] == answer.all("X-Served-By")
        assert body is None or body == answer.body


def test_a_redirect_holds_behind_any_port_and_proxy(world):
    world.serve()

    assert ["/static/"] == world.ask("/static").all("Location")
    assert ["/static/css/"] == world.ask("/static/css").all("Location")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_it_answers_over_v4_and_v6(world, address):
    world.serve()

    assert b"ok\n" == world.ask("/static/health.txt", address=address).body


DOTFILES = ["/static/.env", "/static/.git/HEAD", "/static/.git/", "/media/.env", "/media/.x/y"]


@pytest.mark.parametrize("target", DOTFILES)
def test_a_dotfile_is_not_served(world, target):
    world.serve()

    assert 404 == world.ask(target).status


def test_well_known_is_served_from_static(world):
    world.serve()

    assert b"Contact: x\n" == world.ask("/static/.well-known/security.txt").body


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("/static/health.txt", "public, max-age=604800"),
        ("/media/sample.txt", "public, max-age=86400"),
    ],
)
def test_one_cache_control_line_even_with_expires_in_the_http_block(world, target, value):
    world.serve()

    answer = world.ask(target)

    assert [value] == answer.all("Cache-Control")
    assert [] == answer.all("Expires")
    assert ["nosniff"] == answer.all("X-Content-Type-Options")


def test_an_error_is_not_cached_but_stays_nosniff(world):
    world.serve()

    answer = world.ask("/static/missing.css")

    assert [] == answer.all("Cache-Control")
    assert ["nosniff"] == answer.all("X-Content-Type-Options")


def test_the_apps_own_answers_get_no_cache_header(world):
    world.serve()

    assert [] == world.ask("/").all("Cache-Control")


ACTIVE = ["evil.html", "evil.svg", "evil.js", "evil.xml", "evil.pdf", "noext"]


@pytest.mark.parametrize("name", ACTIVE)
def test_an_upload_that_a_browser_could_run_is_a_download_in_a_sandbox(world, name):
    world.serve()

    answer = world.ask(f"/media/{name}")

    assert ["application/octet-stream"] == answer.all("Content-Type")
    assert ["sandbox; default-src 'none'"] == answer.all("Content-Security-Policy")
    assert ["nosniff"] == answer.all("X-Content-Type-Options")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("photo.png", "image/png"), ("photo.jxl", "image/jxl"), ("sample.txt", "text/plain")],
)
def test_a_harmless_upload_keeps_its_type(world, name, kind):
    world.serve()

    assert [kind] == world.ask(f"/media/{name}").all("Content-Type")


PLAYED = ["photo.png", "PHOTO.JPG", "x.html.webp", "a b.mp3", "film.mp4", "film.webm", "x.opus"]
RUN_OR_READ = ["sample.txt", "x.png.html", "x.mp4.svg", "x.png.xml", "pngx", "x.jpg/", "x.mp4.js"]


@pytest.mark.parametrize("name", PLAYED)
def test_players_of_uploads_may_load_their_file_and_run_no_script(world, name):
    world.serve()

    [policy] = world.ask(f"/media/{quote(name)}").all("Content-Security-Policy")

    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert "allow-same-origin" == rules.pop("sandbox")
    assert "'none'" == rules.pop("default-src")
    assert {"img-src": "'self'", "media-src": "'self'", "style-src": "'unsafe-inline'"} == rules


@pytest.mark.parametrize("name", RUN_OR_READ)
def test_whatever_has_no_player_stays_in_the_strict_sandbox(world, name):
    world.serve()

    answer = world.ask(f"/media/{name}")

    assert ["sandbox; default-src 'none'"] == answer.all("Content-Security-Policy")


@pytest.mark.parametrize(
    ("level", "sent"), [("site", ["img-src *"]), ("location", ["img-src *"]), ("taken away", [])]
)
def test_a_policy_of_the_yaml_wins_for_players_too(world, level, sent):
    header = ("content-security-policy", None if level == "taken away" else "img-src *")
    [media] = [one for one in world.view.locations if one.role == "media"]
    if level == "site":
        world.serve(headers=(header,))
    else:
        world.serve(locations=(replace(media, headers=(header,)),))

    assert sent == world.ask("/media/photo.png").all("Content-Security-Policy")


@pytest.mark.parametrize("owner", [0, 33])
def test_a_link_among_the_uploads_leads_nowhere(world, owner):
    secret = world.root / "secret.txt"
    secret.write_text("secret")
    os.chown(secret, owner, owner)
    (world.root / "media/link.txt").symlink_to(secret)
    os.lchown(world.root / "media/link.txt", 33, 33)
    world.serve()

    assert 403 == world.ask("/media/link.txt").status


def test_uploads_of_the_apps_user_below_folders_are_served(world):
    folder = world.root / "media/2026"
    folder.mkdir()
    (folder / "a.txt").write_text("mine")
    for path in (world.root / "media", folder, folder / "a.txt"):
        os.chown(path, 33, 33)
    folder.chmod(0o711)
    world.serve()

    assert b"mine" == world.ask("/media/2026/a.txt").body


def test_media_may_itself_be_reached_through_a_link(world):
    (world.root / "uploads").symlink_to("media")
    media = LocationView("media", "/media/", f"{world.root}/uploads")
    world.serve(locations=(media,))

    assert b"upload\n" == world.ask("/media/sample.txt").body


def test_a_private_file_comes_only_through_the_app(world):
    world.serve()

    assert 404 == world.ask("/protected/report.txt").status
    assert b"secret report\n" == world.ask("/x-accel/report.txt").body


def test_an_upload_over_the_limit_is_413_and_one_below_is_not(world):
    world.serve(max_upload_bytes=4096)

    assert 200 == world.ask("/upload", "POST", body=b"x" * 4096).status
    assert 413 == world.ask("/upload", "POST", body=b"x" * 4097).status


def test_the_app_gets_the_clients_address_host_and_scheme(world):
    world.serve()

    forged = {"X-Forwarded-Host": "evil", "X-Forwarded-Proto": "https", "X-Real-IP": "6.6.6.6"}
    answer = world.ask("/", headers=forged).body.decode()
    received = dict(line.split("=", 1) for line in answer.split("\n"))

    expected = {
        "Host": "example.com",
        "X-Real-IP": "127.0.0.1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "example.com",
    }
    assert expected == {name: received[name] for name in expected}


def test_a_regex_location_of_the_users_own_does_not_shadow_the_files(world):
    hostile = r"location ~* \.(css|js|png|txt)$ { return 418; }"
    world.serve(extra=hostile)

    assert b"body {}\n" == world.ask("/static/css/app.css").body
    assert b"upload\n" == world.ask("/media/sample.txt").body
    assert 418 == world.ask("/other.css").status


def test_tls_redirects_plain_requests_and_sends_hsts_everywhere(with_tls):
    world = with_tls
    world.serve()

    redirect = world.ask("/static/health.txt?a=b")
    assert 301 == redirect.status
    assert [f"https://example.com:{world.tls_port}/static/health.txt?a=b"] == redirect.all(
        "Location"
    )
    for target in ("/", "/static/health.txt", "/media/sample.txt", "/static/missing"):
        answer = world.ask(target, port=world.tls_port)
        assert ["max-age=31536000"] == answer.all("Strict-Transport-Security"), target
    assert [] == redirect.all("Strict-Transport-Security")


def test_without_a_redirect_both_ports_serve_the_site(with_tls):
    world = with_tls
    world.serve(tls=replace(world.view.tls, redirect=False, hsts=None))

    for port in (world.port, world.tls_port):
        answer = world.ask("/static/health.txt", port=port)
        assert b"ok\n" == answer.body
        assert [] == answer.all("Strict-Transport-Security")


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, str]]:
    """Another machine on a wire to this one: its network namespace, and our address there."""
    name = f"rcx{os.getpid()}"
    ours = f"10.{os.getpid() % 200 + 20}.77.1"
    for command in (
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add {ours}/30 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add {ours[:-1]}2/30 dev eth0",
        f"ip -n {name} link set eth0 up",
    ):
        subprocess.run(command.split(), check=True)
    yield name, ours
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture
def from_elsewhere(world, elsewhere):
    """Ask over that wire with curl."""
    machine, ours = elsewhere

    def ask(path: str, *headers: str) -> bytes:
        named = [part for header in ("Host: example.com", *headers) for part in ("-H", header)]
        command = ["ip", "netns", "exec", machine, "curl", "-s", *named]
        url = f"http://{ours}:{world.port}{path}"
        return subprocess.run([*command, url], capture_output=True, check=True).stdout

    return ask


def test_only_this_machine_can_read_the_generation(world, elsewhere, from_elsewhere):
    world.serve()
    token = config_token_of(render_site(world.view, "1.22.1"))
    path = f"/.reconcile-generation?{token}"

    for address in ("127.0.0.1", "::1", elsewhere[1]):
        assert token.encode() == world.ask(path, address=address).body
    assert b"ok\n" == from_elsewhere("/static/health.txt")
    assert b"404 Not Found" in from_elsewhere(path, "X-Forwarded-For: 127.0.0.1")


def test_a_forged_address_does_not_get_the_generation_out_of_nginx(
    world, elsewhere, from_elsewhere
):
    trusting = "set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For;\n"
    world.nginx.config.write_text(
        world.nginx.config.read_text().replace("http {", f"http {{ {trusting}")
    )
    world.serve()
    forged = f"X-Forwarded-For: {elsewhere[1]}"

    for path in ("/.reconcile-generation", "/.reconcile-generation?x"):
        assert b"404 Not Found" in from_elsewhere(path, forged)


def test_a_site_of_files_alone_needs_no_app(world):
    static = LocationView("static", "/", f"{world.root}/static", "no-cache")
    world.serve(upstream=None, locations=(static,))

    assert b"ok\n" == world.ask("/health.txt").body
    assert 404 == world.ask("/.env").status


def test_a_site_without_an_app_answers_404_beside_its_files(world):
    world.serve(upstream=None)

    assert b"ok\n" == world.ask("/static/health.txt").body
    assert 404 == world.ask("/").status


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("app.js", "application/javascript; charset=utf-8"),
        ("app.js.map", "application/json"),
        ("site.webmanifest", "application/manifest+json"),
        ("core.wasm", "application/wasm"),
        ("photo.avif", "image/avif"),
        ("photo.jxl", "image/jxl"),
        ("text.otf", "font/otf"),
        ("notes.txt", "text/plain; charset=utf-8"),
        ("captions.vtt", "text/vtt; charset=utf-8"),
        ("page.html", "text/html; charset=utf-8"),
        ("PHOTO.JXL", "image/jxl"),
        ("report.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ],
)
def test_a_static_file_has_the_type_that_browsers_need(world, host, name, kind):
    (world.root / "static" / name).write_bytes(b"x")
    world.serve(types=added_types(discover(host).tree))

    assert [kind] == world.ask(f"/static/{name}").all("Content-Type")


def test_a_compressed_sibling_keeps_the_type_and_charset_of_its_file(world, host):
    (world.root / "static/app.mjs").write_bytes(b"x")
    (world.root / "static/app.mjs.gz").write_bytes(gzip.compress(b"x"))
    static = replace(world.view.locations[0], packed=("gzip",))
    world.serve(types=added_types(discover(host).tree), locations=(static,))

    answer = world.ask("/static/app.mjs", headers={"Accept-Encoding": "gzip"})

    assert ["gzip"] == answer.all("Content-Encoding")
    assert ["text/javascript; charset=utf-8"] == answer.all("Content-Type")


def test_nginx_has_nothing_to_warn_of_about_the_types(world, host):
    world.write(types=added_types(discover(host).tree))

    assert "" == "\n".join(
        line for line in world.nginx.run("-t").stderr.splitlines() if "[warn]" in line
    )


def test_a_type_that_browsers_refuse_is_replaced(world, host):
    world.nginx.config.write_text(
        world.nginx.config.read_text().replace(
            "include /etc/nginx/mime.types;",
            "types { text/plain mjs; application/x-odd odd; text/html html; }",
        )
    )
    (world.root / "static/app.mjs").write_bytes(b"x")
    (world.root / "static/a.odd").write_bytes(b"x")
    world.serve(types=added_types(discover(host).tree))

    assert ["application/x-odd"] == world.ask("/static/a.odd").all("Content-Type")
    assert ["text/javascript; charset=utf-8"] == world.ask("/static/app.mjs").all("Content-Type")
