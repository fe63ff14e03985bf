"""What the keys of a site mean, asked of a real nginx and by the site's own probes."""

from __future__ import annotations

import gzip
import json
import re
import socket
import socketserver
import threading
import time

import pytest

from reconcile.config.site.maintenance import maintenance_findings
from reconcile.verify.run_probes import run_probes
from tests.nginx.running.conftest import host_with, serve_yaml
from tests.support.ports import free_port
from tests.support.wait import wait_for

pytestmark = pytest.mark.process

APP = "app: {upstream: 'unix:ROOT/app.sock'}"
STATIC = "{role: static, dir: ROOT/static%s}"
LOCATIONS = (
    "locations:",
    "  /static/: {role: static, dir: ROOT/static}",
    "  /media/: {role: media, dir: ROOT/media}",
    "  /protected/: {role: private, dir: ROOT/private}",
)
TLS = "tls: {certificate: ROOT/certificate.pem, key: ROOT/key.pem%s}"
PLACES = [
    "/",
    "/static/health.txt",
    "/static/missing",
    "/static",
    "/media/sample.txt",
    "/media/missing",
    "/x-accel/report.txt",
]


@pytest.mark.parametrize("target", PLACES)
def test_a_header_of_the_site_is_on_pages_files_and_errors_once(world, target):
    served = serve_yaml(world, APP, "headers: {X-Frame-Options: DENY, Served-By: us}", *LOCATIONS)

    answer = world.ask(target)

    assert ["DENY"] == answer.all("X-Frame-Options")
    assert ["us"] == answer.all("Served-By")
    if target == PLACES[0]:
        assert [] == served.failed_probes()


def test_a_header_of_the_site_replaces_the_apps_own(world):
    serve_yaml(world, APP, "headers: {x-served-by: nginx}")

    assert ["nginx"] == world.ask("/").all("X-Served-By")


def test_a_locations_header_is_before_the_sites_and_that_before_a_default(world):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: site, B: site, Content-Security-Policy: default-src 'self'}",
        "locations:",
        "  /static/: {role: static, dir: ROOT/static, headers: {a: here, B: null}}",
        "  /media/: {role: media, dir: ROOT/media, headers: {X-Content-Type-Options: null}}",
    )

    static, media = world.ask("/static/health.txt"), world.ask("/media/sample.txt")

    assert (["here"], []) == (static.all("A"), static.all("B"))
    assert ["nosniff"] == static.all("X-Content-Type-Options")
    assert [] == media.all("X-Content-Type-Options")
    assert ["default-src 'self'"] == media.all("Content-Security-Policy")
    assert [] == served.failed_probes()


def test_a_location_may_take_away_every_header(world):
    serve_yaml(
        world,
        APP,
        "headers: {A: site}",
        "locations:",
        "  /protected/:",
        "    {role: private, dir: ROOT/private, headers: {A: null, X-Content-Type-Options: null}}",
    )

    answer = world.ask("/x-accel/report.txt")

    assert (200, [], []) == (answer.status, answer.all("A"), answer.all("X-Content-Type-Options"))


