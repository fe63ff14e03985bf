"""What a root publishes or misses, and what nginx has open: folders, listings, sockets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules import load_rule, lost_prefix, unheard_listener
from reconcile.engine.model import Finding
from reconcile.nginx.running.loaded_config import RunningNginx
from reconcile.system.accounts import Account
from reconcile.system.http import HttpAnswer
from reconcile.system.ports import PortHolder
from tests.doctor.single_rule import configured, found, noted, serious
from tests.support.needs_root import needs_root
from tests.support.ports import free_port
from tests.support.real_nginx import running

pytestmark = pytest.mark.process

APP = "location / { proxy_pass http://127.0.0.1:1; }"
NAMED = "location @app { proxy_pass http://127.0.0.1:1; }"


def server(*lines: str) -> str:
    return "server {\nserver_name a.test;\n" + "\n".join(lines) + "\n}"


def lay(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


MISSED = {
    "an alias with a capture": (
        r"location ~ ^/static/(.*)$ { alias {root}/static/$1; try_files $uri =404; }",
        "tried: {root}/static/a.css/static/a.css",
        "alias {root}/static/; } in place of it",
    ),
    "the URI twice": (
        "location /static/ { alias {root}/static/; try_files /static$uri =404; }",
        "tried: {root}/static",
        "try_files $uri =404;",
    ),
    "only folders": (
        "location /static/ { root {root}; try_files $uri/ @app; }",
        "tried: {root}/static/a.css/",
        "try_files $uri @app;",
    ),
    "one page alone": (
        "location /static/ { root {root}; try_files /index.html =404; }",
        "tried: {root}/index.html",
        "try_files $uri =404;",
    ),
}


@pytest.mark.parametrize(("location", "tried", "fix"), MISSED.values(), ids=MISSED)
def test_try_files_misses_reports(public: Path, location: str, tried: str, fix: str) -> None:
    lay(public, "static/a.css")

    [finding] = found("try-files-misses", public, server(location, NAMED))

    assert any(tried.replace("{root}", str(public)) in line for line in finding.evidence)
    assert fix.replace("{root}", str(public)) in finding.fix


TRIED = {
    "a prefix with a root": "location /static/ { root {root}; try_files $uri =404; }",
    "a prefix with an alias": "location /static/ { alias {root}/static/; try_files $uri @app; }",
    "a capture without try_files": r"location ~ ^/static/(.*)$ { alias {root}/static/$1; }",
    "a fallback": "location /static/ { root {root}; try_files $uri $uri/ /index.html; }",
}


@pytest.mark.parametrize("location", TRIED.values(), ids=TRIED)
def test_try_files_misses_is_silent(public: Path, location: str) -> None:
    lay(public, "static/a.css")

    assert [] == found("try-files-misses", public, server(location, NAMED))


def test_try_files_misses_is_what_nginx_does_and_its_fix_ends_it(public: Path) -> None:
    lay(public, "static/a.css")
    port, statuses = free_port(), []
    for location in (MISSED["an alias with a capture"][0], TRIED["a prefix with an alias"]):
        http = server(f"listen 127.0.0.1:{port};", location, NAMED).replace("{root}", str(public))
        with running(public, http, port) as nginx:
            assert nginx is not None
            statuses.append(nginx.ask("/static/a.css", "a.test").status)

    assert [404, 200] == statuses


PUBLISHED = {
    "the app's folder as the root": (
        "root {root}/site; location / { try_files $uri @app; }",
        ["wsgi.py", "requirements.txt", "static/a.css"],
        "/wsgi.py",
    ),
    "a database below static": (
        "location /static/ { alias {root}/site/static/; }",
        ["static/a.css", "static/db.sqlite3"],
        "/static/db.sqlite3",
    ),
    "a dump beside the pages": (
        "location / { root {root}/site; }",
        ["index.html", "backup/shop.sql"],
        "/backup/shop.sql",
    ),
    "what an editor left": (
        "root {root}/site; location / { try_files $uri @app; }",
        ["settings.py~"],
        "/settings.py~",
    ),
}


@pytest.mark.parametrize(("lines", "names", "uri"), PUBLISHED.values(), ids=PUBLISHED)
def test_source_exposure_reports(public: Path, lines: str, names: list[str], uri: str) -> None:
    lay(public / "site", *names)

    [finding] = found("source-exposure", public, server(lines, NAMED))

    assert uri in finding.evidence[0]
    denial = finding.fix.partition("regex locations, ")[2].partition(" then reload")[0]
    denied = server(denial, lines, NAMED)
    assert [] == found("source-exposure", public, denied)


PRIVATE = {
    "the app answers": ("root {root}/site; " + APP, ["wsgi.py", "db.sqlite3"]),
    "it is denied": (
        r"root {root}/site; location ~ \.(py|sqlite3)$ { return 404; }"
        " location / { try_files $uri @app; }",
        ["wsgi.py", "db.sqlite3"],
    ),
    "Python that is there to be served": (
        "location /static/ { alias {root}/site/static/; }",
        ["static/pyodide/lib/numpy/config/app/main.py", "static/code.py"],
    ),
    "public files": ("location / { root {root}/site; }", ["index.html", "robots.txt", "a.json"]),
}


@pytest.mark.parametrize(("lines", "names"), PRIVATE.values(), ids=PRIVATE)
def test_source_exposure_is_silent(public: Path, lines: str, names: list[str]) -> None:
    lay(public / "site", *names)

    assert [] == found("source-exposure", public, server(lines, NAMED))


LISTED = {
    "of its own": "location /media/ { alias {root}/media/; autoindex on; }",
    "of the server": "autoindex on; location /media/ { alias {root}/media/; }",
}


@pytest.mark.parametrize("lines", LISTED.values(), ids=LISTED)
def test_directory_listing_reports(public: Path, lines: str) -> None:
    lay(public, "media/a.jpg")

    [finding] = found("directory-listing", public, server(lines))

    assert "autoindex off;" in finding.fix


UNLISTED = {
    "off": "autoindex on; location /media/ { alias {root}/media/; autoindex off; }",
    "an index": "location /media/ { alias {root}/media/; autoindex on; index a.jpg; }",
    "denied": "location /media/ { alias {root}/media/; autoindex on; deny all; }",
    "internal": "location /media/ { internal; alias {root}/media/; autoindex on; }",
}


@pytest.mark.parametrize("lines", UNLISTED.values(), ids=UNLISTED)
def test_directory_listing_is_silent(public: Path, lines: str) -> None:
    lay(public, "media/a.jpg")

    assert [] == found("directory-listing", public, server(lines))


def test_directory_listing_notes_static_files(public: Path) -> None:
    lay(public, "static/a.css")
    location = "location /static/ { alias {root}/static/; autoindex on; }"

    assert 1 == len(noted("directory-listing", public, server(location)))


PID = os.getpid()
LISTENS = "listen 0.0.0.0:8098; listen [::]:8098;"
HELD = {
    "nothing over IPv6": ([("0.0.0.0", PID)], ["[::]:8098"]),
    "nothing at all": ([], ["0.0.0.0:8098", "[::]:8098"]),
    "another program's socket": ([("0.0.0.0", PID), ("::", 1)], ["[::]:8098"]),
    "one address of many": ([("127.0.0.1", PID), ("::1", PID)], ["0.0.0.0:8098", "[::]:8098"]),
}


def listening(
    root: Path, monkeypatch: pytest.MonkeyPatch, sockets: list[tuple[str, int]], listens: str
) -> list[Finding]:
    inspection = HostInspection(configured(root, server(listens)))
    inspection.nginx.__dict__["running"] = RunningNginx(PID, ())
    own = tuple(PortHolder(host, 8098, pid, "nginx") for host, pid in sockets)
    monkeypatch.setattr(unheard_listener, "holders", lambda _: own)
    return serious(diagnose(inspection, [load_rule("unheard-listener")]))


@pytest.mark.parametrize(("sockets", "addresses"), HELD.values(), ids=HELD)
def test_unheard_listener_reports(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sockets: list[tuple[str, int]],
    addresses: list[str],
) -> None:
    findings = listening(tmp_path, monkeypatch, sockets, LISTENS)

    assert [f"listen {address}" for address in addresses] == [
        one.evidence[0].partition(": ")[2] for one in findings
    ]


OPEN = {
    "both": ([("0.0.0.0", PID), ("::", PID)], LISTENS),
    "both by one socket": ([("::", PID)], "listen [::]:8098 ipv6only=off; listen 127.0.0.1:8098;"),
    "a wildcard for an address": ([("0.0.0.0", PID)], "listen 127.0.0.1:8098;"),
    "what this user cannot see": ([("0.0.0.0", 0), ("::", 0)], LISTENS),
}


@pytest.mark.parametrize(("sockets", "listens"), OPEN.values(), ids=OPEN)
def test_unheard_listener_is_silent(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sockets: list[tuple[str, int]],
    listens: str,
) -> None:
    assert [] == listening(tmp_path, monkeypatch, sockets, listens)


STRIPPED = "location /shop/ { proxy_pass http://127.0.0.1:8000/; MORE }"
PAGE = b'<link rel="stylesheet" href="/static/a.css"><img src="/shop/static/a.png">'


def answering(monkeypatch: pytest.MonkeyPatch, **answers: HttpAnswer) -> None:
    """The app's answers: `page` for the prefix, `other` for any other URL."""

    def send(*args: object) -> HttpAnswer:
        return answers["page"] if args[3] == "/shop/" else answers["other"]

    monkeypatch.setattr(lost_prefix, "send_request", send)


