"""Configuration that no request reaches, and locations that take what is not theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reconcile.doctor import inspection
from reconcile.doctor.app_introspection.app_facts import app_facts
from reconcile.doctor.app_introspection.import_app import ImportResult
from reconcile.doctor.config_view import DeclaredApp, DeclaredCode
from reconcile.system.accounts import STRANGER
from tests.doctor.single_rule import ask, configured, found, noted, serious
from tests.support.ports import free_port
from tests.support.real_nginx import running

pytestmark = pytest.mark.process

APP = "location / { proxy_pass http://127.0.0.1:1; }"
NAMED = "location @app { proxy_pass http://127.0.0.1:1; }"


def server(*lines: str) -> str:
    return "server {\nserver_name a.test;\n" + "\n".join(lines) + "\n}"


TRY = "root {root}; try_files $uri @app;"
DROPPED = {
    "a cookie": ("if ($http_cookie ~ session) { set $member 1; }", "map $http_cookie $member"),
    "a host": ("if ($host = www.a.test) { set $www 1; }", 'map $host $www { "www.a.test" "1"; }'),
    "a header of the answer": (
        'if ($http_origin ~ a) { add_header Access-Control-Allow-Origin "*"; }',
        'map $http_origin $access_control_allow_origin { "~a" "*"; }',
    ),
    "several lines": ("if ($arg_a) { set $a 1; set $b 2; }", "into the server block"),
    "nothing at all": ("if ($arg_a) { }", "into the server block"),
    "a rewrite of some": ("if ($arg_a) { rewrite ^/old /new last; }", "into the server block"),
    "another setting": ("if ($arg_a) { expires 1d; }", "by a map"),
}


@pytest.mark.parametrize(("condition", "fix"), DROPPED.values(), ids=DROPPED)
def test_if_drops_try_files_reports(tmp_path: Path, condition: str, fix: str) -> None:
    [finding] = found(
        "if-drops-try-files", tmp_path, server(f"location / {{ {TRY} {condition} }}", NAMED)
    )

    assert "location / of a.test ignores its try_files" in finding.what
    assert "never with @app" in finding.evidence[0]
    assert fix in finding.fix


KEPT = {
    "an answer": f"location / {{ {TRY} if ($arg_a) {{ return 403; }} }}",
    "a redirect of all": f"location / {{ {TRY} if ($arg_a) {{ rewrite ^ /b permanent; }} }}",
    "an if of the server": f"if ($arg_a) {{ set $a 1; }} location / {{ {TRY} }}",
    "no try_files": "location / { root {root}; if ($arg_a) { set $a 1; } }",
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_if_drops_try_files_is_silent(tmp_path: Path, lines: str) -> None:
    assert [] == found("if-drops-try-files", tmp_path, server(lines, NAMED))


def test_if_drops_try_files_is_what_nginx_does_and_its_fix_ends_it(
    tmp_path: Path,
) -> None:
    port = free_port()
    condition = "if ($http_user_agent = x) { set $seen 1; } if ($arg_a = 1) { set $seen 2; }"
    app = "location @app { return 200 app; }"
    faulty = server(
        f"listen 127.0.0.1:{port};", f"location / {{ {TRY} {condition} }}", app
    ).replace("{root}", str(tmp_path))
    finding = found("if-drops-try-files", tmp_path, faulty)[-1]
    mapped = finding.fix.partition("http block: ")[2]
    fixed = f"{mapped}\n" + faulty.replace(condition, "")

    statuses = []
    for text in (faulty, fixed):
        with running(tmp_path, text, port) as nginx:
            assert nginx is not None
            statuses.append([nginx.ask(uri).status for uri in ("/page", "/page?a=1")])

    assert [[200, 404], [200, 200]] == statuses


ENDINGS = r"location ~* \.(?:css|js|png|woff2)$ { root {root}; expires 30d; }"
CORS = r"location ~* \.(?:woff2|ttf)$ { root {root}; add_header Access-Control-Allow-Origin *; }"
DEAD = {
    "the fonts of a later regex": ([ENDINGS, CORS], "never gets .woff2", "move it above"),
    "all of a later regex": (
        [ENDINGS, CORS.replace("|ttf", "")],
        r"No request reaches location ~* \.(?:woff2)$",
        "move it above",
    ),
    "a denial that comes late": (
        [r"location ~ \.(json|sql)$ { root {root}; }", r"location ~ \.(sql|bak)$ { deny all; }"],
        "never gets .sql",
        "move it above",
    ),
    "a regex below ^~": (
        ["location ^~ /s/ { alias {root}/; }", r"location ~ ^/s/.*\.woff2$ { expires 1d; }"],
        "No request reaches location ~ ^/s/",
        "move it into location ^~ /s/",
    ),
    "a file that a regex takes": (
        [
            r"location ~* \.(ico|png)$ { expires 1d; }",
            "location /favicon.ico { log_not_found off; }",
        ],
        "No request reaches location /favicon.ico",
        "location ^~ /favicon.ico",
    ),
    "a try_files of the server": (
        ["try_files $uri @app;", NAMED, APP],
        "try_files of the server a.test is never used",
        "move it into location /",
    ),
    "what is behind a return": (
        ["return 301 https://$host$request_uri;", "location /.well-known/acme-challenge/ { }"],
        "its server block answers each itself",
        "location / { return 301 https://$host$request_uri; }",
    ),
}


@pytest.mark.parametrize(("lines", "what", "fix"), DEAD.values(), ids=DEAD)
def test_unreachable_location_reports(
    tmp_path: Path, lines: list[str], what: str, fix: str
) -> None:
    [finding] = found("unreachable-location", tmp_path, server(*lines))

    assert what in finding.what
    assert fix in finding.fix
    assert finding.evidence


ALIVE = {
    "the regex first that decides": [CORS, ENDINGS],
    "two kinds of files": [ENDINGS, CORS.replace("woff2", "woff")],
    "a regex that adds nothing": [ENDINGS, r"location ~* \.(?:woff2|ttf)$ { root {root}; }"],
    "a regex inside of ^~": [r"location ^~ /s/ { alias {root}/; location ~ \.woff2$ { } }"],
    "a file before a regex": [r"location ~ \.ico$ { }", "location = /favicon.ico { }"],
    "try_files without location /": ["try_files $uri @app;", NAMED],
    "a location with the return": ["location / { return 404; }", "location /a/ { }"],
    "a server that only redirects": ["return 301 https://a.test;"],
    "the dotfiles of a server": [ENDINGS, r"location ~ /\. { deny all; }", APP],
    "hidden files, PHP and the rest": [
        r"location ~ \.php$ { return 404; }",
        r"location ~ /\.ht { deny all; }",
        "location /a/ { }",
        APP,
    ],
}


@pytest.mark.parametrize("lines", ALIVE.values(), ids=ALIVE)
def test_unreachable_location_is_silent(tmp_path: Path, lines: list[str]) -> None:
    assert [] == found("unreachable-location", tmp_path, server(*lines))


USELESS = {
    "a location that nothing leads to": f"{NAMED} {APP}",
    "a root behind a return": "location / { return 301 https://$host$request_uri; root {root}; }",
}


@pytest.mark.parametrize("lines", USELESS.values(), ids=USELESS)
def test_unreachable_location_notes_what_has_no_effect(tmp_path: Path, lines: str) -> None:
    [finding] = noted("unreachable-location", tmp_path, server(lines))

    assert "has no effect" in finding.what


YAML = """
version: 1
sites:
  shop:
    server_names: [a.test]
    app: {{upstream: "http://127.0.0.1:1", flask: {{directory: {root}/app, module: "app:app"}}}}
