"""What the rules say of nginx is what nginx does: the fault, the fix pasted, and both answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doctor.single_rule import found
from tests.support.ports import free_port
from tests.support.real_nginx import Running, running

pytestmark = pytest.mark.process

TABLE = "types { text/css css; text/javascript js; } default_type application/octet-stream;"
STATIC = "location /static/ { alias {root}/static/; MORE }"
YEAR = 'add_header Cache-Control "max-age=31536000, immutable"'
ENDINGS = r"location ~ \.(css|woff2)$ { root {root}; }"
FONTS = r"location ~ \.(woff2|ttf)$ { root {root}; add_header Access-Control-Allow-Origin *; }"
FORWARDED = "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme;"
APP = "location / { proxy_pass http://127.0.0.1:{app}; proxy_set_header X-A 1; MORE }"
ZONE = "limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s;"
LIMIT = "limit_req zone=a burst=3 nodelay;"


def header(uri: str, name: str) -> Callable[[Running], str | None]:
    return lambda nginx: nginx.ask(uri, "a.test").one(name)


def body(uri: str) -> Callable[[Running], str | None]:
    return lambda nginx: nginx.ask(uri, "a.test").body.decode()


def refused(nginx: Running) -> str:
    return str(503 in [nginx.ask("/static/a.css", "a.test").status for _ in range(12)])


@dataclass(frozen=True)
class Case:
    """A rule, what is asked of nginx, and both answers; `http` and `lines` are faulty and right."""

    rule: str
    asked: Callable[[Running], str | None]
    faulty: tuple[str, str]
    right: tuple[str, str]
    answers: tuple[str | None, str | None]


CASES = {
    "a types block that replaces the table": Case(
        "content-types",
        header("/static/a.css", "Content-Type"),
        (TABLE, STATIC.replace("MORE", "types { text/javascript mjs; }")),
        (TABLE, STATIC.replace("MORE", "types { text/javascript mjs; } types { text/css css; }")),
        ("application/octet-stream", "text/css"),
    ),
    "a module that the table lacks": Case(
        "content-types",
        header("/static/a.mjs", "Content-Type"),
        (TABLE, STATIC.replace("MORE", "")),
        (TABLE + "types { text/javascript mjs; }", STATIC.replace("MORE", "")),
        ("application/octet-stream", "text/javascript"),
    ),
    "a 404 for a year": Case(
        "cached-errors",
        header("/static/none.js", "Cache-Control"),
        (TABLE, STATIC.replace("MORE", f"{YEAR} always;")),
        (TABLE, STATIC.replace("MORE", f"{YEAR};")),
        ("max-age=31536000, immutable", None),
    ),
    "a start page in place of a script": Case(
        "cached-errors",
        header("/static/none.js", "Cache-Control"),
        (TABLE, STATIC.replace("MORE", f"{YEAR}; try_files $uri /static/a.css;")),
        (TABLE, STATIC.replace("MORE", f"{YEAR}; try_files $uri =404;")),
        ("max-age=31536000, immutable", None),
    ),
    "the fonts' own location": Case(
        "unreachable-location",
        header("/static/a.woff2", "Access-Control-Allow-Origin"),
        (TABLE, f"{ENDINGS} {FONTS}"),
        (TABLE, f"{FONTS} {ENDINGS}"),
        (None, "*"),
    ),
    "the headers of the app": Case(
        "proxy-header-loss",
        body("/"),
        (TABLE, FORWARDED + APP.replace("MORE", "")),
        (TABLE, FORWARDED + APP.replace("MORE", FORWARDED)),
        ("127.0.0.1:{app} ", "a.test http"),
    ),
    "a limit that counts files": Case(
        "asset-limits",
        refused,
        (ZONE + TABLE, LIMIT + STATIC.replace("MORE", "")),
        (ZONE + TABLE, STATIC.replace("MORE", "") + f"location /app {{ {LIMIT} }}"),
        ("True", "False"),
    ),
    "the headers of an if": Case(
        "header-loss",
        header("/static/a.css?a=1", "Cross-Origin-Resource-Policy"),
        (
            TABLE,
            "add_header Cross-Origin-Resource-Policy same-site;"
            + STATIC.replace("MORE", "if ($arg_a) { add_header X-A b; }"),
        ),
        (
            TABLE,
            "add_header Cross-Origin-Resource-Policy same-site;"
            + STATIC.replace("MORE", "if ($arg_a) { set $b 1; }"),
        ),
        (None, "same-site"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_fault_is_what_nginx_does_and_the_twin_is_what_it_should(
    public: Path, case: Case
) -> None:
    (public / "static").mkdir()
    for name in ("a.css", "a.mjs", "a.woff2"):
        (public / "static" / name).write_text("x")
    port, app = free_port(), free_port()
    echo = f'listen 127.0.0.1:{app}; return 200 "$http_host $http_x_forwarded_proto";'
    findings, answers = [], []
    for http, lines in (case.faulty, case.right):
        site = f"{http} server {{ listen 127.0.0.1:{port}; server_name a.test; {lines} }}"
        text = f"{site} server {{ {echo} }}".replace("{root}", str(public))
        text = text.replace("{app}", str(app))
        findings.append([one.rule for one in found(case.rule, public, text)])
        with running(public, text, port) as nginx:
            assert nginx is not None
            answers.append(case.asked(nginx))

    expected = [one.replace("{app}", str(app)) if one else one for one in case.answers]
    assert expected == answers
    assert [[case.rule], []] == findings
