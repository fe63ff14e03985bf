"""A nginx.conf that holds its servers itself, or includes them by other names."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.adopt.adopt_host import adopt_host
from reconcile.config.load import load_bytes
from reconcile.doctor.diagnosis import diagnose
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rules import load_rules
from reconcile.nginx.explanation import explain
from reconcile.nginx.routing.url import parse_url
from reconcile.nginx.running.discover import discover
from reconcile.output.adoption import Adopted
from reconcile.system import Host, HostSettings

pytestmark = pytest.mark.process

SERVER = """server {
    listen 8099;
    server_name shop.example.com;
    location /static/ { alias ROOT/static/; }
    location / { proxy_pass http://127.0.0.1:8001; }
}"""
WHOLE = (
    f"user www-data; pid ROOT/nginx.pid; error_log ROOT/error.log; events {{}} http {{ {SERVER} }}"
)
BY_FILE = WHOLE.replace(SERVER, "include ROOT/servers.conf;")
BY_FOLDER = WHOLE.replace(SERVER, "include ROOT/vhosts/*.conf;")
WITH_FOLDER = WHOLE.replace(SERVER, "include ROOT/conf.d/*.conf;")


@pytest.fixture
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Host:
    for name, text in {
        "nginx.conf": request.param,
        "servers.conf": SERVER,
        "vhosts/shop.conf": SERVER,
        "conf.d/shop.conf": SERVER,
        "static/app.css": "body {}",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("ROOT", str(tmp_path)))
    return Host(
        HostSettings(
            nginx_config=str(tmp_path / "nginx.conf"),
            service_manager="none",
            state_dir=str(tmp_path / "state"),
        )
    )


everywhere = pytest.mark.parametrize(
    "host", [WHOLE, BY_FILE, BY_FOLDER, WITH_FOLDER], indirect=True
)


def adopted(host: Host) -> Adopted:
    return adopt_host(host, "/etc/reconcile/reconcile.yaml")


@everywhere
def test_it_is_explained(host: Host) -> None:
    request = parse_url("http://shop.example.com:8099/static/app.css")

    answer = explain(discover(host), request).route.answer

    assert (answer.path or "").endswith("/static/app.css")


@everywhere
def test_no_rule_fails_for_it(host: Host) -> None:
    found = diagnose(HostInspection(host), load_rules())

    assert [] == [one for one in found.unknown if "neither sites-enabled" in one.reason]


@everywhere
def test_its_site_is_read(host: Host) -> None:
    spec = load_bytes(adopted(host).text.encode(), "/etc/reconcile/reconcile.yaml")

    [site] = spec.sites.values()
    assert (("shop.example.com",), {"/static/"}) == (site.server_names, site.locations.keys())


@pytest.mark.parametrize("host", [WHOLE, BY_FILE, BY_FOLDER], indirect=True)
def test_that_no_other_site_has_a_place_is_reported(host: Host) -> None:
    assert "no other site can be added" in " ".join(map(str, adopted(host).notes))


@pytest.mark.parametrize("host", [WITH_FOLDER], indirect=True)
def test_where_there_is_a_folder_nothing_is_reported(host: Host) -> None:
    assert "no other site can be added" not in " ".join(map(str, adopted(host).notes))
