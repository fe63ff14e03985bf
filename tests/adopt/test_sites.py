"""A hand-written configuration, and the YAML that says the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcile.adopt.host_readings import FoundApp, FoundFolder
from reconcile.errors import ReconcileError
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView, TlsView
from reconcile.resources.file import File
from tests.adopt.handwritten import UPLOADS, Read, read
from tests.support.guide import GUIDE
from tests.support.host_facts import HOST, desired

APP = "location / { proxy_pass http://unix:/run/gunicorn.sock; }"
NAMED = "server { listen 80; listen [::]:80; server_name example.com; "


def site(*lines: str, **around: Any) -> dict[str, Any]:
    """The one site of a server with these lines, without what every adopted one has."""
    found = read(f"{NAMED}{' '.join(lines)} }}", **around)
    [(name, entry)] = found.sites.items()
    assert ("site0", "/etc/nginx/sites-available/site0") == (name, entry.pop("adopted"))
    return entry


def test_the_guide_s_site_is_read_whole() -> None:
    found = read(
        GUIDE.replace("include proxy_params;", ""),
        apps={"unix:/run/gunicorn.sock": FoundApp("gunicorn.service", "www-data")},
        folders={f"/var/www/myapp/{name}": UPLOADS for name in ("static", "media")},
    )

    assert {
        "server_names": ["example.com"],
        "adopted": "/etc/nginx/sites-available/site0",
        "listen": ["0.0.0.0:80"],
        "app": {"upstream": "unix:/run/gunicorn.sock", "service": "gunicorn.service"},
        "locations": {
            "/static/": {"role": "static", "dir": "/var/www/myapp/static", "owner": "uploads"},
            "/media/": {"role": "media", "dir": "/var/www/myapp/media"},
        },
    } == found.sites["site0"]
    assert [] == found.notes


def test_the_text_of_a_file_is_in_the_yaml_to_the_byte() -> None:
    text = f"\n  # a comment\n\tserver {{ listen 80; server_name a.test; {APP} }}\n"

    paths = read(text).spec.paths

    assert text == paths["/etc/nginx/sites-available/site0"].content
    assert "/etc/nginx/sites-available/site0" == paths["/etc/nginx/sites-enabled/site0"].link


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("listen 80; listen [::]:80;", None),
        ("listen 80;", ["0.0.0.0:80"]),
        ("listen [::]:80;", ["[::]:80"]),
        ("listen [::]:80 ipv6only=off;", None),
        ("listen 8080; listen [::]:8080;", [8080]),
        ("listen 127.0.0.1:81;", ["127.0.0.1:81"]),
        ("listen 8080-8081; listen [::]:8080-8081;", [8080, 8081]),
        ("", ["0.0.0.0:80"]),
    ],
)
def test_listens_are_read(listen: str, expected: list[object] | None) -> None:
    found = read(f"server {{ {listen} server_name a.test; {APP} }}")

    assert expected == found.sites["site0"].get("listen")


@pytest.mark.parametrize(
    ("lines", "policy"),
    [
        ("expires 7d;", "week"),
        ('add_header Cache-Control "public, max-age=86400";', "day"),
        ('add_header Cache-Control "max-age=31536000, immutable, public";', "hashed"),
        ("expires 1y; add_header Cache-Control immutable;", "hashed"),
        ("add_header Cache-Control no-store;", "none"),
        ("expires 1h;", "keep-1h"),
        ("expires 30d; add_header Cache-Control private;", "keep-30d-private"),
        ("expires max;", "keep-10y"),
    ],
)
def test_cache_policies_are_known_by_what_they_mean(lines: str, policy: str) -> None:
    found = read(f"{NAMED} location /downloads/ {{ alias /srv/d/; {lines} }} }}")

    location = found.spec.sites["site0"].locations["/downloads/"]
    assert policy == (location.effective_cache)
    assert location.effective_cache in found.spec.all_cache_policies()


@pytest.mark.parametrize(
    "lines", ["", "expires epoch;", 'add_header Cache-Control "max-age=5, must-revalidate";']
)
def test_a_cache_header_that_matches_no_policy_is_reported(lines: str) -> None:
    found = read(f"{NAMED} location /static/ {{ alias /srv/s/; {lines} }} }}")

    assert None is found.spec.sites["site0"].locations["/static/"].cache
    assert "# Cache-Control now: " in found.text


@pytest.mark.parametrize(
    ("location", "prefix", "role"),
    [
        ("location /static/ { alias /srv/x/; }", "/static/", "static"),
        ("location ^~ /assets/ { alias /srv/x/; }", "/assets/", "static"),
        ("location /static { alias /srv/x/; }", "/static/", "static"),
        ("location /media/ { root /srv; }", "/media/", "media"),
        ("location /files/ { alias /srv/uploads/; }", "/files/", "media"),
        ("location /secret/ { internal; alias /srv/x/; }", "/secret/", "private"),
    ],
)
def test_roles_are_read(location: str, prefix: str, role: str) -> None:
    assert role == site(location)["locations"][prefix]["role"]


@pytest.mark.parametrize(("owner", "role"), [("root", "static"), ("www-data", "media")])
def test_what_may_be_uploads_is_never_taken_for_assets(owner: str, role: str) -> None:
    folders = {"/srv/x": FoundFolder(owner, owner, 0o755, 0o644)}

    found = site("location /files/ { alias /srv/x/; }", folders=folders)

    assert role == found["locations"]["/files/"]["role"]


def test_no_source_is_guessed_and_nothing_is_pruned() -> None:
    text = read(f"{NAMED} location /static/ {{ alias /srv/s/; }} }}").text

    assert "source" not in text
    assert "prune" not in text


def test_owner_and_modes_are_as_found() -> None:
    folders = {"/srv/m": FoundFolder("deploy", "www-data", 0o2775, 0o664)}

    found = site("location /media/ { alias /srv/m/; }", folders=folders)

    owner = {"user": "deploy", "group": "www-data", "dirs": "2775", "files": "0664"}
    assert owner == found["locations"]["/media/"]["owner"]


def test_a_missing_folder_is_reported() -> None:
    found = read(
        f"{NAMED} {APP} location /static/ {{ alias /srv/s/; }} }}", folders={"/srv/s": None}
    )

    assert "locations" not in found.sites["site0"]
    assert found.told("there is no folder /srv/s")


@pytest.mark.parametrize(
    ("size", "expected"),
    [("20m", "20MB"), ("512k", "512KB"), ("2g", "2GB"), ("1048576", "1MB"), ("0", None)],
)
def test_the_largest_upload_is_read(size: str, expected: str | None) -> None:
    found = site(f"client_max_body_size {size};", APP)

    assert expected == found.get("max_upload")
    assert (expected is None) == ("client_max_body_size" in found.get("extra", ""))


@pytest.mark.parametrize(
    ("config", "upstream"),
    [
        (APP, "unix:/run/gunicorn.sock"),
        ("location / { proxy_pass http://unix:/run/a.sock:/; }", "unix:/run/a.sock"),
        ("location / { proxy_pass http://127.0.0.1:8000; }", "http://127.0.0.1:8000"),
        ("location / { proxy_pass http://127.0.0.1:8000/; }", "http://127.0.0.1:8000"),
        ("location / { proxy_pass http://backend.test; }", "http://backend.test:80"),
        ("deny all; location / { proxy_pass http://127.0.0.1:8000; }", "http://127.0.0.1:8000"),
        (
            "auth_basic x; auth_basic_user_file y; location / { proxy_pass http://127.0.0.1:1; }",
            "http://127.0.0.1:1",
        ),
        (
            "root /srv/w; location / { try_files $uri @app; } "
            "location @app { proxy_pass http://unix:/run/gunicorn.sock; }",
            "unix:/run/gunicorn.sock",
        ),
    ],
)
def test_the_app_is_who_answers_what_is_no_file(config: str, upstream: str) -> None:
    assert upstream == site(config)["app"]["upstream"]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("location / { uwsgi_pass unix:/run/u.sock; }", "uwsgi_pass is not HTTP"),
        ("location / { proxy_pass https://127.0.0.1:8443; }", "is an HTTPS upstream"),
        ("location / { proxy_pass http://127.0.0.1:8000/app; }", "maps to a path of the app"),
        ("location / { proxy_pass http://two; }", "http://two has 2 servers"),
        ("location / { proxy_pass http://$host:80; }", "depends on a variable"),
    ],
)
def test_an_app_that_the_yaml_cannot_express_is_reported(config: str, why: str) -> None:
    group = "upstream two { server 127.0.0.1:1 weight=2; server 127.0.0.1:2; }"

    found = read(f"{group} {NAMED} {config} location /static/ {{ alias /srv/s/; }} }}")

    assert "app" not in found.sites["site0"]
    assert found.told(why)
    assert config in found.sites["site0"]["extra"]


def test_the_one_server_of_an_upstream_group_is_the_app() -> None:
    group = "upstream one { server unix:/run/one.sock; }"

    found = read(f"{group} {NAMED} location / {{ proxy_pass http://one; }} }}")

    assert "unix:/run/one.sock" == found.sites["site0"]["app"]["upstream"]
    assert "`http://one` is an upstream group" in found.text


def test_a_user_by_default_is_left_out() -> None:
    apps = {"unix:/run/gunicorn.sock": FoundApp("gunicorn.service", "www-data")}

    assert "user" not in site(APP, apps=apps)["app"]


def test_another_user_is_named() -> None:
    apps = {"unix:/run/gunicorn.sock": FoundApp("gunicorn.service", "deploy")}

    assert "deploy" == site(APP, apps=apps)["app"]["user"]


def test_an_app_that_cannot_save_its_uploads_is_reported() -> None:
    apps = {"unix:/run/gunicorn.sock": FoundApp("gunicorn.service", "deploy")}

    found = read(
        f"{NAMED} {APP} location /media/ {{ alias /srv/m/; }} }}",
        apps=apps,
        folders={"/srv/m": UPLOADS},
    )

    assert "user" not in found.sites["site0"]["app"]
    assert found.told("the app runs as deploy, which cannot write to /media/ (www-data)")


def test_an_app_that_runs_as_root_saves_wherever_it_likes() -> None:
    apps = {"unix:/run/gunicorn.sock": FoundApp("gunicorn.service", "root")}

    found = site(APP, "location /media/ { alias /srv/m/; }", apps=apps, folders={"/srv/m": UPLOADS})

    assert "root" == found["app"]["user"]


CERTBOT = """
server {
    server_name example.com www.example.com;
    location / { proxy_pass http://127.0.0.1:8000; }
    add_header Strict-Transport-Security "max-age=31536000" always;
    listen [::]:443 ssl ipv6only=on; # managed by Certbot
    listen 443 ssl; # managed by Certbot
    ssl_certificate /etc/letsencrypt/live/example.com/fullchain.pem; # managed by Certbot
    ssl_certificate_key /etc/letsencrypt/live/example.com/privkey.pem; # managed by Certbot
    ssl_dhparam /etc/letsencrypt/ssl-dhparams.pem; # managed by Certbot
}
server {
    if ($host = www.example.com) { return 301 https://$host$request_uri; }
    if ($host = example.com) { return 301 https://$host$request_uri; }
    listen 80;
    listen [::]:80;
    server_name example.com www.example.com;
    return 404;
}
"""


def test_what_certbot_made_of_a_site_is_one_site() -> None:
    found = read(CERTBOT)

    live = "/etc/letsencrypt/live/example.com"
    assert {
        "server_names": ["example.com", "www.example.com"],
        "adopted": "/etc/nginx/sites-available/site0",
        "tls": {
            "certificate": f"{live}/fullchain.pem",
            "key": f"{live}/privkey.pem",
            "hsts": "1y",
        },
        "app": {"upstream": "http://127.0.0.1:8000"},
        "extra": "ssl_dhparam /etc/letsencrypt/ssl-dhparams.pem;\n",
    } == found.sites["site0"]


def test_a_plain_port_that_serves_as_well_is_no_redirect() -> None:
    keys = "ssl_certificate /c.pem; ssl_certificate_key /k.pem;"

    tls = site("listen 443 ssl; listen [::]:443 ssl;", keys, APP)["tls"]

    assert {"certificate": "/c.pem", "key": "/k.pem", "redirect": False} == tls


def test_directives_without_a_key_are_kept_verbatim() -> None:
    found = site(
        APP,
        "gzip on;",
        r"""location ~* "\.(css|js)$" { expires 1h; }""",
        "location /api/ { proxy_pass http://127.0.0.1:9000; }",
    )

    assert (
        'gzip on;\nlocation ~* "\\.(css|js)$" { expires 1h; }\n'
        "location /api/ { proxy_pass http://127.0.0.1:9000; }\n"
    ) == found["extra"]


def test_directives_of_a_location_that_the_yaml_lacks_are_reported() -> None:
    found = read(
        f"{NAMED} location /static/ {{ alias /srv/s/; add_header X-A $host; gzip_static on; }} }}"
    )

    assert found.told(
        "/static/ has directives that the YAML cannot express: add_header X-A $host; gzip_static on"
    )


def test_headers_of_a_server_and_of_a_location_are_read() -> None:
    server = "add_header X-Frame-Options DENY; add_header X-Request $request_id;"
    static = "location /static/ { alias /srv/s/; add_header X-Frame-Options SAMEORIGIN; }"

    entry = read(f"{NAMED} {APP} {static} {server} }}").sites["site0"]

    assert {"X-Frame-Options": "DENY"} == entry["headers"]
    assert {"X-Frame-Options": "SAMEORIGIN"} == entry["locations"]["/static/"]["headers"]
    assert "add_header X-Request $request_id;\n" == entry["extra"]


def test_a_header_that_generated_locations_do_not_inherit_is_reported() -> None:
    header = "add_header X-Request $request_id;"

    found = read(f"{NAMED} {APP} location /static/ {{ alias /srv/s/; }} {header} }}")

    assert "# In a file that reconcile writes, add_header here has" in found.text


SNIPPET = "/etc/nginx/snippets/x.conf"


def test_an_include_is_kept_and_reported_as_unwatched() -> None:
    found = read(f"{NAMED} {APP} include {SNIPPET}; }}", included={SNIPPET: "charset utf-8;"})

    assert f"include {SNIPPET};\n" == found.sites["site0"]["extra"]
    assert f"It includes {SNIPPET}: not watched." in found.text


def test_an_include_that_keys_express_is_not_kept() -> None:
    inside = "location /static/ { alias /srv/s/; }"

    found = read(f"{NAMED} {APP} include {SNIPPET}; }}", included={SNIPPET: inside})

    assert "extra" not in found.sites["site0"]
    assert {"/static/"} == found.sites["site0"]["locations"].keys()


@pytest.mark.parametrize("line", ["gzip on;", "ssl_ciphers HIGH;", "ssl_session_tickets on;"])
def test_what_a_rendered_site_has_too_is_taken_out_of_an_include(line: str) -> None:
    inside = f"ssl_certificate /c.pem;\n{line}\ncharset utf-8;"

    found = read(f"{NAMED} {APP} include {SNIPPET}; }}", included={SNIPPET: inside})

    assert f"{line}\ncharset utf-8;\n" == found.sites["site0"]["extra"]


@pytest.mark.parametrize(
    ("protocols", "extra"),
    [
        ("TLSv1.3", "ssl_protocols TLSv1.3;\n"),
        ("TLSv1.2 TLSv1.3", None),
        ("TLSv1 TLSv1.1 TLSv1.2", None),
    ],
)
def test_a_site_that_allows_fewer_protocols_keeps_them(protocols: str, extra: str | None) -> None:
    keys = "ssl_certificate /c.pem; ssl_certificate_key /k.pem;"

    found = site("listen 443 ssl;", keys, f"ssl_protocols {protocols};", APP)

    assert extra == found.get("extra")


def test_an_include_that_keys_express_in_part_is_reported() -> None:
    inside = "location /static/ { alias /srv/s/; } charset utf-8;"

    found = read(f"{NAMED} {APP} include {SNIPPET}; }}", included={SNIPPET: inside})

    assert f"include {SNIPPET};\n" == found.sites["site0"]["extra"]
    assert found.told("duplicates keys of the YAML: location /static/")


def test_parameters_of_a_listen_are_reported() -> None:
    found = read(f"server {{ listen 80 reuseport; server_name a.test; {APP} }}")

    assert found.told("listen 80 has parameters without a key: reuseport")


def test_ports_behind_a_load_balancer_stay_so() -> None:
    found = site(
        "listen 80 proxy_protocol; listen [::]:80 proxy_protocol;"
        " listen 8443 ssl proxy_protocol; listen [::]:8443 ssl proxy_protocol;"
        " set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol; real_ip_recursive on;",
        "ssl_certificate /c.pem; ssl_certificate_key /k.pem;",
        APP,
    )

    assert ["80 proxy_protocol", "8443 ssl proxy_protocol"] == found["listen"]
    assert ["10.0.0.0/8"] == found["trusted_proxies"]


def test_http_3_beside_https_is_https() -> None:
    found = site(
        "listen 443 ssl; listen 443 quic; listen [::]:443 ssl;",
        "ssl_certificate /c.pem; ssl_certificate_key /k.pem;",
        APP,
    )

    assert "listen" not in found


def test_two_files_with_many_servers_are_as_many_sites() -> None:
    servers = (f"server {{ listen 80; server_name s{n}.test; {APP} }}" for n in range(3))

    found = read("\n".join(servers), f"server {{ listen 80; server_name t.test; {APP} }}")

    assert ["s0.test", "s1.test", "s2.test", "site1"] == list(found.sites)


def test_the_stock_site_of_debian_is_read() -> None:
    found = read(
        "server { listen 80 default_server; listen [::]:80 default_server; root /var/www/html;"
        " index index.html; server_name _; location / { try_files $uri $uri/ =404; } }"
    )

    assert {
        "server_names": ["_"],
        "adopted": "/etc/nginx/sites-available/site0",
        "default_server": True,
        "locations": {"/": {"role": "static", "dir": "/var/www/html"}},
        "extra": "root /var/www/html;\nindex index.html;\n",
    } == found.sites["site0"]
    assert [] == found.notes


def test_only_the_site_that_was_asked_for_is_read() -> None:
    texts = [f"server {{ listen 80; server_name {name}.test; {APP} }}" for name in "ab"]

    assert ["site1"] == list(read(*texts, only=("b.test",)).sites)
    assert ["site0"] == list(read(*texts, only=("site0",)).sites)


def test_an_unknown_site_is_refused_with_a_list_of_the_known_ones() -> None:
    with pytest.raises(ReconcileError) as refused:
        read(f"{NAMED} {APP} }}", only=("nope",))

    assert "Unknown site: nope" == refused.value.what
    assert "site0" in refused.value.fix


OURS = SiteView(
    name="site0",
    server_names=("example.com", "www.example.com"),
    listens=(
        ListenView("", 80),
        ListenView("[::]", 80),
        ListenView("", 443, True),
        ListenView("[::]", 443, True),
    ),
    tls=TlsView("/c.pem", "/k.pem", hsts="max-age=31536000"),
    max_upload_bytes=20 * 1024**2,
    upstream="unix:/run/a.sock",
    locations=(
        LocationView("static", "/static/", "/var/www/s", "public, max-age=604800"),
        LocationView("media", "/media/", "/var/www/m", "public, max-age=3600"),
        LocationView("private", "/p/", "/srv/p"),
    ),
    extra="gzip on;\nlocation = /x { return 204; }\n",
)


def read_ours(view: SiteView, suffix: str = ".conf") -> Read:
    folders = {"/var/www/m": UPLOADS, "/srv/p": UPLOADS}
    apps = {"unix:/run/a.sock": FoundApp("a.service", "www-data")}
    return read(render_site(view, "1.22.1"), folders=folders, apps=apps, suffix=suffix)


def test_a_file_that_reconcile_wrote_is_read_without_loss() -> None:
    entry = read_ours(OURS).spec.sites["site0"]

    assert OURS.server_names == entry.server_names
    assert 20 * 1024**2 == entry.max_upload
    assert OURS.extra == entry.extra
    assert (True, 31536000) == (entry.tls and entry.tls.redirect, entry.tls and entry.tls.hsts)
    assert [(v.prefix, v.role, v.dir) for v in OURS.locations] == [
        (prefix, one.role, one.dir) for prefix, one in entry.locations.items()
    ]
    assert (None, []) == (entry.adopted, read_ours(OURS).notes)


def test_a_generated_file_in_another_place_is_adopted_like_any_other() -> None:
    entry = read_ours(OURS, suffix="").spec.sites["site0"]

    assert ("/etc/nginx/sites-available/site0", OURS.extra) == (entry.adopted, entry.extra)


WRITTEN = {
    "the smallest": "app: {upstream: http://127.0.0.1:8000}",
    "one port": "listen: [8080]\n    app: {upstream: http://127.0.0.1:8000}",
    "addresses": 'listen: ["127.0.0.1:81", "[::1]:82"]\n    app: {upstream: "unix:/run/a.sock"}',
    "the default server": "default_server: true\n    app: {upstream: http://127.0.0.1:8000}",
    "only IPv4": 'listen: ["0.0.0.0:80"]\n    app: {upstream: http://127.0.0.1:8000}',
    "files and no app": "locations: {/static/: {role: static, dir: /srv/s, cache: hashed}}",
    "files at the root": "locations: {/: {role: static, dir: /srv/s, cache: none}}",
    "all roles": """max_upload: 20MB
    app: {upstream: http://127.0.0.1:8000}
    locations:
      /static/: {role: static, dir: /srv/s}
      /media/: {role: media, dir: /srv/m, cache: none}
      /p/: {role: private, dir: /srv/p}""",
    "uploads without their policy": """app: {upstream: http://127.0.0.1:8000}
    locations: {/media/: {role: media, dir: /srv/m, headers: {Content-Security-Policy: null}}}""",
    "TLS": """tls: {certificate: /c.pem, key: /k.pem, hsts: 1y}
    app: {upstream: http://127.0.0.1:8000}""",
    "TLS for subdomains too": """tls:
      certificate: /c.pem
      key: /k.pem
      hsts: {max_age: 1y, subdomains: true, preload: true}
    app: {upstream: http://127.0.0.1:8000}""",
    "no compression and no HTTP/2": """tls: {certificate: /c.pem, key: /k.pem}
    gzip: false
    http2: false
    app: {upstream: http://127.0.0.1:8000}""",
    "headers": """headers: {X-Frame-Options: DENY, Referrer-Policy: no-referrer}
    tls: {certificate: /c.pem, key: /k.pem, hsts: 1y}
    app: {upstream: http://127.0.0.1:8000}
    locations:
      /static/:
        role: static
        dir: /srv/s
        headers: {X-Frame-Options: SAMEORIGIN, X-Content-Type-Options: null}
      /media/: {role: media, dir: /srv/m, headers: {Referrer-Policy: null}}
      /p/: {role: private, dir: /srv/p}""",
    "TLS without a redirect": """tls: {certificate: /c.pem, key: /k.pem, redirect: false}
    app: {upstream: http://127.0.0.1:8000}""",
    "TLS on another port": """tls: {certificate: /c.pem, key: /k.pem}
    listen: [80, "8443 ssl"]
    locations: {/static/: {role: static, dir: /srv/s}}""",
    "Let's Encrypt": """tls: {letsencrypt: a.test, hsts: 7d}
    app: {upstream: http://127.0.0.1:8000}""",
    "directives of one's own": """app: {upstream: http://127.0.0.1:8000}
    extra: |
      gzip on;

      # a remark
      location = /x { return 200 "$uri }"; }""",
}


@pytest.mark.parametrize("lines", WRITTEN.values(), ids=WRITTEN)
def test_what_reconcile_writes_for_a_site_it_reads_as_that_site(lines: str) -> None:
    host = replace(HOST, certificates=frozenset({"a.test"}))
    yaml = f"version: 1\nsites:\n  site0:\n    server_names: [a.test]\n    {lines}\n"
    written = desired(yaml, host)["file:/etc/nginx/sites-available/site0.conf"]
    assert isinstance(written, File)

    found = read(written.content or b"", suffix=".conf")

    again = desired(found.text, host)["file:/etc/nginx/sites-available/site0.conf"]
    assert isinstance(again, File)
    assert (written.content or b"").decode() == (again.content or b"").decode()