LEADING_OUT = {
    "a redirect": (HttpAnswer(302, (("Location", "/login"),)), "302 to /login"),
    "a redirect by name": (
        HttpAnswer(302, (("Location", "http://a.test/login"),)),
        "302 to /login",
    ),
    "a file of its pages": (HttpAnswer(200, body=PAGE), "links to /static/a.css: 404"),
}


@pytest.mark.parametrize(("page", "evidence"), LEADING_OUT.values(), ids=LEADING_OUT)
def test_lost_prefix_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: HttpAnswer, evidence: str
) -> None:
    answering(monkeypatch, page=page, other=HttpAnswer(404))

    [finding] = found("lost-prefix", tmp_path, server(STRIPPED.replace("MORE", "")))

    assert evidence in finding.evidence[0]
    assert "proxy_set_header X-Forwarded-Prefix /shop;" in finding.fix


KEPT = {
    "a redirect below it": (HttpAnswer(302, (("Location", "/shop/login"),)), STRIPPED),
    "a redirect to another site": (HttpAnswer(302, (("Location", "http://b.test/"),)), STRIPPED),
    "files that are there": (HttpAnswer(200, body=PAGE.replace(b"a.css", b"b")), STRIPPED),
    "the whole path": (
        HttpAnswer(302, (("Location", "/login"),)),
        STRIPPED.replace("8000/", "8000"),
    ),
    "no prefix": (HttpAnswer(302, (("Location", "/login"),)), STRIPPED.replace("/shop/", "/")),
}


