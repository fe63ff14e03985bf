"""Odd and hostile configurations: a right part of the whole, and a note for the rest."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.adopt.host_readings import FoundApp, FoundFolder
from reconcile.adopt.yaml_writer import scalar, yaml_text
from reconcile.config import yaml
from tests.adopt.handwritten import ENABLED, read
from tests.support.generated_nginx import locations, server_ifs

APP = "location / { proxy_pass http://unix:/run/gunicorn.sock; }"


def server(lines: str, *names: str) -> str:
    return f"server {{ listen 80; listen [::]:80; server_name {' '.join(names)}; {lines} }}"


REFUSED = {
    "a regex for a name": (
        server(APP, r"~^(?<a>.+)\.test$"),
        "regular expressions are not supported",
    ),
    "a name behind a star": (server(APP, "example.*"), "is not a host name"),
    "a whole top-level domain": (server(APP, "*.test"), "whole top-level domain"),
    "quotes in a name": (server(APP, "'a\"b'"), "is not a host name"),
    "a socket to listen on": (
        "server { listen unix:/run/n.sock; server_name a.test; location / { proxy_pass http://b; }"
        "}",
        "cannot listen on unix:/run/n.sock",
    ),
    "a host name to listen on": (
        f"server {{ listen here.test:80; server_name a.test; {APP} }}",
        "is not a port or address:port",
    ),
    "port 443 without TLS": (
        f"server {{ listen 443; server_name a.test; {APP} }}",
        "port 443 needs tls",
    ),
    "a certificate in a variable": (
        "server { listen 443 ssl; server_name a.test; ssl_certificate $c; ssl_certificate_key $k;"
        f" {APP} }}",
        "the certificate is not a file",
    ),
    "a redirect and nothing else": (
        server("return 301 https://b.test$request_uri;", "a.test"),
        "it serves neither an app nor files",
    ),
    "a folder of the system": (
        server("location /static/ { alias /etc/x/; }", "a.test"),
        "belongs to the system",
    ),
    "a path with a variable": (
        server("location /static/ { alias /srv/$host/; }", "a.test"),
        "it serves neither an app nor files",
    ),
    "a path with a quote": (
        server("""location /static/ { alias "/srv/it's/"; }""", "a.test"),
        "is not safe in nginx",
    ),
    "a hidden prefix": (
        server("location /.secret/ { alias /srv/x/; }", "a.test"),
        "is not a location",
    ),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_a_server_that_the_yaml_cannot_express_is_not_adopted_but_watched(
    text: str, why: str
) -> None:
    found = read(text)

    assert {} == found.sites
    assert any(why in note for note in found.notes), found.notes
    assert text == found.spec.paths[f"{ENABLED.replace('enabled', 'available')}/site0"].content


def test_one_bad_name_does_not_cost_the_others() -> None:
    found = read(server(APP, "a.test", r"~^b\.test$", "*.c.test"))

    assert ["a.test", "*.c.test"] == found.sites["site0"]["server_names"]
    assert found.told("regular expressions are not supported here")


def test_a_server_does_not_cost_its_neighbours() -> None:
    found = read(server(APP, "a.test"), server(APP, "~x"), server(APP, "c.test"))

    assert ["site0", "site2"] == list(found.sites)


def test_the_second_server_of_a_name_is_one_site_with_the_first() -> None:
    found = read(server(APP, "a.test"), server("location /m/ { alias /srv/m/; }", "a.test"))

    assert ["site0"] == list(found.sites)
    assert found.told("a second server with these names serves other content")


def test_a_server_that_no_visitor_reaches_is_reported() -> None:
    found = read(server(APP, "a.test"), server("return 204;", "b.test"), server(APP, "b.test"))

    assert ["site0"] == list(found.sites)[:1]
    unreached = read(server(APP, "_"), server(APP, "_"))
    assert any("no request is known to reach it" in note for note in unreached.notes)


def test_catch_alls_of_two_ports_are_two_sites() -> None:
    texts = [
        f"server {{ listen {port} default_server; location / {{ proxy_pass http://b:{port}; }} }}"
        for port in (80, 81)
    ]

    found = read(*texts)

    assert [["_"], ["_"]] == [entry["server_names"] for entry in found.sites.values()]


def test_nested_folders_are_reported() -> None:
    found = read(
        server("location /a/ { alias /srv/a/; } location /media/ { alias /srv/a/m/; }", "a.test")
    )

    assert 1 == len(found.sites["site0"]["locations"])
    assert found.told("is left out: this directory")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (server(APP, "a.test").encode() + b"\r\n", "Windows line endings"),
        (server(APP, "a.test").encode() + b"# \xff\n", "bytes that YAML cannot represent"),
        (server(APP, "a.test") + "# \x1b[31m\n", "bytes that YAML cannot represent"),
        (server(APP, "a.test") + "# \u202e\n", "bytes that YAML cannot represent"),
        (server(APP, "a.test") + "# long\n" * 90_000, "make the YAML too large"),
    ],
)
def test_a_text_that_yaml_cannot_hold_is_reported_and_not_watched(
    text: str | bytes, why: str
) -> None:
    found = read(text)

    assert ["site0"] == list(found.sites)
    assert {} == found.spec.paths
    assert any(why in note for note in found.notes)


def test_a_text_that_is_a_secret_on_the_host_is_known_as_one() -> None:
    assert '"0640"' in read(server(APP, "a.test"), mode=0o640).text


def test_servers_in_the_main_file_are_read_and_not_watched() -> None:
    main = f"events {{}} http {{ {server(APP, 'a.test')} }}".encode()

    found = read(main=main)

    assert 1 == len(found.sites)
    assert {} == found.spec.paths
    assert any("this file contains more than server blocks" in note for note in found.notes)


@pytest.mark.parametrize("name", ["evil\nversion: 2", "a\x1b[2Jb", "\u2028sites: {}"])
def test_what_the_host_calls_something_cannot_get_out_of_a_comment(name: str) -> None:
    folders = {"/srv/m": FoundFolder(name, name, 0o755, 0o644)}
    apps = {"unix:/run/gunicorn.sock": FoundApp(problem=name)}

    found = read(
        server(APP + "location /x/ { alias /srv/m/; }", "a.test"), folders=folders, apps=apps
    )

    assert ["a.test"] == found.sites["site0"]["server_names"]
    assert 1 == found.spec.version


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30).filter(yaml.can_hold)
values = st.recursive(
    st.booleans() | st.integers(-(10**17), 10**17) | texts,
    lambda inner: (
        st.dictionaries(texts, inner, min_size=1, max_size=4)
        | st.lists(inner.filter(lambda one: not isinstance(one, list)), min_size=1, max_size=4)
    ),
    max_leaves=12,
)


def _as_read(value: object) -> object:
    if isinstance(value, dict):
        return {key: _as_read(one) for key, one in value.items()}
    return tuple(map(_as_read, value)) if isinstance(value, list) else value


@given(st.dictionaries(texts, values, min_size=1, max_size=4), texts)
@example({"": "\n"}, "")
@settings(max_examples=300)
def test_whatever_is_written_is_read_back(document: dict[str, object], remark: str) -> None:
    remarks = {(key,): [remark] for key in document} | {(): [remark]}

    root, faults = yaml.read(yaml_text(document, remarks).encode(), "file")

    assert () == faults
    assert _as_read(document) == root.to_python()


@pytest.mark.parametrize(
    "text",
    ["80", "true", "null", "~", "0644", "no", "a: b", "a #b", "- a", "*a", "", "é", "a:", "'"],
)
def test_a_text_stays_a_text(text: str) -> None:
    root, _ = yaml.read(f"a: {scalar(text)}\n".encode(), "file")

    assert {"a": text} == root.to_python()


names = st.sampled_from(
    [
        "a.test",
        "b.test",
        ".c.test",
        "*.d.test",
        "e.*",
        r"~^f\d\.test$",
        '""',
        "_",
        "UPPER.test",
        "localhost",
        "xn--bcher-kva.test",
        "under_score",
        '"q\\"x"',
        "1.2.3.4",
    ]
)
listens = st.sampled_from(
    [
        "80",
        "[::]:80",
        "443 ssl",
        "8443 ssl",
        "127.0.0.1:8080",
        "80 default_server",
        "443",
        "unix:/run/x.sock",
        "localhost:81",
        "[::1]:82",
        "9000-9002",
        "[::]:80 ipv6only=off",
    ]
)
places = st.sampled_from(
    [
        "/srv/a/",
        "/srv/a/b",
        "/var/www/html",
        "/etc/nginx",
        "/",
        "/srv/$host/",
        '"/srv/a b/"',
        '"/srv/é/"',
        "relative",
        '"/srv/\'q/"',
        "/srv/../etc/",
    ]
)
odd_locations = st.builds(
    lambda how, prefix, kind, place: f"location {how} {prefix} {{ {kind} {place}; }}",
    st.sampled_from(["", "^~", "=", "~"]),
    st.sampled_from(["/static/", "/media", "/.x/", "/é/", '"/a b/"', "/%41/", "/x//y/", "/"]),
    st.sampled_from(["root", "alias"]),
    places,
)
more = st.sampled_from(
    [
        "client_max_body_size 20m;",
        "client_max_body_size 0;",
        "ssl_certificate /c.pem;",
        "ssl_certificate_key /k.pem;",
        "return 301 https://$host$request_uri;",
        "gzip on;",
        'add_header Strict-Transport-Security "max-age=1";',
        "root /srv/www;",
        APP,
        "location @n { proxy_pass http://127.0.0.1:8000; }",
        "set $x y;",
    ]
)
servers = st.builds(
    lambda on, named, lines: "\n".join(
        [
            "server {",
            *(f"listen {one};" for one in on),
            *([f"server_name {' '.join(named)};"] if named else []),
            *lines,
            "}",
        ]
    ),
    st.lists(listens, max_size=3),
    st.lists(names, max_size=3),
    st.lists(st.one_of(odd_locations, more, locations(), server_ifs), max_size=6),
)


@given(st.lists(servers, min_size=1, max_size=4), st.integers(1, 3))
@settings(max_examples=250)
def test_any_configuration_yields_a_valid_file_or_a_note_on_each_server(
    generated: list[str], files: int
) -> None:
    shares = ["\n".join(generated[n::files]) for n in range(files)]

    # `read` loads what was written, and fails where that has a fault.
    found = read(*(share.replace("@P@", "/srv").replace("@UPSTREAM@", "9") for share in shares))

    assert found.sites or found.notes
