"""Errors of a file: all at once, each with its position and a correction."""

from __future__ import annotations

import pytest

from reconcile.config.load import load
from reconcile.errors import ReconcileError
from tests.support.yaml_examples import WHOLE, errors_in, site

INVALID = {
    "a misspelt section": (
        "version: 1\nsties: {}",
        '2:1: unknown key "sties" (did you mean sites?)',
    ),
    "a misspelt key of a site": (
        site("server_name: [a.test]"),
        '6:5: unknown key "server_name" (did you mean server_names?)',
    ),
    "a misspelt key of a location": (
        site("locations: {/s/: {role: static, dir: /srv/s, sorce: ./s}}"),
        '6:50: unknown key "sorce" (did you mean source?)',
    ),
    "a misspelt key of an owner in place": (
        site("locations: {/s/: {role: static, dir: /srv/s, owner: {usr: a, group: b}}}"),
        '6:58: unknown key "usr" (did you mean user?)',
    ),
    "a misspelt key of an upload": (
        site("probes: [{upload: /u, then_get: /u, feild: f}]"),
        '6:41: unknown key "feild" (did you mean field?)',
    ),
    "a key that is like no other": (
        site("tls: {certificate: /c, key: /k, zzz: 1}"),
        '6:37: unknown key "zzz" (use one of: certificate, key, letsencrypt, redirect, hsts)',
    ),
    "a key of another place": (
        site("tls: {certificate: /c, key: /k, workers: 2}"),
        '6:37: unknown key "workers" (it belongs to sites.*.app.gunicorn)',
    ),
    "a key of several other places": (
        site("timeout: 5s"),
        '6:5: unknown key "timeout" (it belongs to sites.*.app or sites.*.app.gunicorn or '
        "sites.*.app.release.steps or sites.*.locations.*)",
    ),
    "a missing version": ("sites: {}", '1:1: "version" is missing'),
    "another version": ("version: 2", "1:10: invalid value 2 (use 1)"),
    "a quoted version": ('version: "1"', '1:10: invalid value "1" (use 1, without quotes)'),
    "a missing key": (
        site("locations:", "  /s/: {role: static}"),
        '7:7: "dir" is missing',
    ),
    "a role that is none": (
        site("locations: {/s/: {role: statc, dir: /srv/s}}"),
        '6:29: invalid value "statc" (use static, media or private)',
    ),
    "yes for true": (
        site("default_server: yes"),
        '6:21: expected true or false, got "yes" (use true)',
    ),
    "a text for a list": (
        "version: 1\nsites: {s: {server_names: a.test, app: {upstream: 'unix:/a'}}}",
        '2:27: expected a list, got "a.test" (use [a.test])',
    ),
    "a number for a list": (
        site("listen: 80"),
        "6:13: expected a list, got the number 80 (use [80])",
    ),
    "a text with signs of YAML's for a list": (
        "version: 1\nsites: {s: {server_names: 'a, b', app: {upstream: 'unix:/a'}}}",
        '2:27: expected a list, got "a, b" (use [a, b])',
    ),
    "true for a mapping": (
        site("tls: true"),
        (
            "6:10: expected a mapping, got true (with the keys certificate, key, "
            "letsencrypt, redirect, hsts)"
        ),
    ),
    "a number for a mapping of names": (
        "version: 1\npaths: 1",
        "2:8: expected a mapping, got the number 1",
    ),
    "a required key that is misspelt is not missing as well": (
        "version: 1\nsites: {s: {server_name: [a.test], app: {upstream: 'unix:/a'}}}",
        '2:13: unknown key "server_name" (did you mean server_names?)',
    ),
    "an empty list": (
        "version: 1\nsites: {s: {server_names: [], app: {upstream: 'unix:/a'}}}",
        '2:27: "server_names" is empty (add at least one)',
    ),
    "a list for a mapping": (
        "version: 1\nsites: []",
        "2:8: expected a mapping, got a list",
    ),
    "a text for a number": (
        site("app: {}").replace(
            "    app: {upstream: 'http://127.0.0.1:8000'}\n    app: {}",
            "    app: {gunicorn: {directory: /a, python: /p, module: 'a:a', workers: many}}",
        ),
        '5:73: expected a whole number, got "many"',
    ),
    "a number out of range": (
        site("probes: [{get: /, expect: {status: 99}}]"),
        '6:40: "status" has to be at least 100',
    ),
    "a duration without its unit": (
        "version: 1\ncache_policies: {c: {max_age: 7}}",
        "2:31: expected a duration, got the number 7 (use 30s, 10m, 1h, 7d, 2w or 1y)",
    ),
    "a size without its unit": (
        site("max_upload: 20"),
        "6:17: expected a size, got the number 20 (use 512KB, 20MB or 1GB)",
    ),
    "a number for a name": (
        "version: 1\nowners: {o: {user: 33}}",
        '2:20: expected a user or group name, got the number 33 (quote it: "33")',
    ),
    "an unquoted mode": (
        "version: 1\nowners: {o: {dirs: 0755}}",
        '2:20: file modes must be quoted: "0755"',
    ),
    "an unquoted mode without its zero": (
        "version: 1\nowners: {o: {files: 644}}",
        '2:21: file modes must be quoted: "0644"',
    ),
    "a bad name of a site": (
        site(name="../etc"),
        '3:3: "../etc" is not a name (use letters, digits, dots, hyphens and underscores)',
    ),
    "a location without its slash": (
        site("locations: {static/: {role: static, dir: /srv/s}}"),
        '6:17: a location has to begin and end with a slash, got "static/" (use "/static/")',
    ),
    "a URL with what no location has": (
        site("locations: {/a b.txt: {role: static, file: /srv/a}}"),
        '6:17: "/a b.txt" is not a location (use letters, digits and _~@+.- between single'
        " slashes; no name begins with a dot)",
    ),
    "a parameter of nginx's listen": (
        site('listen: ["80 default_server"]'),
        '6:14: "80 default_server" is not a port or address:port (set `default_server` of the'
        " site instead)",
    ),
    "a star for every address": (
        site('listen: ["*:80"]'),
        '6:14: "*:80" is not a port or address:port (use 80)',
    ),
    "a key of locations of another role": (
        site("locations: {/s/: {role: static, dir: /srv/s, strip_prefix: true}}"),
        '6:50: unknown key "strip_prefix" (it is for a location with role: proxy)',
    ),
    "a key of locations of another form": (
        site("locations: {/s: {role: static, file: /srv/s, dir: /srv}}"),
        '6:50: unknown key "dir" (it is for a location of a directory)',
    ),
    "a key of another kind of probe": (
        site("probes: [{get: /, depth: 1}]"),
        '6:23: unknown key "depth" (it is for a probe with `crawl`)',
    ),
    "a probe of two kinds": (
        site("probes: [{get: /, crawl: /}]"),
        '6:15: unknown key "get" (make it an entry of its own)',
    ),
    "a module that is none": (
        site("app: {}").replace(
            "    app: {upstream: 'http://127.0.0.1:8000'}\n    app: {}",
            "    app: {gunicorn: {directory: /a, python: /p, module: app}}",
        ),
        '5:57: "app" is not a module and its app (use "module:app", as for Gunicorn)',
    ),
    "a relative key of paths": (
        "version: 1\npaths: {etc/x: {owner: assets}}",
        '2:9: "etc/x" is not an absolute path (begin it with /)',
    ),
    "a key of paths that ends with a slash": (
        "version: 1\npaths: {/etc/x/: {owner: assets}}",
        '2:9: "/etc/x/" ends with a slash (use "/etc/x")',
    ),
}


