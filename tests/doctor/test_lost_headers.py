"""Headers that a location loses, and those that errors should not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.single_rule import found

pytestmark = pytest.mark.process

HEADERS = (
    "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
    ' proxy_set_header X-Empty "";'
)
UPSTREAM = "proxy_pass http://127.0.0.1:8000;"


def server(*lines: str) -> str:
    return "server {\nserver_name a.test;\n" + "\n".join(lines) + "\n}"


DROPPED = {
    "one header of its own": (
        [HEADERS, f"location / {{ {UPSTREAM} proxy_set_header X-Real-IP $remote_addr; }}"],
        "no Host, X-Forwarded-Proto, X-Empty",
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
        ' proxy_set_header X-Empty "";',
    ),
    "a WebSocket": (
        [
            HEADERS,
            f"location /ws/ {{ {UPSTREAM} proxy_set_header Upgrade $http_upgrade;"
            " proxy_set_header Connection upgrade; proxy_set_header host $host; }",
        ],
        "no X-Forwarded-Proto, X-Empty",
        "add beside it: proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    "the outer location's": (
        [
            f"location / {{ {HEADERS} {UPSTREAM}"
            f" location /api/ {{ {UPSTREAM} proxy_set_header X-Api 1; }} }}"
        ],
        "no Host, X-Forwarded-Proto, X-Empty",
        "proxy_set_header Host $host;",
    ),
    "the parameters of uwsgi": (
        [
            "uwsgi_param REQUEST_METHOD $request_method; uwsgi_param PATH_INFO $document_uri;",
            "location / { uwsgi_pass unix:/run/a.sock; uwsgi_param SCRIPT_NAME /a; }",
        ],
        "no REQUEST_METHOD, PATH_INFO",
        "uwsgi_param REQUEST_METHOD $request_method;",
    ),
}


@pytest.mark.parametrize(("lines", "what", "fix"), DROPPED.values(), ids=DROPPED)
def test_proxy_header_loss_reports(tmp_path: Path, lines: list[str], what: str, fix: str) -> None:
    [finding] = found("proxy-header-loss", tmp_path, server(*lines))

    assert what in finding.what
    assert fix in finding.fix


def test_proxy_header_loss_names_what_the_app_believes(tmp_path: Path) -> None:
    location = f"location / {{ {UPSTREAM} proxy_set_header X-Real-IP $remote_addr; }}"

    [finding] = found("proxy-header-loss", tmp_path, server(HEADERS, location))

    assert "error" == finding.severity
    assert "the app uses 127.0.0.1:8000 as its own name" in finding.evidence


KEPT = {
    "nothing of its own": [HEADERS, f"location / {{ {UPSTREAM} }}"],
    "all repeated": [HEADERS, f"location / {{ {UPSTREAM} {HEADERS} proxy_set_header X 1; }}"],
    "nothing to lose": [f"location / {{ {UPSTREAM} proxy_set_header X 1; }}"],
    "only files": [HEADERS, "location / { root {root}; proxy_set_header X 1; }"],
}


@pytest.mark.parametrize("lines", KEPT.values(), ids=KEPT)
def test_proxy_header_loss_is_silent(tmp_path: Path, lines: list[str]) -> None:
    assert [] == found("proxy-header-loss", tmp_path, server(*lines))


SAFE = "add_header Cross-Origin-Resource-Policy same-site always;"
LOST = {
    "an if": f"{SAFE} location / {{ root {{root}}; if ($arg_a) {{ add_header X-A b; }} }}",
    "an if in an if's location": (
        f"location / {{ {SAFE} root {{root}}; if ($arg_a) {{ add_header X-A b; }} }}"
    ),
    "what SharedArrayBuffer needs": (
        "add_header Cross-Origin-Embedder-Policy require-corp;"
        " location /static/ { root {root}; add_header Cache-Control public; }"
    ),
    "the CORS of fonts": (
        'add_header Access-Control-Allow-Origin "*";'
        " location /static/ { root {root}; add_header Cache-Control public; }"
    ),
}


@pytest.mark.parametrize("lines", LOST.values(), ids=LOST)
def test_header_loss_reports(tmp_path: Path, lines: str) -> None:
    [finding] = found("header-loss", tmp_path, server(lines))

    assert "not inherited" in finding.evidence[0]
    assert ": add add_header " in finding.fix


INTACT = {
    "an if that answers": (
        f"{SAFE} location / {{ root {{root}}; if ($request_method = OPTIONS)"
        " { add_header X-A b; return 204; } }"
    ),
    "an if without headers": f"{SAFE} location / {{ root {{root}}; if ($arg_a) {{ set $a 1; }} }}",
    "a header that is no protection": (
        "add_header X-Served-By a; location / { root {root}; add_header X-A b; }"
    ),
}


@pytest.mark.parametrize("lines", INTACT.values(), ids=INTACT)
def test_header_loss_is_silent(tmp_path: Path, lines: str) -> None:
    assert [] == found("header-loss", tmp_path, server(lines))


YEAR = 'add_header Cache-Control "public, max-age=31536000, immutable"'
STATIC = "location /static/ { alias {root}/static/;"
CACHED = {
    "always": (f"{STATIC} {YEAR} always; try_files $uri =404; }}", "404 with public", "always"),
    "always, by the server": (f"{YEAR} always; {STATIC} }}", "404 with public", "`always`"),
    "a page for errors": (
        f"{STATIC} {YEAR} always; error_page 404 /static/404.html; }}",
        "404 with public",
        "always",
    ),
    "always, to the app": (
        f"{STATIC} {YEAR} always; try_files $uri @app; }}"
        f" location @app {{ {UPSTREAM} {YEAR} always; }}",
        "the app's errors",
        "`always`",
    ),
    "the page of a single-page app": (
        f"{STATIC} {YEAR}; try_files $uri /static/index.html; }}",
        "is answered with {root}/static/index.html",
        "end its try_files with =404;",
    ),
    "the same, cached by expires": (
        f"{STATIC} expires max; try_files $uri /static/index.html; }}",
        "is answered with {root}/static/index.html",
        "=404",
    ),
    "nginx's own cache": (
        f"location / {{ proxy_cache c; proxy_cache_valid any 1h; {UPSTREAM} }}",
        "nginx caches errors of the app for 1h (any)",
        "proxy_cache_valid any 10s;",
    ),
}


@pytest.mark.parametrize(("lines", "what", "fix"), CACHED.values(), ids=CACHED)
def test_cached_errors_reports(public: Path, lines: str, what: str, fix: str) -> None:
    (public / "static").mkdir()
    (public / "static/index.html").write_text("index")

    [finding] = found("cached-errors", public, server(lines))

    assert what.replace("{root}", str(public)) in finding.what
    assert fix in finding.fix


PASSING = {
    "without always": f"{STATIC} {YEAR}; try_files $uri =404; }}",
    "expires": f"{STATIC} expires max; }}",
    "no-store, always": f'{STATIC} add_header Cache-Control "no-store" always; }}',
    "a minute, always": f'{STATIC} add_header Cache-Control "max-age=60" always; }}',
    "the page without a cache": f"{STATIC} try_files $uri /static/index.html; }}",
    "by the status": f"{STATIC} add_header Cache-Control $by_status always; }}",
    "what nginx keeps of successes": (
        f"location / {{ proxy_cache c; proxy_cache_valid 200 1h; {UPSTREAM} }}"
    ),
    "no cache": f"location / {{ proxy_cache_valid any 1h; {UPSTREAM} }}",
}


@pytest.mark.parametrize("lines", PASSING.values(), ids=PASSING)
def test_cached_errors_is_silent(public: Path, lines: str) -> None:
    (public / "static").mkdir()
    (public / "static/index.html").write_text("index")
    by_status = "map $status $by_status { 200 max-age=31536000; }"

    assert [] == found("cached-errors", public, f"{by_status}\n{server(lines)}")