"""
ROUTES = {
    "/": "index",
    "/account/media/edit/": "account",
    "/thumb/<path:name>": "thumb",
    "/static/<path:name>": "static",
}
GREEDY = {
    "a folder in the middle": (
        "location ~ /media/ { root {root}; }",
        "/account/media/edit/",
        "^/media/",
    ),
    "the endings of files": (
        r"location ~* \.(png|css)$ { root {root}; }",
        "/thumb/reconcile.png",
        "into the location of the files",
    ),
    "a word": ("location ~ thumb { root {root}; }", "/thumb/reconcile", "into the location"),
}


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is asked for its routes without being run."""
    facts = app_facts(
        {
            "static_url": "/static",
            "static_folder": None,
            "folders": {},
            "most_bytes": None,
            "routes": list(ROUTES.items()),
            "links": [],
        }
    )

    def import_app(
        _: inspection.HostInspection, app: DeclaredApp, code: DeclaredCode
    ) -> ImportResult:
        """The answer of an app that has these routes."""
        return ImportResult(app, code, STRANGER, "python3", facts)

    monkeypatch.setattr(inspection, "import_app", import_app)


@pytest.mark.usefixtures("routes")
@pytest.mark.parametrize(("location", "uri", "fix"), GREEDY.values(), ids=GREEDY)
def test_greedy_regex_reports(tmp_path: Path, location: str, uri: str, fix: str) -> None:
    host = configured(tmp_path, server(location, APP).replace("{root}", str(tmp_path)))

    [finding] = serious(ask("greedy-regex", host, tmp_path, YAML.format(root=tmp_path)))

    assert "takes 1 URL of the app" in finding.what
    assert uri in finding.evidence[1]
    assert fix in finding.fix


