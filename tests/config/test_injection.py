"""No value of the file becomes more than a value where it is written."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from reconcile.config.document import Loc, YamlNode
from reconcile.config.yaml import read
from tests.support.yaml_examples import WHOLE, errors_in

# What ends a word, a string, a line or a block, begins a variable, a comment or an expansion.
SYNTAX = ["x; } server { listen 81", "x;", "x}", "x{", 'x"y', "x'y", "x\\", "x$host", "x#y"]
CONTROL = ["x\ny", "x\r\nX-Evil: 1", "x\0y", "x\x1b[31m", "x\x7f", "x\u2028y", "x\u202ey"]

SITE: Loc = ("sites", "myapp")
IN_CONFIGURATION: dict[str, Loc] = {
    "nginx's configuration": ("host", "nginx", "config"),
    "nginx's user": ("host", "nginx", "user"),
    "a server name": (*SITE, "server_names", 0),
    "a listen": (*SITE, "listen", 0),
    "a certificate": (*SITE, "tls", "certificate"),
    "a key": (*SITE, "tls", "key"),
    "a duration": (*SITE, "tls", "hsts"),
    "a size": (*SITE, "max_upload"),
    "an upstream": (*SITE, "app", "upstream"),
    "a service": (*SITE, "app", "service"),
    "a user": (*SITE, "app", "user"),
    "a directory of Gunicorn": (*SITE, "app", "gunicorn", "directory"),
    "an interpreter": (*SITE, "app", "gunicorn", "python"),
    "a module": (*SITE, "app", "gunicorn", "module"),
    "a role": (*SITE, "locations", "/static/", "role"),
    "a static directory": (*SITE, "locations", "/static/", "dir"),
    "an owner": (*SITE, "locations", "/static/", "owner"),
    "a cache policy": (*SITE, "locations", "/static/", "cache"),
    "a media directory": (*SITE, "locations", "/media/", "dir"),
    "a private directory": (*SITE, "locations", "/protected/", "dir"),
    "a form's field": (*SITE, "probes", 1, "field"),
}
# Any printable character may be in these: quoted, or in no configuration.
IN_RESPONSES: dict[str, Loc] = {
    "a header of the site": (*SITE, "headers", "X-Frame-Options"),
}
IN_REQUESTS: dict[str, Loc] = {
    "a path to fetch": (*SITE, "probes", 0, "get"),
    "a header's value": (*SITE, "probes", 0, "expect", "headers", "Cache-Control"),
    "an upload path": (*SITE, "probes", 1, "upload"),
    "a path to fetch afterwards": (*SITE, "probes", 1, "then_get"),
}
CASES = [
    *((field, hostile) for field in IN_CONFIGURATION for hostile in SYNTAX + CONTROL),
    *((field, hostile) for field in IN_REQUESTS for hostile in CONTROL),
    *((field, hostile) for field in IN_RESPONSES for hostile in [*CONTROL, "x$host"]),
]
FIELDS = IN_CONFIGURATION | IN_REQUESTS | IN_RESPONSES


def with_ending(loc: Loc, ending: str) -> str:
    """The whole file, as JSON, with `ending` put behind the value at `loc`."""
    return json.dumps(_ended(_whole().to_python(), loc, ending))


@cache
def _whole() -> YamlNode:
    root, _ = read(WHOLE.encode(), "whole")
    return root


def _ended(values: Any, loc: Loc, ending: str) -> Any:
    if not loc:
        return f"{values}{ending}"
    items = dict(values) if isinstance(values, dict) else dict(enumerate(values))
    items[loc[0]] = _ended(items[loc[0]], loc[1:], ending)
    return items if isinstance(values, dict) else list(items.values())


@pytest.mark.parametrize(("field", "hostile"), CASES, ids=ascii)
def test_a_value_with_syntax_of_its_target_is_refused(field: str, hostile: str) -> None:
    found = errors_in(with_ending(FIELDS[field], hostile))

    assert [] != found
    assert all(error.isprintable() for error in found)


@pytest.mark.parametrize("field", FIELDS)
def test_the_same_value_without_the_attack_is_accepted(field: str) -> None:
    assert [] == errors_in(with_ending(FIELDS[field], ""))


@pytest.mark.parametrize("hostile", [*SYNTAX, *CONTROL, "a/b", "/a"], ids=ascii)
def test_a_key_with_syntax_is_refused(hostile: str) -> None:
    for text in (
        json.dumps({"version": 1, "owners": {hostile: {"user": "root"}}}),
        json.dumps({"version": 1, "cache_policies": {hostile: {"max_age": "1d"}}}),
        json.dumps({"version": 1, "sites": {hostile: {"server_names": ["a.test"]}}}),
        json.dumps({"version": 1, "sites": {"s": {"headers": {hostile: "a"}}}}),
        json.dumps({"version": 1, hostile: {}}),
    ):
        found = errors_in(text)

        assert [] != found
        assert all(error.isprintable() for error in found)