@pytest.mark.parametrize(("page", "location"), KEPT.values(), ids=KEPT)
def test_lost_prefix_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: HttpAnswer, location: str
) -> None:
    answering(monkeypatch, page=page, other=HttpAnswer(404))

    assert [] == found("lost-prefix", tmp_path, server(location.replace("MORE", "")))


@pytest.mark.parametrize(
    ("more", "number"), [("", 1), ("proxy_set_header X-Forwarded-Prefix /shop;", 0)]
)
def test_lost_prefix_notes_an_app_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, number: int
) -> None:
    answering(monkeypatch, page=HttpAnswer(error="refused"), other=HttpAnswer(404))

    assert number == len(noted("lost-prefix", tmp_path, server(STRIPPED.replace("MORE", more))))


WORKER = Account("www-data", 64_001, 64_001, frozenset({64_001}))
TEMPORARY = f"client_body_temp_path {{root}}/body; proxy_temp_path {{root}}/proxy; {APP}"


@pytest.fixture
def buffers(public: Path) -> HostInspection:
    """A running nginx whose temporary folders are the worker's own."""
    for name in ("body", "proxy", "proxy/1"):
        (public / name).mkdir()
        os.chown(public / name, WORKER.uid, WORKER.gid)
        (public / name).chmod(0o700)
    http = server(TEMPORARY.replace("{root}", str(public)))
    inspection = HostInspection(configured(public, http))
    inspection.nginx.__dict__["worker"] = WORKER
    inspection.nginx.__dict__["running"] = RunningNginx(PID, ())
    return inspection


BUFFERS = {
    "gone": ("rm -r {root}/body", "{root}/body of nginx is gone: larger uploads return 500"),
    "another user's": (
        "chown root {root}/proxy",
        "cannot write to {root}/proxy: larger answers of the app are cut off",
    ),
    "closed above": ("chmod 700 {root}", "cannot write to {root}/body"),
    "made by another worker": ("chown root {root}/proxy/1", "cannot write to {root}/proxy/1"),
}


@needs_root("gives folders away")
@pytest.mark.parametrize(("command", "what"), BUFFERS.values(), ids=BUFFERS)
def test_temp_dir_owner_reports(
    buffers: HostInspection, public: Path, command: str, what: str
) -> None:
    subprocess.run(["sh", "-c", command.replace("{root}", str(public))], check=True)

    findings = serious(diagnose(buffers, [load_rule("temp-dir-owner")]))

    assert what.replace("{root}", str(public)) in findings[0].what


@needs_root("gives folders away")
def test_temp_dir_owner_is_silent(buffers: HostInspection) -> None:
    assert [] == serious(diagnose(buffers, [load_rule("temp-dir-owner")]))
