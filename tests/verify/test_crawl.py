"""What a page makes browsers load from this host arrives in a form that they take."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.config.probes import CrawlProbe, Endpoint
from reconcile.engine.model import Check
from reconcile.system import Host, HostSettings
from reconcile.system.probe_login import login_line, made_password
from reconcile.verify.configured_responses import as_configured
from reconcile.verify.run_probes import run_probes
from tests.support.ports import free_port
from tests.verify.conftest import APP_USER, MAIN, listening, nginx_binary, running

pytestmark = pytest.mark.process

CONFIG = (
    MAIN
    + """
    access_log {root}/access.log;
    include /etc/nginx/mime.types;
    types {{ text/javascript mjs; application/manifest+json webmanifest; }}
    include {root}/conf.d/*.conf;
    ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        server_name shop.example;
        {server}
        add_header X-Content-Type-Options nosniff always;
        location = / {{ root {root}/page; try_files /index.html =404; default_type text/html; }}
        location ^~ /static/ {{ alias {root}/static/; {location} }}
        location / {{ proxy_pass http://127.0.0.1:1; }}
    }}
    server {{
        listen 127.0.0.1:{port};
        server_name cdn.shop.example;
        root {root}/static;
        {cdn}
    }}
}}
"""
)
CSS = '@import "more.css"; .a { background: url(a.png) } @font-face { src: url("f.woff2") }'
FILES = {
    "app.css": CSS,
    "more.css": ".b { background: url('sub/b.svg') }",
    "app.js": "1",
    "app.mjs": "1",
    "a.png": "png",
    "f.woff2": "font",
    "sub/b.svg": "<svg/>",
    "site.webmanifest": "{}",
}
PAGE = """<!doctype html><title>x</title>
<base href="/static/">
<link rel="stylesheet" href="app.css"><link rel=icon href="a.png">
<link rel="manifest" href="site.webmanifest">
<link rel="preload" as="font" crossorigin href="f.woff2"><link rel="prefetch" href="/prefetched">
<script src="app.js"></script><script type="module" src="app.mjs"></script>
<img src="a.png" srcset="a.png 1x, sub/b.svg 2x">
<a href="/logout">x</a><form action="/delete"></form><template><img src="none.png"></template>
<!-- <img src="none.png"> --><img src="data:image/png;base64,AA=="><img src="/media/by-the-app.png">
<img src="https://elsewhere.example/x.png">
EXTRA
"""


@dataclass
class Site:
    root: Path
    port: int
    tls_port: int
    start: Callable[..., None]

    def page(self, extra: str) -> None:
        ports = extra.replace("PORT", str(self.port))
        (self.root / "page/index.html").write_text(PAGE.replace("EXTRA", ports))

    def file(self, name: str, text: str) -> None:
        (self.root / "static" / name).write_text(text)

    @property
    def host(self) -> Host:
        config = f"{self.root}/nginx.conf"
        return Host(HostSettings(nginx_config=config, state_dir=f"{self.root}/state"))

    def password(self) -> str:
        """What asks for the password of the probes."""
        (self.root / "htpasswd").write_bytes(login_line(made_password(self.host)))
        return f'auth_basic "staff"; auth_basic_user_file {self.root}/htpasswd;'

    def crawl(self, *, tls: bool = False, is_default: bool = False, path: str = "/") -> Check:
        port = self.tls_port if tls else self.port
        endpoint = Endpoint("https" if tls else "http", "shop.example", port, ("127.0.0.1",))
        probe = CrawlProbe("crawl", "shop", endpoint, path, is_default=is_default)
        [check] = run_probes(as_configured([probe], self.host), self.host, retry_s=0)
        return check

    def requested(self) -> set[str]:
        lines = (self.root / "access.log").read_text().splitlines()
        return {line.split('"')[1].split()[1] for line in lines}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    options = ["req", "-x509", *curve]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subject = ["-subj", "/CN=shop.example"]
    subprocess.run(["openssl", *options, *files, *subject], check=True, capture_output=True)
    return folder


@pytest.fixture
def site(certificate: Path) -> Iterator[Site]:
    root = Path(tempfile.mkdtemp(prefix="reconcile-crawl-"))
    root.chmod(0o755)
    for name in ("static/sub", "page", "conf.d"):
        (root / name).mkdir(parents=True)
    for name in ("key.pem", "cert.pem"):
        shutil.copy(certificate / name, root / name)
    port, tls_port = free_port(), free_port()
    with ExitStack() as stack:

        def start(location: str = "", cdn: str = "", server: str = "") -> None:
            ports = {"port": port, "tls_port": tls_port}
            added = {"location": location, "cdn": cdn, "server": server}
            text = CONFIG.format(root=root, user=APP_USER, **ports, **added)
            (root / "nginx.conf").write_text(text)
            command = [nginx_binary(), "-c", str(root / "nginx.conf")]
            stack.enter_context(running(command, lambda: listening(port)))

        found = Site(root, port, tls_port, start)
        for name, content in FILES.items():
            found.file(name, content)
        found.page("")
        yield found
    shutil.rmtree(root)


def test_all_that_a_page_loads_from_nginx_is_requested_and_nothing_else(site: Site) -> None:
    site.start()

    check = site.crawl()

    assert "pass" == check.status, check
    assert (
        "8 files that it loads from here; 1 not requested, from the app; 1 from elsewhere"
        == check.detail
    )
    assert {"/", *(f"/static/{name}" for name in FILES)} == site.requested()


@pytest.mark.parametrize("level", ["server", "location"])
def test_behind_a_password_it_logs_in_and_requests_the_same(site: Site, level: str) -> None:
    site.start(**{level: site.password()})

    check = site.crawl()

    assert "pass" == check.status, check
    assert (
        "8 files that it loads from here; 1 not requested, from the app; 1 from elsewhere"
        == check.detail
    )


def test_behind_a_password_of_others_it_is_skipped(site: Site) -> None:
    site.start(server=site.password())
    (site.root / "state/probe-login").unlink()

    assert "skipped" == site.crawl().status


def hashed(text: str) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(text.encode()).digest()).decode()


@pytest.mark.parametrize(
    "extra",
    [
        f'<script src="app.js" integrity="{hashed("1")}"></script>',
        f'<script src="app.js" integrity="sha256-AAAA {hashed("1")}"></script>',
        '<script src="//cdn.shop.example:PORT/app.js"></script>',
        '<script src="//cdn.shop.example:PORT/app.mjs" type="module"></script>',
        '<link rel="stylesheet" href="app.css?v=3">',
        '<img srcset="a.png?a,b 1x,sub/b.svg 2x">',
        '<script type="text/template" src="none.js"></script>',
        '<video src="a.png"><source src="a.png"></video>',
        "<style>.c { background: url( 'a.png' ) } /* url(none.png) */</style>",
        '<svg><use href="#local"/></svg>',
        "<style>.c { content: 'url(none.png)'; behavior: url(none.htc) }</style>",
        "<style>@font-face { src: url(none.eot?#iefix), url(f.woff2), url(none.ttf) }</style>",
        '<script nomodule src="none.js"></script><noscript><img src="none.png"></noscript>',
        '<link rel="stylesheet" disabled href="none.css">',
    ],
)
def test_what_browsers_take_is_no_fault(site: Site, extra: str) -> None:
    site.page(extra)
    site.start(cdn="add_header Access-Control-Allow-Origin *;")

    assert "pass" == site.crawl().status, site.crawl()


