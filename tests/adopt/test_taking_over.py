"""What a hand-written site needs beyond its keys is carried along, or reported."""

from __future__ import annotations

import pytest

from reconcile.adopt.draft import Draft
from reconcile.adopt.suggested_probes import drop_failing_probes
from reconcile.adopt.text_files import LARGEST_IN_YAML, move_large_texts
from reconcile.config.context import CompileContext
from reconcile.engine.model import Check
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.render.site_config import written_http_extra
from reconcile.nginx.routing.router import Router
from tests.adopt.handwritten import ENABLED, Read, read
from tests.support.host_facts import HOST
from tests.support.real_nginx import overlay

STATIC = "location /static/ { alias /srv/s/; }"
APP = "location / { proxy_pass http://127.0.0.1:8001; }"
BESIDE = {
    "an upstream": (
        "upstream shop { server 127.0.0.1:8001; server 127.0.0.1:8002; }",
        "location / { proxy_pass http://shop; }",
    ),
    "an upstream of a WebSocket": (
        "upstream shop { server 127.0.0.1:8001; }",
        "location /ws/ { proxy_pass http://shop; }",
    ),
    "a map": (
        'map $http_upgrade $up { default upgrade; "" close; }',
        "location /ws/ { proxy_pass http://127.0.0.1:1; proxy_set_header Connection $up; }",
    ),
    "a zone of requests": (
        "limit_req_zone $binary_remote_addr zone=login:1m rate=1r/s;",
        "location /login { limit_req zone=login; proxy_pass http://127.0.0.1:8001; }",
    ),
    "a cache": (
        "proxy_cache_path /var/cache/shop keys_zone=shop:1m;",
        "location /cached/ { proxy_cache shop; proxy_pass http://127.0.0.1:8001; }",
    ),
    "a log format": (
        "log_format brief '$status $request';",
        "access_log /var/log/nginx/shop.log brief;",
    ),
    "a geo": ("geo $inside { default 0; 10.0.0.0/8 1; }", "if ($inside) { return 204; }"),
    "a setting": ("gzip on;", ""),
}


def site(*lines: str, beside: str = "", **options: object) -> Read:
    text = f"{beside}\nserver {{ listen 80; server_name a.test; {' '.join(lines)} }}"
    return read(text, **options)


@pytest.mark.parametrize(("beside", "uses"), BESIDE.values(), ids=BESIDE.keys())
def test_what_stands_beside_the_server_is_carried_along(beside: str, uses: str) -> None:
    found = site(STATIC, APP if "location / " not in uses else "", uses, beside=beside)

    assert f"{beside}\n" == found.sites["site0"]["http_extra"]
    assert beside in found.spec.sites["site0"].http_extra


def test_what_stands_in_another_file_stays_there() -> None:
    beside, uses = BESIDE["an upstream"]
    main = f"events {{}} http {{ {beside} include {ENABLED}/*; }}".encode()

    found = site(STATIC, uses, main=main)

    assert "http_extra" not in found.sites["site0"]


def test_of_two_sites_in_one_file_the_first_carries_it() -> None:
    beside, uses = BESIDE["an upstream of a WebSocket"]
    servers = "".join(
        f"server {{ listen 80; server_name {name}; {APP} {uses} }}\n"
        for name in ("a.test", "b.test")
    )

    found = read(f"{beside}\n{servers}")

    assert [f"{beside}\n", None] == [one.get("http_extra") for one in found.sites.values()]
    assert "convert them together" in found.text


@pytest.mark.parametrize(("beside", "uses"), BESIDE.values(), ids=BESIDE.keys())
def test_the_written_file_contains_it_before_its_server(beside: str, uses: str) -> None:
    found = site(STATIC, APP if "location / " not in uses else "", uses, beside=beside)
    entry = found.spec.sites["site0"].model_copy(update={"adopted": None})
    config = found.spec.model_copy(update={"sites": {"site0": entry}, "paths": {}})

    written = CompileContext(config, HOST).sites["site0"].nginx_content

    text = written.decode()
    assert text.index(beside) < text.index("server {")
    assert entry.http_extra == written_http_extra(written)
    Router(load("/n/c", overlay({"/n/c": b"http {" + written + b"}"})))


@pytest.mark.parametrize(
    ("locations", "reported"),
    [
        (
            "root /srv/w; location / { try_files $uri @app; }"
            " location @app { proxy_pass http://127.0.0.1:1; }",
            "try_files $uri @app",
        ),
        (
            "root /srv/w; location / { try_files $uri $uri/ @app; }"
            " location @app { proxy_pass http://127.0.0.1:1; }",
            "try_files $uri $uri/ @app",
        ),
        (
            "location / { error_page 404 = @app; root /srv/w; }"
            " location @app { proxy_pass http://127.0.0.1:1; }",
            "error_page 404 = @app",
        ),
        (
            "location / { proxy_pass http://127.0.0.1:1; proxy_read_timeout 90s;"
            " proxy_send_timeout 1s; }",
            "proxy_read_timeout 90s",
        ),
        (
            "location / { proxy_pass http://127.0.0.1:1; limit_except GET { deny all; } }",
            "limit_ex",
        ),
    ],
)
def test_what_the_location_of_the_app_has_beyond_its_keys_is_reported(
    locations: str, reported: str
) -> None:
    found = site(locations, STATIC)

    assert any(reported in note and "the app's location" in note for note in found.notes)