HOSTILE = ['a"b', "a\\", "a;b}", "{a} #b", "it's", 'a" always; add_header X y; #', "%0d%0a"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_header_is_sent_as_it_is_written(world, value):
    serve_yaml(world, APP, f"headers: {{A: {json.dumps(value)}}}", *LOCATIONS)

    assert [value] == world.ask("/").all("A") == world.ask("/static/health.txt").all("A")


def test_hsts_with_its_words_is_on_every_answer_over_tls(with_tls):
    world = with_tls
    hsts = ", hsts: {max_age: 1y, subdomains: true, preload: true}"
    served = serve_yaml(world, APP, "headers: {A: b}", TLS % hsts, *LOCATIONS)

    for target in PLACES:
        answer = world.ask(target, port=world.tls_port)
        sent = answer.all("Strict-Transport-Security")
        assert ["max-age=31536000; includeSubDomains; preload"] == sent, target
    plain = world.ask("/")
    assert (301, ["b"]) == (plain.status, plain.all("A"))
    assert [] == plain.all("Strict-Transport-Security")
    assert [] == served.failed_probes()


@pytest.mark.parametrize(("key", "fails"), [("http2: true", False), ("http2: false", True)])
def test_http2_is_offered_by_alpn(with_tls, key, fails):
    from reconcile.config.probes import AlpnProbe
    from reconcile.config.site.listen_ports import main_endpoint

    served = serve_yaml(with_tls, APP, TLS % "", key)
    probe = AlpnProbe("probe:h2", "myapp", main_endpoint(served.site))

    [first, *_] = run_probes((probe,), host_with(with_tls.nginx), retry_s=0)

    assert ("fail" if fails else "pass", fails) == (first.status, "http/1.1" in first.detail)
    assert [] == served.failed_probes()


BIG = "text " * 500
COMPRESSED = [
    ("/static/big.css", True),
    ("/static/big.json", True),
    ("/static/big.svg", True),
    ("/static/big.png", False),
    ("/static/big.zip", False),
    ("/static/css/app.css", False),
    ("/media/big.txt", True),
]


def compressed(world, target):
    answer = world.ask(target, headers={"Accept-Encoding": "gzip", "Via": "1.1 a"})
    assert 200 == answer.status
    packed = answer.all("Content-Encoding") == ["gzip"]
    body = gzip.decompress(answer.body) if packed else answer.body
    return packed, answer.all("Vary"), body


def test_text_is_compressed_and_images_and_archives_are_not(world):
    for name in ("big.css", "big.json", "big.svg", "big.png", "big.zip"):
        (world.root / f"static/{name}").write_text(BIG)
    (world.root / "media/big.txt").write_text(BIG)
    serve_yaml(world, APP, *LOCATIONS)

    for target, expected in COMPRESSED:
        packed, vary, body = compressed(world, target)
        assert (expected, expected) == (packed, vary == ["Accept-Encoding"]), target
        assert target == "/static/css/app.css" or BIG.encode() == body
    assert ["Accept-Encoding"] == world.ask("/static/big.css").all("Vary")


def test_gzip_false_compresses_nothing(world):
    (world.root / "static/big.css").write_text(BIG)
    world.nginx.config.write_text(
        world.nginx.config.read_text().replace("http {", "http { gzip on; gzip_types text/css;")
    )
    serve_yaml(world, APP, "gzip: false", *LOCATIONS)

    assert (False, [], BIG.encode()) == compressed(world, "/static/big.css")


@pytest.mark.parametrize(
    ("directive", "fault"),
    [
        (b"gzip_vary", "without Vary: Accept-Encoding"),
        (b"gzip", "it is not compressed, although gzip is on"),
    ],
)
def test_what_is_not_compressed_as_declared_is_a_failure(world, directive, fault):
    (world.root / "static/big.css").write_text(BIG)
    served = serve_yaml(world, APP, *LOCATIONS)
    assert [] == served.failed_probes()
    config = served.site.nginx_content.replace(b"%s on;" % directive, b"%s off;" % directive)
    assert config != served.site.nginx_content
    world.nginx.site("myapp", config)
    assert 0 == world.nginx.run("-s", "reload").returncode

    wait_for(lambda: any(fault in one for one in served.failed_probes()), fault)


def test_the_default_yields_to_gzip_in_extra(world):
    (world.root / "static/big.css").write_text(BIG)
    serve_yaml(world, APP, *LOCATIONS, "extra: 'gzip on; gzip_min_length 9999;'")

    assert not compressed(world, "/static/big.css")[0]


REDIRECTS = (
    APP,
    "redirects:",
    "  /old/: /new/",
    "  /root/: /",
    "  /shop: {to: 'https://shop.example.com', status: 302}",
    "  /away/: {to: 'https://other.example/x/', status: 308}",
    "  /with-query: /new?fixed=1",
    "  /a.b+(c)/: /d/",
)
LED = [
    ("/old/", 301, "/new/"),
    ("/old/a/b?x=1&y=%20", 301, "/new/a/b?x=1&y=%20"),
    ("/old/a%20b%C3%A4+c", 301, "/new/a%20b%C3%A4+c"),
    ("/old/%0d%0aSet-Cookie:%20a=b", 301, "/new/%0d%0aSet-Cookie:%20a=b"),
    ("//old/%09Set-Cookie:%20a=b?q", 301, "/new/%09Set-Cookie:%20a=b?q"),
    ("/%6fld/a", 301, "/new/a"),
    ("/x/../old/a", 301, "/new/a"),
    ("/root/a", 301, "/a"),
    ("/root//evil.example", 301, "/evil.example"),
    ("/root///evil.example", 301, "/evil.example"),
    ("/root/\\evil.example", 301, "/evil.example"),
    ("//root//evil.example", 301, "/evil.example"),
    ("//root/%2F/evil.example", 301, "/evil.example"),
    ("//root/%5Cevil.example", 301, "/evil.example"),
    ("/shop", 302, "https://shop.example.com/"),
    ("/shop?a=b", 302, "https://shop.example.com/?a=b"),
    ("/with-query?a=b", 301, "/new?fixed=1"),
    ("/away/a?b", 308, "https://other.example/x/a?b"),
    ("/%61way/a?b", 308, "https://other.example/x/?b"),
    ("/a.b+(c)/e", 301, "/d/e"),
]


def test_a_redirect_keeps_what_follows_and_lets_nothing_else_in(world):
    served = serve_yaml(world, *REDIRECTS)

    for target, status, location in LED:
        answer = world.ask(target)
        assert (status, [location]) == (answer.status, answer.all("Location")), target
        assert [] == answer.all("Set-Cookie")
    assert 404 == world.ask("//old/%0d%0aSet-Cookie:%20a=b").status
    for target in ("/old", "/older/", "/shop/", "/axb+(c)/"):
        assert 200 == world.ask(target).status, target
    assert [] == served.failed_probes()


@pytest.mark.parametrize("merge", ["on", "off"])
def test_no_redirect_leads_to_another_host(world, merge):
    world.nginx.config.write_text(
        world.nginx.config.read_text().replace("http {", f"http {{ merge_slashes {merge};")
    )
    serve_yaml(world, *REDIRECTS)

    for slashes in ("/", "//", "/%2F", "%2F%2F", "/%5C", "\\/", "/\\"):
        for begin in ("/root/", "//root/", "/r%6fot/"):
            [location] = world.ask(f"{begin}{slashes}evil.example").all("Location") or ["/"]
            assert location[1:2] not in ("/", "\\"), (begin, slashes)


def test_a_site_may_consist_of_redirects_alone(world):
    served = serve_yaml(
        world, "server_names: [www.example.com]", "redirects: {/: 'https://example.com/'}"
    )

    answer = world.ask("/a?b", headers={"Host": "www.example.com"})

    assert ["https://example.com/a?b"] == answer.all("Location")
    assert [] == served.failed_probes()


def test_other_names_lead_to_the_first_one(with_tls):
    world = with_tls
    served = serve_yaml(
        world, APP, TLS % ", hsts: 1y", "redirect_from: [www.example.com, '*.example.net']"
    )
    target = f"https://example.com:{world.tls_port}/a%20b?c"

    for host in ("www.example.com", "x.example.net"):
        for port in (world.port, world.tls_port):
            answer = world.ask("/a%20b?c", port=port, headers={"Host": host})
            assert (301, [target]) == (answer.status, answer.all("Location"))
            hsts = ["max-age=31536000"] if port == world.tls_port else []
            assert hsts == answer.all("Strict-Transport-Security")
    assert 200 == world.ask("/", port=world.tls_port).status
    assert [] == served.failed_probes()


def test_other_names_lead_to_the_first_one_over_plain_http(world):
    served = serve_yaml(world, APP, "default_server: true", "redirect_from: [www.example.com]")

    answer = world.ask("/a?b", headers={"Host": "www.example.com"})

    assert [f"http://example.com:{world.port}/a?b"] == answer.all("Location")
    assert [] == served.failed_probes()


def test_a_site_of_other_names_alone_does_not_serve_its_target(world):
    served = serve_yaml(world, "redirect_from: [www.example.com]")
    world.nginx.run("-t")

    assert [] == served.failed_probes()
    assert "server_name example.com;" not in served.site.nginx_content.decode()


PAGES_OF = {"404.html": "<h1>lost</h1>", "50x.html": "<h1>broken</h1>", "413.txt": "too big"}
ERROR_PAGES = "error_pages: {404: ./404.html, 50x: ./50x.html, 413: ./413.txt%s}"


def test_an_error_of_nginx_has_its_page_and_keeps_its_status(world):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        "max_upload: 1KB",
        ERROR_PAGES % "",
        *LOCATIONS,
        "extra: 'location = /down { proxy_pass http://127.0.0.1:1; }'",
        files=PAGES_OF,
    )

    lost, down = world.ask("/static/missing"), world.ask("/down")
    big = world.ask("/", "POST", body=b"x" * 2000)

    assert (404, b"<h1>lost</h1>", ["text/html"]) == (
        lost.status,
        lost.body,
        lost.all("Content-Type"),
    )
    assert (["b"], ["nosniff"]) == (lost.all("A"), lost.all("X-Content-Type-Options"))
    assert [] == lost.all("Cache-Control")
    assert (502, b"<h1>broken</h1>") == (down.status, down.body)
    assert (413, b"too big", ["text/plain"]) == (big.status, big.body, big.all("Content-Type"))
    assert b"lost" in world.ask("/media/.env").body
    # A page is no URL of the site.
    assert 404 == world.ask("/.reconcile-pages/50x.html").status
    assert [] == served.failed_probes()


