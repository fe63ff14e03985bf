"""An app that needs what its unit gives it: imported with the service's own environment."""

from __future__ import annotations

import pytest

from tests.doctor.conftest import SERVICE, doctor
from tests.lab import DebianHost
from tests.lab.fixtures import Boot

pytestmark = pytest.mark.host

APP = """
import os
from flask import Flask
app = Flask(__name__)
print("a word at import")
if os.environ["SHOP_PASSWORD"] != "s3cret word":
    raise ValueError("wrong: " + os.environ["SHOP_PASSWORD"])
app.config["UPLOAD_FOLDER"] = os.environ["SHOP_UPLOADS"]
"""
SITE = """server { listen 80; server_name shop.test;
    location ^~ /media/ { alias /srv/shop/media/; }
    location / { proxy_pass http://127.0.0.1:9600; }
}"""
YAML = """
version: 1
sites:
  shop:
    server_names: [shop.test]
    app:
      upstream: http://127.0.0.1:9600
      service: shop.service
      user: www-data
      flask: {directory: /srv/shop/app, module: "app:app"}
    locations:
      /media/: {role: media, dir: /srv/shop/media}
"""
GIVEN = "# of the shop\nSHOP_PASSWORD='s3cret word'\nSHOP_UPLOADS=/srv/elsewhere\n"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    host = module_hosts("env")
    host.write("/srv/shop/app/app.py", APP)
    host.write("/root/reconcile.yaml", YAML)
    host.write("/etc/nginx/sites-enabled/shop", SITE)
    host.write("/etc/shop.env", GIVEN, mode="0600")
    unit = SERVICE.format(
        d="/srv/shop",
        bind="-b 127.0.0.1:9600",
        unit="EnvironmentFile=/etc/shop.env\nEnvironment=SHOP_UPLOADS=/srv/overruled",
    )
    host.write("/etc/systemd/system/shop.service", unit)
    host.run(
        "sh",
        "-c",
        "mkdir /srv/shop/media; chown www-data /srv/shop/media;"
        " systemctl daemon-reload; systemctl reload nginx",
    )
    return host


def saves(host: DebianHost) -> list[str]:
    said = doctor(host, "-f", "/root/reconcile.yaml")
    assert [] == said.of("app-import")
    return [one["evidence"][0] for one in said.of("upload-dir-mismatch")]


def test_app_import_of_a_service_that_runs_has_its_environment(host: DebianHost) -> None:
    host.run("systemctl", "start", "shop")

    assert ["app:app, imported: UPLOAD_FOLDER = /srv/elsewhere"] == saves(host)


def test_app_import_of_a_service_that_is_stopped_has_its_environment_file(
    host: DebianHost,
) -> None:
    host.run("systemctl", "stop", "shop")

    assert ["app:app, imported: UPLOAD_FOLDER = /srv/elsewhere"] == saves(host)


def test_app_import_that_fails_by_its_environment_reveals_no_secret(host: DebianHost) -> None:
    host.run("systemctl", "stop", "shop")
    host.write("/etc/shop.env", GIVEN.replace("s3cret word", "another s3cret"), mode="0600")

    [finding] = doctor(host, "-f", "/root/reconcile.yaml").of("app-import")

    host.write("/etc/shop.env", GIVEN, mode="0600")
    assert "ValueError: wrong: (sensitive)" in finding["what"]
    assert "/srv/shop/app/app.py:7" in finding["evidence"]