def test_a_plain_location_of_the_app_is_not() -> None:
    found = site("location / { proxy_pass http://127.0.0.1:1; proxy_set_header Host $host; }")

    assert not any("the app's location" in note for note in found.notes)


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        ("location / { proxy_pass http://127.0.0.1:1; client_max_body_size 30m; }", "30MB"),
        (f"client_max_body_size 5m; {APP}", "5MB"),
        (
            "client_max_body_size 5m;"
            " location / { proxy_pass http://127.0.0.1:1; client_max_body_size 30m; }",
            "30MB",
        ),
        # Nginx compares a body where the request enters, and not again behind @.
        (
            "client_max_body_size 5m; root /srv/w; location / { try_files $uri @app; }"
            " location @app { proxy_pass http://127.0.0.1:1; client_max_body_size 30m; }",
            "5MB",
        ),
        (APP, None),
    ],
)
def test_the_limit_of_bodies_is_that_of_the_location_of_the_app(
    lines: str, limit: str | None
) -> None:
    assert limit == site(lines).sites["site0"].get("max_upload")


@pytest.mark.parametrize(
    "app",
    [
        "location / { include uwsgi_params; uwsgi_pass unix:/run/shop.sock; }",
        "location / { fastcgi_pass 127.0.0.1:9000; fastcgi_param A b; }",
        "location / { scgi_pass 127.0.0.1:9000; }",
        "location / { proxy_pass https://127.0.0.1:8443; }",
    ],
)
def test_a_site_of_another_protocol_is_adopted_with_its_location_in_extra(app: str) -> None:
    found = site(app, included={"/etc/nginx/uwsgi_params": "uwsgi_param A b;"})

    entry = found.sites["site0"]
    assert (["a.test"], True) == (entry["server_names"], app in entry["extra"])
    assert found.told("the app is left out")


@pytest.mark.parametrize("names", ["", "server_name _;", 'server_name "";'])
def test_a_site_without_a_name_is_any_name(names: str) -> None:
    found = read(f"server {{ listen 80; {names} {STATIC} {APP} }}")

    assert ("_",) == found.spec.sites["site0"].server_names


def test_ssl_on_is_tls() -> None:
    keys = "ssl_certificate /c.pem; ssl_certificate_key /k.pem;"

    found = read(f"server {{ listen 443; ssl on; server_name a.test; {keys} {APP} }}").sites[
        "site0"
    ]

    assert "/c.pem" == found["tls"]["certificate"]
    assert ["0.0.0.0:443"] == found["listen"]


def checks(*failing: str) -> list[Check]:
    names = ["the app answers over IPv4", "GET /static/health.txt over IPv4"]
    return [
        Check(f"probe:shop {name}", "fail" if name in failing else "pass", "no response")
        for name in names
    ]


def a_draft() -> Draft:
    draft = Draft()
    draft.sites["shop"] = {
        "server_names": ["a.test"],
        "probes": [{"get": "/static/health.txt", "expect": {"status": 200}}],
    }
    draft.sites["shop2"] = {"server_names": ["b.test"]}
    return draft


def test_what_does_not_answer_today_is_not_probed_and_reported() -> None:
    draft = a_draft()

    drop_failing_probes(draft, checks("the app answers over IPv4"))

    assert [False, None] == [one.get("probe_front_page") for one in draft.sites.values()]
    assert 1 == len(draft.sites["shop"]["probes"])
    assert "shop the app answers over IPv4: no response" in str(draft.notes[0])


def test_a_file_that_is_not_served_today_is_not_probed() -> None:
    draft = a_draft()

    drop_failing_probes(draft, checks("GET /static/health.txt over IPv4"))

    assert {"server_names": ["a.test"]} == draft.sites["shop"]


def test_what_answers_is_probed() -> None:
    draft = a_draft()

    drop_failing_probes(draft, checks())

    assert (a_draft().values, []) == (draft.values, draft.notes)


@pytest.mark.parametrize(
    ("size", "owner", "is_secret"),
    [
        (LARGEST_IN_YAML + 1, "assets", False),
        (LARGEST_IN_YAML + 1, {"user": "root", "group": "root", "files": "0640"}, True),
    ],
)
def test_a_large_text_becomes_a_file_beside_the_yaml(
    size: int, owner: str | dict[str, str], is_secret: bool
) -> None:
    draft = Draft()
    draft.paths["/etc/nginx/sites-available/shop"] = {"owner": owner, "content": "x" * size}
    draft.paths["/etc/nginx/sites-enabled/shop"] = {"link": "/etc/nginx/sites-available/shop"}

    [file] = move_large_texts(draft, "/etc/reconcile/reconcile.yaml")

    source = draft.paths["/etc/nginx/sites-available/shop"]["source"]
    assert (source, size, is_secret) == (file.path, len(file.data), file.is_secret)
    assert source.startswith("reconcile.files/")


def test_a_text_that_a_person_reads_stays_in_the_yaml() -> None:
    draft = Draft()
    draft.paths["/etc/nginx/a"] = {"owner": "assets", "content": "x" * LARGEST_IN_YAML}

    assert [] == list(move_large_texts(draft, "/etc/reconcile/reconcile.yaml"))
