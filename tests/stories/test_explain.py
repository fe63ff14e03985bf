"""Why a URL is answered as it is, asked on the guide's host."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.support import guide_site as site

pytestmark = pytest.mark.host

URL = "http://example.com/static/css/app.css"
LOADED = "/etc/nginx/sites-enabled/myapp.conf"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("web1")
    site.deploy(host)
    site.apply(host)
    return host


def explained(host: DebianHost, *options: str, url: str = URL) -> dict[str, Any]:
    done = host.reconcile("explain", url, "--json", *options, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def line_of(host: DebianHost, text: str) -> int:
    lines = host.read(site.SITE_FILE).decode().splitlines()
    return 1 + next(number for number, line in enumerate(lines) if text in line)


def test_the_story_names_server_location_file_and_headers(host: DebianHost) -> None:
    explanation = explained(host)

    assert f"{LOADED}:{line_of(host, 'server {')}" == explanation["server"]["place"]
    assert "server_name matches exactly" == explanation["server"]["why"]
    assert "/etc/nginx/sites-enabled/default:21" in [
        o["place"] for o in explanation["server"]["others"]
    ]
    [location] = explanation["locations"]
    assert f"{LOADED}:{line_of(host, 'location ^~ /static/')}" == location["place"]
    assert "longest prefix; ^~ skips regexes" == location["why"]
    assert (site.STYLESHEET, "www-data") == (explanation["answer"]["file"], explanation["worker"])
    headers = {header["name"]: header["value"] for header in explanation["headers"]}
    assert {
        "Content-Type": "text/css",
        "Cache-Control": "public, max-age=604800",
        "X-Content-Type-Options": "nosniff",
    } == headers


def test_every_component_is_shown_with_its_owner_and_mode(host: DebianHost) -> None:
    way = [(c["path"], c["owner"], c["mode"], c["allowed"]) for c in explained(host)["path"]]

    assert [
        ("/", "root", "0755", True),
        ("/var", "root", "0755", True),
        ("/var/www", "root", "0755", True),
        ("/var/www/myapp", "root", "0755", True),
        ("/var/www/myapp/static", "root", "0755", True),
        ("/var/www/myapp/static/css", "root", "0755", True),
        (site.STYLESHEET, "root", "0644", True),
    ] == way


@pytest.mark.parametrize("path", ["/static/css/app.css", "/static", "/media/none", "/static/.env"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_real_response_is_the_predicted_one(host: DebianHost, path: str, address: str) -> None:
    url = f"http://example.com{path}"

    live = explained(host, "--live", "--address", address, url=url)["live"]

    assert ([], True) == (live["differs"], live["agrees"])


def test_a_parent_that_was_closed_is_named_with_the_worker_and_the_fix(host: DebianHost) -> None:
    host.run("chmod", "700", "/var/www/myapp")

    explanation = host.reconcile("explain", URL, check=True).stdout
    live = explained(host, "--live")
    host.run("sh", "-c", live["fix"])

    assert "/var/www/myapp denies access to nginx's worker (www-data)" in explanation
    assert "fix: chmod o+x /var/www/myapp" in explanation
    assert (403, True) == (live["live"]["status"], live["live"]["agrees"])
    assert 200 == host.http("GET", "/static/css/app.css").status
    host.run("chmod", "755", "/var/www/myapp")


def test_a_hostile_regex_is_named_by_the_line_that_took_the_request(host: DebianHost) -> None:
    managed = host.read(site.SITE_FILE)
    hostile = b"location ~* \\.(css|js)$ { return 418; }\n\n    location / {"
    text = managed.replace(b"^~ /static/", b"/static/").replace(b"location / {", hostile)
    host.write(site.SITE_FILE, text)
    host.run("systemctl", "reload", "nginx")

    explanation = explained(host)
    live_status = host.http("GET", "/static/css/app.css").status
    [location] = explanation["locations"]

    assert f"{LOADED}:{line_of(host, 'location ~*')}" == location["place"]
    assert "first matching regex, which takes precedence over the longest prefix" == location["why"]
    assert 418 == explanation["answer"]["status"] == live_status
    assert "location /static/" in [other["what"] for other in location["others"]]
    host.write(site.SITE_FILE, managed)
    host.run("systemctl", "reload", "nginx")


def test_without_a_yaml_it_explains_the_host_as_it_is(host: DebianHost) -> None:
    done = host.run("/usr/local/bin/reconcile", "explain", "http://other.test/", cwd="/")

    assert "/etc/nginx/sites-enabled/default:21" in done.stdout


def test_explaining_writes_nothing(host: DebianHost) -> None:
    before = host.manifest(mtimes=True)

    host.reconcile("explain", URL, check=True)

    assert before == host.manifest(mtimes=True)
