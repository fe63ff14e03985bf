"""Why a URL is answered as it is, asked on the guide's host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.nginx.running import worker_world
from tests.support import guide_site as site
from tests.support.nginx_reload import reload_nginx
from tests.support.python_on_host import inside

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
        "Content-Type": "text/css; charset=utf-8",
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
    assert "fix: setfacl -m u:www-data:x /var/www/myapp" in explanation
    assert (403, True) == (live["live"]["status"], live["live"]["agrees"])
    assert 200 == host.http("GET", "/static/css/app.css").status
    host.run("chmod", "755", "/var/www/myapp")


def test_a_hostile_regex_is_named_by_the_line_that_took_the_request(host: DebianHost) -> None:
    managed = host.read(site.SITE_FILE)
    hostile = b"location ~* \\.(css|js)$ { return 418; }\n\n    location / {"
    text = managed.replace(b"^~ /static/", b"/static/").replace(b"location / {", hostile)
    host.write(site.SITE_FILE, text)
    reload_nginx(host)

    explanation = explained(host)
    live_status = host.http("GET", "/static/css/app.css").status
    [location] = explanation["locations"]

    assert f"{LOADED}:{line_of(host, 'location ~*')}" == location["place"]
    assert "first matching regex, which takes precedence over the longest prefix" == location["why"]
    assert 418 == explanation["answer"]["status"] == live_status
    assert "location /static/" in [other["what"] for other in location["others"]]
    host.write(site.SITE_FILE, managed)
    reload_nginx(host)


def test_without_a_yaml_it_explains_the_host_as_it_is(host: DebianHost) -> None:
    done = host.run("/usr/local/bin/reconcile", "explain", "http://other.test/", cwd="/")

    assert "/etc/nginx/sites-enabled/default:21" in done.stdout


def test_explaining_writes_nothing(host: DebianHost) -> None:
    before = host.manifest(mtimes=True)

    host.reconcile("explain", URL, check=True)

    assert before == host.manifest(mtimes=True)


CHUNK = 50
VARIANTS = """
import http.client, os, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, "/opt")
from worker_world import HOMES, LOCATIONS, MAIN, RUN, WorkerWorld, hardenings
from reconcile.nginx.explanation import explain
from reconcile.nginx.routing.url import parse_url
from reconcile.nginx.running.discover import discover

def run(*command):
    return subprocess.run(command, capture_output=True, text=True)

def status(uri):
    connection = http.client.HTTPConnection("127.0.0.1", 8097, timeout=10)
    connection.request("GET", uri)
    answer = connection.getresponse().status
    connection.close()
    return answer

def are_workers_named():
    # A worker has given up root and has its title before it serves.
    master = Path(f"{RUN}/nginx.pid").read_text().strip()
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    titles = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children]
    return bool(titles) and all(title.startswith(b"nginx: worker") for title in titles)

def wait_for_workers():
    deadline = time.monotonic() + 30
    while not are_workers_named():
        assert time.monotonic() < deadline, "no workers"
        time.sleep(0.01)

drop_in = Path("/etc/systemd/system/nginx.service.d/hardening.conf")
site = Path("/etc/nginx/conf.d/tree.conf")
drop_in.parent.mkdir(exist_ok=True)
main = Path("/etc/nginx/nginx.conf")
before = main.read_text()
main.write_text(MAIN)
differing, asked, unknown, refused = [], 0, 0, []
for seed in seeds:
    world = WorkerWorld(Path(HOMES[seed % len(HOMES)]) / f"tree{seed}", seed)
    world.top.parent.mkdir(exist_ok=True, mode=0o755)
    world.make()
    lines = hardenings(world.top, seed)
    drop_in.write_text("\\n".join(["[Service]", *lines, ""]))
    locations = LOCATIONS.format(top=world.top)
    site.write_text(f"server {{ listen 8097; absolute_redirect off; {locations} }}")
    run("systemctl", "daemon-reload")
    # What is not started is not compared: the sandbox has refused nginx itself.
    if run("systemctl", "restart", "nginx").returncode:
        refused.append(lines)
        continue
    wait_for_workers()
    nginx = discover(host)
    for uri in world.uris(20):
        answer = explain(nginx, parse_url(f"http://127.0.0.1:8097{uri}")).route.answer
        real = status(uri)
        asked += 1
        unknown += answer.kind == "unknown"
        if answer.kind != "unknown" and answer.status != real:
            differing.append(f"{seed} {lines} {uri}: {answer} real {real}")
drop_in.unlink()
site.unlink()
main.write_text(before)
run("systemctl", "daemon-reload")
run("systemctl", "restart", "nginx")
return {"differing": differing, "asked": asked, "unknown": unknown, "refused": refused}
"""


@pytest.mark.parametrize(
    "seeds", [range(12), pytest.param(range(12, 262), marks=pytest.mark.nightly)], ids=len
)
def test_under_any_hardening_of_the_unit_the_status_is_the_predicted_one(
    host: DebianHost, seeds: range
) -> None:
    source = Path(worker_world.__file__).read_bytes()
    host.write("/opt/worker_world.py", source)

    # One command of a host may take a minute.
    parts = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    found = [inside(host, VARIANTS, seeds=[*part]) for part in parts]

    assert [] == [one for part in found for one in part["differing"]]
    assert sum(part["unknown"] for part in found) < sum(part["asked"] for part in found) / 50
    assert sum(len(part["refused"]) for part in found) < len(seeds) / 4