LINKED = {
    "a missing script": ('<script src="none.js"></script>', "/static/none.js: got 404"),
    "a missing candidate": ('<img srcset="a.png 1x, none.png 2x">', "/static/none.png: got 404"),
    "a missing icon": ('<link rel="shortcut icon" href="none.ico">', "none.ico: got 404"),
    "a style attribute": ('<p style="background:url(none.gif)">', "none.gif: got 404"),
    "a style element": ("<style>@import url(none.css);</style>", "none.css: got 404"),
    "a page as a script": ('<script src="/static/page.html"></script>', "does not fit a script"),
    "a text as a style": ('<link rel=stylesheet href="t.txt">', "does not fit a stylesheet"),
    "a module without a type": ('<script type=module src="x.odd"></script>', "fit a module"),
    "a page as an image": ('<img src="page.html">', "does not fit an image"),
    "another content": (
        f'<script src="app.js" integrity="{hashed("2")}"></script>',
        "its sha384 differs",
    ),
    "a module of another origin": (
        '<script type=module src="//cdn.shop.example:PORT/app.mjs"></script>',
        "Access-Control-Allow-Origin has to be",
    ),
    "a font of another origin": (
        "<style>@font-face { src: url(//cdn.shop.example:PORT/f.woff2) }</style>",
        "Access-Control-Allow-Origin has to be",
    ),
}


@pytest.mark.parametrize(("extra", "what"), LINKED.values(), ids=LINKED)
def test_what_browsers_refuse_is_found(site: Site, extra: str, what: str) -> None:
    for name in ("page.html", "t.txt", "x.odd"):
        site.file(name, "<p>")
    site.page(extra)
    site.start()

    check = site.crawl()

    assert ("fail", True) == (check.status, what in check.detail), check


SERVED = {
    "an image of a stylesheet": ("sub/b.svg", "", "/static/sub/b.svg: got 404"),
    "an imported stylesheet": ("more.css", "", "/static/more.css: got 404"),
    "a font of a stylesheet": ("f.woff2", "", "/static/f.woff2: got 404"),
    "kept for ever": ("", "expires max;", "/static/app.js: browsers cache it"),
    "two rules": (
        "",
        "expires 1d; add_header Cache-Control public;",
        "Cache-Control was sent 2 times",
    ),
    "one type for all": ("", "types { } default_type text/plain;", "fit a stylesheet"),
}


@pytest.mark.parametrize(("missing", "location", "what"), SERVED.values(), ids=SERVED)
def test_what_nginx_serves_wrongly_is_found(
    site: Site, missing: str, location: str, what: str
) -> None:
    if missing:
        (site.root / "static" / missing).unlink()
    site.start(location=location)

    check = site.crawl()

    assert ("fail", True) == (check.status, what in check.detail), check


def test_a_page_of_https_that_loads_over_http_is_found(site: Site) -> None:
    site.page('<img src="http://shop.example:PORT/static/a.png">')
    site.start()

    check = site.crawl(tls=True)

    assert ("fail", True) == (check.status, "may not load it over http" in check.detail), check


def test_a_name_that_is_written_as_a_url_is_not_loaded(site: Site) -> None:
    site.page("<style>@namespace svg url(http://shop.example:PORT/none);</style>")
    site.start()

    check = site.crawl(tls=True)

    assert "pass" == check.status, check


def test_by_default_it_only_warns(site: Site) -> None:
    site.page('<script src="none.js"></script>')
    site.start()

    check = site.crawl(is_default=True)

    assert ("pass", True) == (check.status, check.warning)


def test_what_is_no_page_is_skipped(site: Site) -> None:
    site.start()

    assert "skipped" == site.crawl(path="/static/app.js").status
