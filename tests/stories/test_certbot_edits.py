"""`certbot --nginx` really edits the file of a site: it is recognised, explained, and healed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.stories import acme
from tests.support import guide_site as site

pytestmark = pytest.mark.host


@dataclass(frozen=True)
class Edited:
    """A host whose site certbot has edited, and what was said of it."""

    host: DebianHost
    answered: int
    plan: dict[str, Any]
    doctor: dict[str, Any]


@pytest.fixture(scope="module")
def edited(module_hosts: Boot) -> Edited:
    host = module_hosts("edited")
    site.deploy(host)
    site.apply(host)
    acme.found(host, "example.com")
    acme.certbot(host, "--nginx", "-d", "example.com", "--redirect")
    assert b"managed by Certbot" in host.read(site.SITE_FILE)
    shown = host.reconcile("doctor", "--json").stdout
    answered = host.http("GET", "/static/css/app.css").status
    return Edited(host, answered, site.plan(host).document, json.loads(shown))


def of_rule(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in document["findings"] if one["rule"] == "certbot-edits"]


def test_the_plan_shows_whose_edits_it_reverts_and_what_is_lost(edited: Edited) -> None:
    [finding] = of_rule(edited.plan)

    assert (301, "warning") == (edited.answered, finding["severity"])
    assert f"certbot has edited {site.SITE_FILE}" in finding["what"]
    assert "HTTPS with them" in finding["what"]


def test_doctor_reports_the_same(edited: Edited) -> None:
    [finding] = of_rule(edited.doctor)

    assert "warning" == finding["severity"]
    assert "lines are marked as managed by Certbot" in finding["evidence"][0]


def test_an_apply_restores_the_generated_file(edited: Edited) -> None:
    host = edited.host

    site.apply(host)

    assert b"Certbot" not in host.read(site.SITE_FILE)
    assert 200 == host.http("GET", "/static/css/app.css").status
    assert set() == site.plan(host).addresses
    assert [] == of_rule(json.loads(host.reconcile("doctor", "--json").stdout))


def test_the_way_out_keeps_https_and_certbot_leaves_the_file_alone(edited: Edited) -> None:
    host = edited.host
    way_out = re.search(r"certbot (certonly .*)", of_rule(edited.doctor)[0]["fix"])
    assert way_out is not None
    host.write("/etc/reconcile/reconcile.yaml", site.with_line("tls: {letsencrypt: example.com}"))

    site.apply(host)
    acme.certbot(host, *way_out[1].split())
    acme.renew(host)

    assert acme.kept_serial(host, "example.com") == acme.served_serial(host, "example.com")
    assert b"installer" not in host.read("/etc/letsencrypt/renewal/example.com.conf")
    assert set() == site.plan(host).addresses