MODEST = {
    "a regex with its start": "location ~ ^/media/ { root {root}; }",
    "endings below static": r"location /static/ { root {root}; location ~ \.(png|css)$ { } }",
    "endings that no route has": r"location ~ \.(woff2|ttf)$ { root {root}; }",
    "a regex that goes to the app": r"location ~ /media/ { proxy_pass http://127.0.0.1:1; }",
    "a denial": r"location ~ \.png$ { return 404; }",
}


@pytest.mark.usefixtures("routes")
@pytest.mark.parametrize("location", MODEST.values(), ids=MODEST)
def test_greedy_regex_is_silent(tmp_path: Path, location: str) -> None:
    host = configured(tmp_path, server(location, APP).replace("{root}", str(tmp_path)))

    assert [] == serious(ask("greedy-regex", host, tmp_path, YAML.format(root=tmp_path)))


def test_greedy_regex_notes_a_folder_without_knowing_the_app(tmp_path: Path) -> None:
    [finding] = noted("greedy-regex", tmp_path, server("location ~ /media/ { root {root}; }", APP))

    assert "/reconcile/media/reconcile does not reach the app" in finding.evidence[0]


LOGGED = '127.0.0.1 - - [28/Nov/2026:18:00:00 +0000] "GET /static/a.png HTTP/1.1" 404 153 "-" "-"\n'


@contextmanager
def app_with(is_known: Callable[[str], bool]) -> Iterator[int]:
    """The port of an app that answers these paths with 200, others with 404."""

    class App(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if is_known(self.path) else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), App) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield http.server_port
        finally:
            http.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("is_known", "reported"),
    [
        (lambda path: path == "/static/a.png", ["error"]),
        # A single-page app answers every path with its page.
        (lambda _: True, []),
        (lambda _: False, []),
    ],
    ids=["the app has it", "the app answers everything", "the app has it not"],
)
def test_greedy_regex_reports_a_file_only_where_the_app_has_it(
    public: Path, is_known: Callable[[str], bool], reported: list[str]
) -> None:
    (public / "access.log").write_text(LOGGED)
    log = f"access_log {public}/access.log;"
    taken = r"root {root}; location ~ \.png$ { expires 1d; }"

    with app_with(is_known) as port:
        passed = f"location / {{ proxy_pass http://127.0.0.1:{port}; }}"
        findings = found("greedy-regex", public, server(log, taken, passed))

    assert reported == [one.severity for one in findings]
