"""A site with a certificate of Let's Encrypt, from nothing to HTTPS; certbot's part is played."""

from __future__ import annotations

import json

import pytest

from tests.hosts import DebianHost
from tests.hosts.fixtures import Boot
from tests.hosts.wait import wait_for
from tests.stories import site

pytestmark = pytest.mark.host

YAML = site.with_line("tls: {letsencrypt: example.com}\n    max_upload: 20MB").replace(
    "      user: www-data\n",
    "      user: www-data\n      flask: {directory: /srv/myapp, module: 'app:app'}\n",
)
LIVE = "/etc/letsencrypt/live/example.com"
PROOF = "/.well-known/acme-challenge/token"
HOOK = "/etc/letsencrypt/renewal-hooks/deploy/reconcile-nginx"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A host after the first apply: there is no certificate yet."""
    host = module_hosts("tls1")
    site.deploy(host, YAML)
    site.apply(host)
    return host


def certify(host: DebianHost) -> None:
    """What `certbot certonly` leaves behind: files in archive/, links to them in live/."""
    archive = "/etc/letsencrypt/archive/example.com"
    host.run(
        "sh", "-ec",
        f"mkdir -p {archive} {LIVE}; chmod 0700 /etc/letsencrypt/live /etc/letsencrypt/archive;"
        " openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 80 -batch"
        " -subj /CN=example.com -addext subjectAltName=DNS:example.com"
        f" -keyout {archive}/privkey1.pem -out {archive}/fullchain1.pem 2>/dev/null;"
        f" chmod 0600 {archive}/privkey1.pem;"
        f" ln -sf ../../archive/example.com/privkey1.pem {LIVE}/privkey.pem;"
        f" ln -sf ../../archive/example.com/fullchain1.pem {LIVE}/fullchain.pem",
    )  # fmt: skip


def served_serial(host: DebianHost) -> str:
    """The serial number of the certificate that nginx answers with."""
    asked = "openssl s_client -connect 127.0.0.1:443 -servername example.com </dev/null 2>/dev/null"
    return host.run("sh", "-c", f"{asked} | openssl x509 -noout -serial").stdout


def test_the_site_comes_up_so_that_certbot_can_prove_its_name(host: DebianHost) -> None:
    folder = "/var/www/letsencrypt/.well-known/acme-challenge"
    host.run("sh", "-ec", f"mkdir -p {folder}; echo proof >{folder}/token")

    assert (200, b"proof\n") == (
        host.http("GET", PROOF).status, host.http("GET", PROOF).body
    )  # fmt: skip
    assert 200 == host.http("GET", "/static/css/app.css").status


def test_the_plan_says_how_to_get_the_certificate(host: DebianHost) -> None:
    told = host.reconcile("plan").stdout

    assert "certbot certonly --webroot -w /var/www/letsencrypt --cert-name example.com" in told


def test_with_the_certificate_an_apply_turns_tls_on(host: DebianHost) -> None:
    certify(host)

    site.apply(host)

    assert 301 == host.http("GET", "/").status
    assert b"proof\n" == host.http("GET", PROOF).body
    assert "serial=" in served_serial(host)
    assert set() == site.plan(host).addresses


def test_the_hook_makes_nginx_take_up_a_renewed_certificate(host: DebianHost) -> None:
    certify(host)
    site.apply(host)
    before = served_serial(host)
    certify(host)

    host.run(HOOK)

    wait_for(lambda: before != served_serial(host), "the renewed certificate")


def test_doctor_is_silent_on_it_notes_aside(host: DebianHost) -> None:
    certify(host)
    site.apply(host)

    told = json.loads(host.reconcile("doctor", "--json").stdout)

    assert ([], []) == (
        [one for one in told["findings"] if one["severity"] != "note"], told["unknown"]
    )  # fmt: skip


def test_doctor_asks_the_app_of_the_host_itself(host: DebianHost) -> None:
    app = host.read("/srv/myapp/app.py")
    host.write("/srv/myapp/app.py", app.decode() + "app.config['UPLOAD_FOLDER'] = '/srv/other'\n")

    told = json.loads(host.reconcile("doctor", "--json").stdout)
    host.write("/srv/myapp/app.py", app.decode())

    [finding] = [one for one in told["findings"] if one["rule"] == "upload-dir-mismatch"]
    assert "saves uploads in /srv/other, nginx serves /var/www/myapp/media." in finding["what"]
