"""The recipes of the documentation, each served by a real nginx and asked for what it promises."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reconcile.config.context import CompileContext
from reconcile.config.load import load_bytes
from reconcile.resources.file import File
from tests.nginx.running.conftest import World, host_with
from tests.support.host_facts import HOST
from tests.support.recipes import recipes

pytestmark = pytest.mark.process

HTPASSWD = "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
ANNA = {"Authorization": "Basic YW5uYTpwYXNzd29yZA=="}
FILES = {
    "www/myapp/static/app.css": "body {}\n",
    "www/myapp/static/favicon.ico": "icon",
    "www/myapp/static/robots.txt": "User-agent: *\n",
    "www/myapp/fonts/a.woff2": "font",
    "www/myapp/assets/app.3f9c1a2b.js": "1",
    "www/myapp/media/a.pdf": "%PDF",
    "www/blog/index.html": "<h1>blog</h1>",
    "www/spa/index.html": "<h1>spa</h1>",
    "www/spa/app-3f9c1a2b.js": "1",
    "www/site/index.html": "<h1>site</h1>",
    "srv/myapp/protected/report.txt": "secret\n",
    "errors/404.html": "<h1>not here</h1>",
    "errors/50x.html": "<h1>broken</h1>",
    "errors/maintenance.html": "<h1>soon back</h1>",
    "htpasswd": HTPASSWD,
}


@dataclass(frozen=True)
class Ask:
    """A request, and what has to come back; a header of None has to be absent."""

    path: str
    status: int
    headers: dict[str, str | None] = field(default_factory=dict)
    body: str = ""
    host: str = "example.com"
    sent: dict[str, str] = field(default_factory=dict)
    tls: bool = False


ASKS: dict[str, list[Ask]] = {
    "Larger uploads": [Ask("/", 200)],
    "A second site": [
        Ask("/", 200, body="Host=shop.example", host="shop.example"),
        Ask("/", 200, body="blog", host="blog.example"),
    ],
    "HTTPS with a certificate of one's own": [Ask("/", 200, tls=True), Ask("/x", 301)],
    "HSTS for all subdomains": [
        Ask(
            "/",
            200,
            {"Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload"},
            tls=True,
        )
    ],
    "A new release of the static files": [
        Ask(
            "/assets/app.3f9c1a2b.js",
            200,
            {"Cache-Control": "public, max-age=31536000, immutable"},
        )
    ],
    "www leads to the bare name": [
        Ask("/a?b=c", 301, {"Location": "http://example.com:PORT/a?b=c"}, host="www.example.com"),
        Ask("/", 301, {"Location": "http://example.com:PORT/"}, host="old.example.net"),
        Ask("/", 200),
    ],
    "Security headers on pages": [
        Ask("/", 200, {"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}),
        Ask("/status/500", 500, {"Content-Security-Policy": "default-src 'self'"}),
    ],
    "Security headers on files": [
        Ask(
            "/static/app.css",
            200,
            {"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": None},
        )
    ],
    "Compression": [Ask("/", 200, {"Content-Encoding": None}, sent={"Accept-Encoding": "gzip"})],
    "Fonts for other sites": [Ask("/fonts/a.woff2", 200, {"Access-Control-Allow-Origin": "*"})],
    "favicon.ico and robots.txt": [
        Ask("/favicon.ico", 200, {"Cache-Control": "public, max-age=604800"}, body="icon"),
        Ask("/robots.txt", 200, {"Cache-Control": "public, max-age=86400"}),
        Ask("/", 200, body="Host=example.com"),
    ],
    "A password for the admin pages": [
        Ask("/admin/", 401),
        Ask("/admin/", 200, sent=ANNA),
        Ask("/", 200),
    ],
    "A password for the whole site": [
        Ask("/", 401, host="staging.example.com"),
        Ask("/", 200, sent=ANNA, host="staging.example.com"),
    ],
    "A limit for the login page": [Ask("/login", 200) for _ in range(6)] + [Ask("/login", 429)],
    "An app of one page": [
        Ask("/any/page", 200, body="spa"),
        Ask("/missing.js", 404),
    ],
    "HTML for a moment, hashed assets for ever": [
        Ask("/index.html", 200, {"Cache-Control": "no-store"}),
        Ask("/app-3f9c1a2b.js", 200, {"Cache-Control": "public, max-age=31536000, immutable"}),
    ],
    "Pages for errors": [Ask("/missing", 404, body="not here"), Ask("/", 200, body="site")],
    "A maintenance page": [
        Ask("/", 503, {"Cache-Control": "no-store"}, body="soon back"),
    ],
    "PDFs are shown, not downloaded": [
        Ask("/media/a.pdf", 200, {"Content-Type": "application/pdf", "Content-Disposition": None})
    ],
    "Old URLs": [
        Ask("/old/a?b=c", 301, {"Location": "/new/a?b=c"}),
        Ask("/shop", 302, {"Location": "https://shop.example.com/"}),
    ],
    "Behind a load balancer": [
        Ask("/", 200, body="X-Forwarded-Proto=http\n", sent={"X-Forwarded-Proto": "https"}),
    ],
    "One more header for the app": [Ask("/", 200, body="X-Tenant=blue")],
    "Several upstreams": [Ask("/", 200), Ask("/", 200)],
    "A second app below /api": [Ask("/api/status/404", 404, body="own page")],
    "Private downloads": [
        Ask("/x-accel/report.txt", 200, body="secret"),
        Ask("/protected/report.txt", 404),
    ],
}
UNASKED = {
    "HTTPS by Let's Encrypt": "certbot",
    "A Flask app with uploads": "Gunicorn",
    "A new release of the code": "Gunicorn",
    "A new release of the app beside the one in use": "Gunicorn",
    "A link to the current release": "an apply",
    "WebSockets": "a client of its own: test_site_keys.py",
    "An ASGI app": "Gunicorn",
    "Workers, threads and timeouts": "Gunicorn",
    "Secrets in an environment file": "Gunicorn",
    "A unit of one's own": "systemd",
    "SQLite beside the app": "Gunicorn",
    "A scheduled job": "systemd",
    "A Celery worker": "systemd",
    "Django with collectstatic": "Gunicorn",
    "One file for staging and production": "Gunicorn",
    "An app in a container": "a container",
    "Unknown names get no answer": "a test below",
}
"""What each of these needs beside nginx; nginx accepts their configuration all the same."""


def served(world: World, title: str) -> World:
    """Serve the recipe: its paths in the world's folder, its app the world's own."""
    for name, text in FILES.items():
        path = world.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    text = re.sub(r"(?<=[\s\"])/(var/)?(www|srv)/", rf"{world.root}/\2/", recipes()[title])
    # One of several is down, which visitors do not notice.
    text = text.replace("http://127.0.0.1:8002", "http://localhost:9")
    text = re.sub(r'"http://127[.]0[.]0[.]1:\d+"', f'"unix:{world.root}/app.sock"', text)
    text = text.replace("unix:/run/gunicorn.sock", f"unix:{world.root}/app.sock")
    text = re.sub(r"/etc/ssl/\S+?[.]pem", f"{world.root}/certificate.pem", text)
    text = re.sub(r"/etc/ssl/\S+?[.]key", f"{world.root}/key.pem", text)
    ports = (
        f"[{world.port}, '{world.tls_port} ssl']" if "certificate:" in text else f"[{world.port}]"
    )
    text = re.sub(r"^(    server_names: .*)$", rf"\1\n    listen: {ports}", text, flags=re.M)
    config = load_bytes(text.encode(), f"{world.root}/reconcile.yaml")
    sources = {
        path: Path(path).read_bytes() if Path(path).exists() else b"\n"
        for path in config.file_sources()
    }
    facts = replace(
        HOST,
        sources=sources,
        pages_dir=f"{world.root}/pages",
        passwords_dir=f"{world.root}/passwords",
    )
    context = CompileContext(config, facts)
    for name, site in context.sites.items():
        for item in config.sites[name].compile(name, context):
            if isinstance(item.resource, File) and item.resource.path.startswith(str(world.root)):
                Path(item.resource.path).parent.mkdir(parents=True, exist_ok=True)
                data = item.resource.file_data(host_with(world.nginx))
                Path(item.resource.path).write_bytes(data)
        world.nginx.site(name, site.nginx_content)
    world.nginx.start()
    return world


def world_of(title: str, request: pytest.FixtureRequest) -> World:
    """One with a certificate, which takes longer, only where the recipe has one."""
    wanted: World = request.getfixturevalue(
        "with_tls" if "certificate:" in recipes()[title] else "world"
    )
    return wanted


@pytest.mark.parametrize("title", ASKS)
def test_a_recipe_answers_as_it_promises(title: str, request: pytest.FixtureRequest) -> None:
    world = served(world_of(title, request), title)

    for ask in ASKS[title]:
        port = world.tls_port if ask.tls else world.port
        answer = world.ask(ask.path, port=port, headers={"Host": ask.host, **ask.sent})
        assert ask.status == answer.status, ask
        assert ask.body in answer.body.decode(), ask
        for name, value in ask.headers.items():
            expected = [] if value is None else [value.replace("PORT", str(world.port))]
            assert expected == answer.all(name), ask


def test_unknown_names_get_no_answer(world: World) -> None:
    served(world, "Unknown names get no answer")

    with pytest.raises(ConnectionError):
        world.ask("/", headers={"Host": "any.test"})


def test_every_recipe_is_asked_or_needs_more_than_nginx() -> None:
    assert {*recipes()} == {*ASKS} | {*UNASKED}


def test_nginx_accepts_every_other_recipe_too(world: World) -> None:
    refused = {}
    for title in UNASKED:
        if title != "Unknown names get no answer":
            served_text = served_configuration(world, title)
            if served_text:
                refused[title] = served_text

    assert {} == refused


def served_configuration(world: World, title: str) -> str:
    """What `nginx -t` has against the recipe; "" for nothing."""
    config = load_bytes(recipes()[title].encode(), f"{world.root}/reconcile.yaml")
    context = CompileContext(
        config, replace(HOST, sources=dict.fromkeys(config.file_sources(), b"\n"))
    )
    for name, site in context.sites.items():
        world.nginx.site(name, site.nginx_content)
    tested = world.nginx.run("-t")
    for name in context.sites:
        world.nginx.site(name, b"")
    return "" if tested.returncode == 0 else tested.stderr