@pytest.mark.parametrize(("text", "error"), INVALID.values(), ids=INVALID.keys())
def test_an_error_is_reported_with_its_position_and_a_correction(text: str, error: str) -> None:
    assert [error] == errors_in(text)


def test_every_error_of_a_file_is_reported_at_once_in_order() -> None:
    text = WHOLE.replace('dirs: "0755"', "dirs: 0755").replace("max_age: 7d", "max_age: 7")
    text = text.replace("default_server: false", "defualt_server: no")
    text = text.replace("role: media", "role: *media").replace("owner: assets", "owner: asets")

    found = errors_in(text)

    assert [
        '7:52: file modes must be quoted: "0755"',
        '8:52: file modes must be quoted: "0755"',
        "10:21: expected a duration, got the number 7 (use 30s, 10m, 1h, 7d, 2w or 1y)",
        '15:31: unknown owner "asets" (did you mean assets?)',
        '23:5: unknown key "defualt_server" (did you mean default_server?)',
        '40:16: unknown owner "asets" (did you mean assets?)',
        "44:23: the alias *media is not allowed (write the value out)",
    ] == found


def test_a_contradiction_is_reported_beside_an_error_of_another_entry() -> None:
    text = "version: 1\npaths: {etc/x: {owner: assets}, /l: {link: /a, source: ./s}}"

    assert [
        '2:9: "etc/x" is not an absolute path (begin it with /)',
        "2:56: `source` cannot be combined with `link` (remove one of them)",
    ] == errors_in(text)


def test_consequences_of_an_error_are_not_reported_beside_it() -> None:
    text = site("listen: [80, 443]", "tsl: {certificate: /c, key: /k}")

    assert ['7:5: unknown key "tsl" (did you mean tls?)'] == errors_in(text)


def test_a_missing_file_is_reported_as_what_why_and_fix() -> None:
    with pytest.raises(ReconcileError) as raised:
        load("/nowhere/reconcile.yaml")

    assert "cannot read /nowhere/reconcile.yaml" == raised.value.what
    assert "No such file or directory" == raised.value.why
    assert "reconcile init" in raised.value.fix


def test_a_directory_is_not_a_file() -> None:
    with pytest.raises(ReconcileError) as raised:
        load("/")

    assert "Is a directory" == raised.value.why