@pytest.mark.parametrize(("key", "body"), [("", b"own page"), (", intercept: true", b"lost")])
def test_the_apps_own_errors_stay_unless_they_are_intercepted(world, key, body):
    serve_yaml(world, APP, ERROR_PAGES % key, files=PAGES_OF)

    answer = world.ask("/status/404")

    assert (404, True) == (answer.status, body in answer.body)


def test_a_site_of_files_has_its_404_page_everywhere(world):
    served = serve_yaml(world, ERROR_PAGES % "", *LOCATIONS[:2], files=PAGES_OF)

    answer = world.ask("/anything")

    assert (404, b"<h1>lost</h1>") == (answer.status, answer.body)
    assert [] == served.failed_probes()


MAINTENANCE = "maintenance: {enabled: true, page: ./m.html%s}"


def test_maintenance_answers_everything_with_503_and_one_page(world):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        MAINTENANCE % "",
        ERROR_PAGES % "",
        "redirects: {/old/: /new/}",
        *LOCATIONS,
        files=PAGES_OF | {"m.html": "<h1>soon</h1>"},
    )

    for target in (*PLACES, "/old/x"):
        for method in ("GET", "POST"):
            answer = world.ask(target, method, body=b"x" if method == "POST" else None)
            assert (503, b"<h1>soon</h1>") == (answer.status, answer.body), (method, target)
            assert ["600"] == answer.all("Retry-After")
            assert ["no-store"] == answer.all("Cache-Control")
            assert ["b"] == answer.all("A")
    assert 404 == world.ask("/.reconcile-generation").status
    checks = served.checks()
    passed = {one.name for one in checks if one.status == "pass"}
    assert "probe:myapp visitors get the maintenance page over IPv4" in passed
    assert {"pass", "skipped"} == {one.status for one in checks}


