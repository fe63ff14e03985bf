"""Whatever a value of the file holds, nginx's configuration keeps the shape that it has without it.

Every text and every key of a file with all keys, replaced by hostile ones: it is refused with its
place, or it stays one word where it stands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.config.context import CompileContext
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.load import load_bytes
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.config_tree import Directive
from tests.support.host_facts import HOST

FILE = "/srv/deploy/reconcile.yaml"
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "cache_policies": {"hour": {"max_age": "1h", "visibility": "public"}},
    "sites": {
        "shop": {
            "server_names": ["shop.example", "*.shop.example"],
            "redirect_from": ["www.shop.example"],
            "listen": [80, "127.0.0.1:8080", "8443 ssl"],
            "tls": {"certificate": "/etc/ssl/a.pem", "key": "/etc/ssl/a.key", "hsts": "1y"},
            "max_upload": "20MB",
            "headers": {"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"},
            "redirects": {"/old/": "/new/", "/x": {"to": "https://a.test/y?b=c", "status": 302}},
            "error_pages": {"404": "./404.html", "50x": "./50x.html"},
            "maintenance": {"enabled": True, "page": "./m.html", "allow": ["203.0.113.7"]},
            "access": {"basic": "./htpasswd", "allow": ["10.0.0.0/8"], "satisfy": "any"},
            "trusted_proxies": ["10.0.0.0/8"],
            "app": {"upstream": ["http://127.0.0.1:8000", "unix:/run/a.sock"], "timeout": "60s"},
            "locations": {
                "/static/": {
                    "role": "static",
                    "dir": "/var/www/shop/static",
                    "cache": "hour",
                    "cache_by_name": {"*.html": "none"},
                    "fallback": "index.html",
                    "cors": ["https://a.test"],
                    "headers": {"X-A": "b"},
                },
                "/media/": {"role": "media", "dir": "/srv/media", "inline": ["application/pdf"]},
                "/protected/": {"role": "private", "dir": "/srv/private"},
                "/favicon.ico": {"role": "static", "file": "/var/www/shop/favicon.ico"},
                "/api/": {
                    "role": "proxy",
                    "upstream": "http://api.internal:9000",
                    "strip_prefix": True,
                    "timeout": "300s",
                    "max_upload": "1MB",
                    "rate_limit": {"rate": "10r/s", "burst": 20},
                    "access": {"basic": "./htpasswd"},
                },
            },
        }
    },
}
HTPASSWD = b"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n"
SYNTAX = ";{}\"'\\#$ \t\n\r\0*%/:.=@~^()[]|+?,<>&aZ0é\u2028\u202e-_"
HOSTILE = st.text(alphabet=SYNTAX, max_size=12)
MOST_MORE = 8
"""Directives that another form of a value may need."""
AROUND = st.sampled_from([("", ""), ("x", ""), ("/x", ""), ("/", "/"), ("https://a.test/", "")])

Path = tuple[str | int, ...]


def places(value: Any, here: Path = ()) -> Iterator[tuple[Path, bool]]:
    """Each text of the document, and each key of it that a person chooses; True for keys."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if here and here[-1] in CHOSEN_KEYS:
                yield (*here, key), True
            yield from places(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*here, index))
    elif isinstance(value, str):
        yield here, False


CHOSEN_KEYS = {
    *("sites", "cache_policies", "headers", "redirects", "error_pages", "locations"),
    "cache_by_name",
}
PLACES = [*places(DOCUMENT)]


def replaced(path: Path, text: str, *, is_key: bool) -> dict[str, Any]:
    document = deepcopy(DOCUMENT)
    above: Any = document
    for part in path[:-1]:
        above = above[part]
    if not is_key:
        above[path[-1]] = text
        return document
    items = [(text if key == path[-1] else key, value) for key, value in above.items()]
    above.clear()
    above.update(items)
    return document


def shape(document: dict[str, Any]) -> list[str]:
    """The directives of the site's file, each with those around it; without their arguments."""
    config = load_bytes(json.dumps(document).encode(), FILE)
    sources = dict.fromkeys(config.file_sources(), HTPASSWD)
    # What a name leads to needs a resolver, whoever has which name.
    facts = replace(HOST, sources=sources, resolvers=("127.0.0.1",))
    [site] = CompileContext(config, facts).sites.values()
    parsed = parse(site.nginx_content, "")
    return sorted(names(parsed.directives))


def names(directives: Any, around: str = "") -> Iterator[str]:
    one: Directive
    for one in directives:
        yield f"{around}{one.name}"
        if one.name not in ("map", "geo"):
            yield from names(one.block or (), f"{around}{one.name} ")


EXPECTED = shape(DOCUMENT)
VOCABULARY = {one.split()[-1] for one in EXPECTED} | {"resolver", "rewrite", "set"}
"""A name or a target of another form is written by these; nothing else may appear."""


def attempt(path: Path, *, is_key: bool, times: int) -> None:
    """Try hostile values at one place of the file."""

    @settings(max_examples=times)
    @given(HOSTILE, AROUND)
    def try_one(text: str, around: tuple[str, str]) -> None:
        hostile = around[0] + text + around[1]
        try:
            found = shape(replaced(path, hostile, is_key=is_key))
        except ReconcileError:
            return
        assert {one.split()[-1] for one in found} <= VOCABULARY, hostile
        assert len(found) <= len(EXPECTED) + MOST_MORE, hostile

    try_one()


@pytest.mark.parametrize(
    ("path", "is_key"), PLACES, ids=[".".join(map(str, path)) for path, _ in PLACES]
)
def test_a_hostile_value_is_refused_or_stays_one_word(path: Path, is_key: bool) -> None:
    attempt(path, is_key=is_key, times=3)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("path", "is_key"), PLACES, ids=[".".join(map(str, path)) for path, _ in PLACES]
)
def test_so_it_is_of_many_hostile_values(path: Path, is_key: bool) -> None:
    attempt(path, is_key=is_key, times=200)


def test_what_is_refused_is_refused_with_its_place() -> None:
    hostile = replaced(("sites", "shop", "app", "timeout"), "1s; }", is_key=False)

    with pytest.raises(ConfigErrors) as refused:
        shape(hostile)

    assert [1] == [one.line for one in refused.value.diagnostics]