def test_maintenance_lets_the_admin_in(world):
    served = serve_yaml(
        world, APP, MAINTENANCE % ", allow: [127.0.0.0/8]", *LOCATIONS, files={"m.html": "soon"}
    )

    assert b"ok\n" == world.ask("/static/health.txt").body
    assert 503 == world.ask("/static/health.txt", address="::1").status
    assert "maintenance" in [one.rule for one in maintenance_findings(served.site)]


def test_maintenance_that_is_off_changes_nothing_but_has_its_page(world):
    served = serve_yaml(
        world, APP, "maintenance: {page: ./m.html}", *LOCATIONS, files={"m.html": "soon"}
    )

    assert 200 == world.ask("/").status
    assert "soon" == (world.root / "pages/myapp/maintenance.html").read_text()
    assert [] == served.failed_probes()


def test_maintenance_without_a_page_has_one(world):
    serve_yaml(world, APP, "maintenance: {enabled: true}")

    answer = world.ask("/")

    assert (503, True) == (answer.status, b"<h1>Maintenance</h1>" in answer.body)
    assert ["text/html"] == answer.all("Content-Type")


def upgrade(world, protocol):
    """The status line and headers of a request for another protocol, and an echo after it."""
    with socket.create_connection(("127.0.0.1", world.port), timeout=20) as connection:
        head = f"GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: {protocol}\r\n"
        connection.sendall(f"{head}Connection: Upgrade, HTTP2-Settings\r\n\r\n".encode())
        answer = connection.recv(4096)
        if b" 101 " in answer:
            connection.sendall(b"ping")
            return answer, connection.recv(4)
        return answer, b""


@pytest.fixture
def echo(world):
    """An app that upgrades to any protocol it is asked for, and echoes."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            headers = {}
            self.rfile.readline()
            while line := self.rfile.readline().strip():
                name, _, value = line.decode().partition(": ")
                headers[name.lower()] = value
            wanted = headers.get("upgrade")
            if not wanted:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
                return
            self.wfile.write(
                f"HTTP/1.1 101 S\r\nUpgrade: {wanted}\r\nConnection: Upgrade\r\n\r\n".encode()
            )
            self.wfile.write(self.rfile.read(4))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("key", "protocol", "passes"),
    [
        ("websocket: true", "websocket", True),
        ("websocket: true", "WebSocket", True),
        ("websocket: true", "h2c", False),
        ("websocket: false", "websocket", False),
    ],
)
def test_only_websockets_are_passed_on(world, echo, key, protocol, passes):
    served = serve_yaml(world, f"app: {{upstream: '{echo}', {key}}}")

    answer, back = upgrade(world, protocol)

    assert passes == (b" 101 " in answer.split(b"\r\n")[0])
    assert passes == (back == b"ping")
    assert b"plain" == world.ask("/").body
    assert [] == served.failed_probes()


@pytest.mark.parametrize(
    ("upstream", "status", "detail"),
    [("ECHO", "pass", "101"), ("unix:ROOT/app.sock", "skipped", "200, the app")],
)
def test_a_websocket_is_proven_where_the_app_has_one(world, echo, upstream, status, detail):
    served = serve_yaml(
        world,
        f"app: {{upstream: '{upstream.replace('ECHO', echo)}', websocket: true}}",
        "probe_front_page: true",
    )

    [found] = [one for one in served.checks() if " WebSockets " in one.name]

    assert (status, detail) == (found.status, found.detail[: len(detail)])


def test_a_timeout_ends_a_request_to_an_app_that_does_not_answer(world):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        serve_yaml(
            world, f"app: {{upstream: 'http://127.0.0.1:{silent.getsockname()[1]}', timeout: 1s}}"
        )
        started = time.monotonic()

        assert 504 == world.ask("/").status
        assert time.monotonic() - started < 10


def test_several_upstreams_share_the_load_and_one_may_be_down(world):
    unused = free_port()
    served = serve_yaml(
        world, f"app: {{upstream: ['unix:ROOT/app.sock', 'http://127.0.0.1:{unused}']}}"
    )

    assert {200} == {world.ask("/").status for _ in range(6)}
    assert [] == served.failed_probes()


@pytest.mark.nightly  # it waits for a resolver that does not answer
def test_an_upstream_whose_name_is_unknown_does_not_stop_nginx(world):
    serve_yaml(world, "app: {upstream: 'http://backend.invalid:8000'}", *LOCATIONS)

    assert b"ok\n" == world.ask("/static/health.txt").body
    assert 502 == world.ask("/").status


def seen_by_app(world, target="/", **kwargs):
    """What the app is told about a request."""
    body = world.ask(target, **kwargs).body.decode()
    return dict(line.split("=", 1) for line in body.split("\n"))


FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
}


def test_nobody_is_believed_by_default(world):
    serve_yaml(world, APP)

    seen = seen_by_app(world, headers=FORGED)

    assert ("127.0.0.1", "127.0.0.1") == (seen["X-Real-IP"], seen["X-Forwarded-For"])
    assert ("http", "example.com") == (seen["X-Forwarded-Proto"], seen["X-Forwarded-Host"])


def test_a_trusted_proxy_is_believed_and_others_are_not(world):
    served = serve_yaml(world, APP, "trusted_proxies: [127.0.0.0/8]", "extra: 'listen [::]:81;'")
    forged = FORGED | {"X-Forwarded-For": "6.6.6.6, 203.0.113.9, 127.0.0.5"}

    seen = seen_by_app(world, headers=forged)

    assert ("203.0.113.9", "https") == (seen["X-Real-IP"], seen["X-Forwarded-Proto"])
    assert "http" == seen_by_app(world, headers={})["X-Forwarded-Proto"]
    other = seen_by_app(world, headers=forged, address="::1")
    assert ("::1", "http") == (other["X-Real-IP"], other["X-Forwarded-Proto"])
    assert [] == served.failed_probes()


@pytest.mark.parametrize(
    ("trusted", "client"),
    [("trusted_proxies: [127.0.0.0/8]", "203.0.113.9"), ("headers: {A: b}", "127.0.0.1")],
)
def test_behind_a_load_balancer_it_names_the_visitor_where_it_is_trusted(world, trusted, client):
    listen = f"listen: ['{world.port} proxy_protocol', '127.0.0.1:{world.tls_port}']"
    served = serve_yaml(world, listen, APP, trusted, *LOCATIONS)

    with socket.create_connection(("127.0.0.1", world.port), timeout=60) as balancer:
        balancer.sendall(
            b"PROXY TCP4 203.0.113.9 127.0.0.1 50000 80\r\n"
            b"GET / HTTP/1.0\r\nHost: example.com\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"
        )
        answer = b"".join(iter(lambda: balancer.recv(4096), b"")).decode()

    assert f"X-Real-IP={client}" in answer
    assert [] == served.failed_probes()


HTPASSWD = "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"  # password
ANNA = {"Authorization": "Basic YW5uYTpwYXNzd29yZA=="}
WRONG = {"Authorization": "Basic YW5uYTp3cm9uZw=="}
GUARDED = (*PLACES[:2], PLACES[2], *PLACES[4:], "/admin/x", "/other/x")
PROXIES = ("  /admin/: {role: proxy}", "  /other/: {role: proxy, upstream: 'unix:ROOT/app.sock'}")


def test_a_password_is_asked_for_in_every_location(world):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        "access: {basic: ./htpasswd}",
        ERROR_PAGES % "",
        "redirects: {/old/: /new/}",
        *LOCATIONS,
        *PROXIES,
        "extra: 'location /mine { return 200 ok; } location /file { root ROOT; }'",
        files=PAGES_OF | {"htpasswd": HTPASSWD},
    )

    for target in (*GUARDED, "/file"):
        for headers in ({}, WRONG, {"X-Forwarded-For": "127.0.0.1"}):
            answer = world.ask(target, headers=headers)
            assert (401, ["b"]) == (answer.status, answer.all("A")), (target, headers)
    for target in GUARDED:
        assert world.ask(target, headers=ANNA).status in (200, 404), target
    assert b"secret report\n" == world.ask("/x-accel/report.txt", headers=ANNA).body
    assert 301 == world.ask("/old/x").status
    checks = {one.name: one for one in served.checks()}
    assert "pass" == checks["probe:myapp / denies access over IPv4"].status
    assert "pass" == checks["probe:myapp / takes a password over IPv4"].status
    # Behind the password everything is asked as ever, and nothing is left out.
    assert ["pass"] == sorted({one.status for one in checks.values() if "crawl" not in one.name})


def test_without_their_own_password_probes_are_skipped(world):
    served = serve_yaml(
        world, APP, "access: {basic: ./htpasswd}", *LOCATIONS, files={"htpasswd": HTPASSWD}
    )
    host_with(world.nginx).state.remove("probe-login")

    checks = {one.name: one.status for one in served.checks()}

    assert "skipped" == checks["probe:myapp / takes a password over IPv4"]
    assert {"pass", "skipped"} == {*checks.values()}


def test_a_login_that_nginx_does_not_take_is_a_failure(world):
    served = serve_yaml(
        world, APP, "access: {basic: ./htpasswd}", *LOCATIONS, files={"htpasswd": HTPASSWD}
    )
    [copy] = (world.root / "passwords").iterdir()
    copy.write_text(HTPASSWD)

    failed = [one.name for one in served.checks() if one.status == "fail"]

    assert ["probe:myapp / takes a password over IPv4"] == [x for x in failed if "IPv4" in x]


def test_the_page_of_a_denial_is_shown_to_those_who_are_denied(world):
    serve_yaml(
        world,
        APP,
        "access: {basic: ./htpasswd}",
        "error_pages: {401: ./401.html}",
        files={"401.html": "<h1>who?</h1>", "htpasswd": HTPASSWD},
    )

    answer = world.ask("/")

    assert (401, b"<h1>who?</h1>") == (answer.status, answer.body)
    assert ['Basic realm="Restricted"'] == answer.all("WWW-Authenticate")


@pytest.mark.parametrize(
    ("access", "stranger", "password"),
    [
        ("{allow: [203.0.113.0/24]}", 403, 403),
        ("{allow: [127.0.0.0/8, '::1']}", 200, 200),
        ("{allow: [203.0.113.0/24], basic: ./htpasswd}", 401, 200),
        ("{allow: [127.0.0.0/8, '::1'], basic: ./htpasswd}", 200, 200),
        ("{allow: [203.0.113.0/24], basic: ./htpasswd, satisfy: all}", 403, 403),
        ("{allow: [127.0.0.0/8, '::1'], basic: ./htpasswd, satisfy: all}", 401, 200),
    ],
)
def test_an_address_or_a_password_or_both_let_in(world, access, stranger, password):
    served = serve_yaml(world, APP, f"access: {access}", *LOCATIONS, files={"htpasswd": HTPASSWD})

    for target in ("/", "/static/health.txt", "/media/sample.txt"):
        assert stranger == world.ask(target).status, target
        assert password == world.ask(target, headers=ANNA).status, target
    assert [] == [one for one in served.checks() if one.status == "fail"]


def test_a_locations_access_replaces_the_sites_as_a_whole_and_null_opens_it(world):
    serve_yaml(
        world,
        APP,
        "access: {allow: [127.0.0.0/8]}",
        "locations:",
        "  /static/: {role: static, dir: ROOT/static, access: {basic: ./htpasswd}}",
        "  /media/: {role: media, dir: ROOT/media, access: {allow: [203.0.113.1]}}",
        "  /open/: {role: proxy, access: null}",
        "  /closed/: {role: proxy, access: {basic: ./htpasswd}}",
        files={"htpasswd": HTPASSWD},
    )

    assert 200 == world.ask("/").status
    assert 403 == world.ask("/", address="::1").status
    assert 401 == world.ask("/static/health.txt").status
    assert 200 == world.ask("/static/health.txt", headers=ANNA).status
    assert 403 == world.ask("/media/sample.txt", headers=ANNA).status
    assert 200 == world.ask("/open/x", address="::1").status
    assert (401, 200) == (world.ask("/closed/x").status, world.ask("/closed/", headers=ANNA).status)


def test_a_location_is_passed_on_with_or_without_its_prefix(world, echo):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: site, B: site}",
        "max_upload: 1KB",
        "locations:",
        "  /plain/: {role: proxy, upstream: 'unix:ROOT/app.sock'}",
        "  /strip/: {role: proxy, upstream: 'unix:ROOT/app.sock', strip_prefix: true}",
        f"  /port/: {{role: proxy, upstream: '{echo}', strip_prefix: true, headers: {{A: here}}}}",
        "  /login: {role: proxy, max_upload: 1MB, extra: 'add_header X-Extra yes;'}",
    )

    assert 404 == world.ask("/strip/status/404").status
    assert 200 == world.ask("/plain/status/404").status
    assert 200 == world.ask("/strip/plain%2Fa%20b?x").status
    port = world.ask("/port/x")
    assert (b"plain", ["here"], ["site"]) == (port.body, port.all("A"), port.all("B"))
    assert 413 == world.ask("/plain/", "POST", body=b"x" * 2000).status
    assert 200 == world.ask("/login", "POST", body=b"x" * 2000).status
    login = world.ask("/login")
    assert (["yes"], ["site"]) == (login.all("X-Extra"), login.all("A"))
    assert [] == served.failed_probes()


def test_a_rate_limit_is_for_its_location_and_one_client(world):
    served = serve_yaml(
        world,
        APP,
        "locations:",
        "  /login: {role: proxy, rate_limit: {rate: 1r/m, burst: 2}}",
        "  /once/: {role: proxy, rate_limit: {rate: 1r/m}}",
        "  /static/: {role: static, dir: ROOT/static}",
    )

    assert [200, 200, 200, 429, 429] == [world.ask("/login").status for _ in range(5)]
    assert [200, 429] == [world.ask("/once/").status for _ in range(2)]
    assert 200 == world.ask("/login", address="::1").status
    assert {200} == {world.ask("/static/health.txt").status for _ in range(8)}
    assert {200} == {world.ask("/").status for _ in range(8)}
    assert not [one for one in served.checks() if one.status == "fail"]


@pytest.mark.parametrize("limit", ["{rate: 10r/m}", "{rate: 10r/s, burst: 5}"])
def test_a_rate_limit_is_proven_by_its_429(world, limit):
    served = serve_yaml(world, APP, "locations:", f"  /login: {{role: proxy, rate_limit: {limit}}}")
    [name] = [one.name for one in served.checks() if " limits a client " in one.name]

    # Twice, since the first client's limit is used up by then.
    for _ in range(2):
        [found] = [one for one in served.checks() if one.name == name]
        assert ("pass", "429") == (found.status, found.detail[:3])
    assert [] == served.failed_probes()


def test_a_limit_that_is_not_enforced_is_a_failure(world):
    served = serve_yaml(
        world, APP, "locations:", "  /login: {role: proxy, rate_limit: {rate: 10r/m}}"
    )
    world.nginx.site("myapp", re.sub(rb"limit_req [^;]*;", b"", served.site.nginx_content))
    assert 0 == world.nginx.run("-s", "reload").returncode
    wait_for(lambda: any("limits a client" in one for one in served.failed_probes()), "the limit")


def test_a_limited_client_is_whom_a_trusted_proxy_names(world):
    location = "locations: {/once/: {role: proxy, rate_limit: {rate: 1r/m}}}"
    serve_yaml(world, APP, "trusted_proxies: [127.0.0.0/8]", location)

    def status(client, address="127.0.0.1"):
        headers = {"X-Forwarded-For": client}
        return world.ask("/once/", headers=headers, address=address).status

    assert [200, 200, 429] == [status("192.0.2.1"), status("192.0.2.2"), status("192.0.2.1")]
    # Whoever is not trusted is one client, whatever it claims.
    assert [200, 429] == [status("192.0.2.3", "::1"), status("192.0.2.4", "::1")]


def test_an_ipv6_client_is_its_network(world):
    world.nginx.config.write_text(
        world.nginx.config.read_text().replace(
            "http {", "http { set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;"
        )
    )
    serve_yaml(world, APP, "locations: {/once/: {role: proxy, rate_limit: {rate: 1r/m}}}")

    def status(client):
        return world.ask("/once/", headers={"X-Real-IP": client}).status

    assert [200, 429] == [status("2001:db8:1:2::1"), status("2001:db8:1:2:ffff::9")]
    assert [200, 429] == [status("2001:db8:1:3::1"), status("2001:db8:1:3::2")]
    assert [200, 200, 429] == [status("192.0.2.1"), status("192.0.2.2"), status("192.0.2.1")]


def test_one_url_is_served_from_a_file(world):
    (world.root / "static/favicon.ico").write_text("icon")
    served = serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        "locations:",
        "  /favicon.ico: {role: static, file: ROOT/static/favicon.ico}",
        "  /site: {role: static, file: ROOT/static/css/app.css, cache: none}",
        "  /.well-known/security.txt:",
        "    {role: static, file: ROOT/static/.well-known/security.txt}",
    )

    icon, css = world.ask("/favicon.ico"), world.ask("/site")

    assert (200, b"icon", ["b"]) == (icon.status, icon.body, icon.all("A"))
    assert ["public, max-age=604800"] == icon.all("Cache-Control")
    assert ["nosniff"] == icon.all("X-Content-Type-Options")
    assert (["text/css; charset=utf-8"], ["no-store"]) == (
        css.all("Content-Type"),
        css.all("Cache-Control"),
    )
    assert b"Contact" in world.ask("/.well-known/security.txt").body
    assert ["app"] == world.ask("/favicon.ico/x").all("X-Served-By")
    assert [] == served.failed_probes()


def an_app_of_one_page(world):
    for name, text in {
        "index.html": "<p>shell</p>",
        "main.abc12345.js": "js",
        "docs/index.html": "<p>docs</p>",
        "about.html": "<p>about</p>",
    }.items():
        (world.root / f"spa/{name}").parent.mkdir(parents=True, exist_ok=True)
        (world.root / f"spa/{name}").write_text(text)
    (world.root / "spa/health.txt").write_text("ok\n")
    return serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        "locations:",
        "  /app/:",
        "    role: static",
        "    dir: ROOT/spa",
        "    fallback: index.html",
        "    cache_by_name: {'*.html': none, '*.????????.js': hashed, 'main*': day}",
    )


ANSWERED = [
    ("/app/", 200, b"<p>shell</p>", "no-store"),
    ("/app/users/7", 200, b"<p>shell</p>", "no-store"),
    ("/app/users/7/", 200, b"<p>shell</p>", "no-store"),
    ("/app/users/anna%0d%0aX:y", 200, b"<p>shell</p>", "no-store"),
    ("/app/no.html", 200, b"<p>shell</p>", "no-store"),
    ("/app/about.html", 200, b"<p>about</p>", "no-store"),
    ("/app/docs/", 200, b"<p>docs</p>", "no-store"),
    ("/app/main.abc12345.js", 200, b"js", "public, max-age=31536000, immutable"),
    ("/app/health.txt", 200, b"ok\n", "public, max-age=604800"),
    ("/app/missing.js", 404, None, None),
    ("/app/v1.2/missing.css", 404, None, None),
    ("/app/.env", 404, None, None),
    ("/app/.git/config", 404, None, None),
]


def test_a_fallback_answers_pages_and_no_missing_asset(world):
    served = an_app_of_one_page(world)

    for target, status, body, cache in ANSWERED:
        answer = world.ask(target)
        assert status == answer.status, target
        assert body is None or body == answer.body, target
        assert ([cache] if cache else []) == answer.all("Cache-Control"), target
        assert ["b"] == answer.all("A")
    assert 404 == world.ask("/app/users/7", "POST", body=b"").status
    assert 200 == world.ask("/app/users/7", "HEAD").status
    assert [] == served.failed_probes()


def test_without_its_fallback_file_nothing_is_served(world):
    an_app_of_one_page(world)
    (world.root / "spa/index.html").unlink()

    assert 404 == world.ask("/app/users/7").status


def test_a_fallback_works_at_the_root(world):
    (world.root / "static/index.html").write_text("shell")
    served = serve_yaml(
        world, "locations: {/: {role: static, dir: ROOT/static, fallback: index.html}}"
    )

    assert (b"shell", b"shell") == (world.ask("/").body, world.ask("/a/b").body)
    assert 404 == world.ask("/a.js").status
    assert [] == served.failed_probes()


@pytest.mark.parametrize(
    ("cors", "origin", "allowed"),
    [
        ('"*"', "https://a.example", "*"),
        ("[https://a.example]", "https://evil.example", "https://a.example"),
        ("[https://a.example, 'http://b.example:8080']", "https://a.example", "https://a.example"),
        ("[https://a.example, 'http://b.example:8080']", "https://evil.example", None),
    ],
)
def test_cors_names_who_may_read_the_files(world, cors, origin, allowed):
    served = serve_yaml(
        world,
        APP,
        "headers: {A: b}",
        f"locations: {{/static/: {{role: static, dir: ROOT/static, cors: {cors}}}}}",
    )

    answer = world.ask("/static/css/app.css", headers={"Origin": origin})

    assert ([allowed] if allowed else []) == answer.all("Access-Control-Allow-Origin")
    assert ["b"] == answer.all("A")
    assert (["Origin"] if "," in cors else []) == answer.all("Vary")
    assert [] == served.failed_probes()


def test_an_inline_type_is_shown_and_stays_guarded(world):
    served = serve_yaml(
        world,
        APP,
        "headers: {Content-Security-Policy: default-src *, X-Content-Type-Options: null}",
        # A type that is named twice warns of nothing.
        "locations: {/media/: {role: media, dir: ROOT/media, inline: [application/pdf, text/csv,"
        " application/pdf]}}",
    )

    pdf, page = world.ask("/media/evil.pdf"), world.ask("/media/evil.html")

    assert ["application/pdf"] == pdf.all("Content-Type")
    [policy] = pdf.all("Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "sandbox" not in policy
    assert ["application/octet-stream"] == page.all("Content-Type")
    assert ["sandbox; default-src 'none'"] == page.all("Content-Security-Policy")
    assert ["nosniff"] == pdf.all("X-Content-Type-Options") == page.all("X-Content-Type-Options")
    assert [] == served.failed_probes()


def test_raw_directives_belong_to_their_location(world):
    served = serve_yaml(
        world,
        APP,
        "locations:",
        "  /static/: {role: static, dir: ROOT/static, extra: 'add_header X-Extra yes;'}",
        "  /media/: {role: media, dir: ROOT/media}",
    )

    assert ["yes"] == world.ask("/static/health.txt").all("X-Extra")
    assert [] == world.ask("/media/sample.txt").all("X-Extra")
    assert [] == served.failed_probes()


@pytest.mark.parametrize("allowed", ["127.0.0.1", "'::1'", "127.0.0.0/8, '2001:db8::/32'"])
@pytest.mark.parametrize(
    "key", ["access: {allow: [%s]}", "maintenance: {enabled: true, allow: [%s]}"]
)
def test_who_is_let_in_over_one_family_alone_fails_no_probe(world, key, allowed):
    served = serve_yaml(world, APP, key % allowed, *LOCATIONS)

    checks = served.checks()

    assert [] == [f"{one.name}: {one.detail}" for one in checks if one.status == "fail"]
    # The family that is let in proves the locations.
    proven = {one.name for one in checks if one.status == "pass"}
    family = "IPv6" if "::1" in allowed else "IPv4"
    assert {f"probe:myapp /static/ serves files over {family}"} <= proven


def test_two_locations_that_share_their_uploads_are_both_proven(world):
    served = serve_yaml(
        world,
        APP,
        "locations:",
        "  /media/: {role: media, dir: ROOT/media}",
        "  /files/: {role: media, dir: ROOT/media, cache: none}",
    )

    assert [] == served.failed_probes()
