"""Let's Encrypt: the site starts without its certificate, so that certbot can obtain it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from reconcile.config.probes import HttpProbe
from reconcile.resources.certificate import Certificate
from reconcile.resources.file import File
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import errors_in, site

SITE = site("tls: {letsencrypt: shop.test, hsts: 1y}")
FILE = "file:/etc/nginx/sites-available/shop.conf"
HOOK = "file:/etc/letsencrypt/renewal-hooks/deploy/reconcile-nginx"
CERTIFIED = replace(HOST, certificates=frozenset({"shop.test"}))
PROOF = """\
    location ^~ /.well-known/acme-challenge/ {
        root /var/www/letsencrypt;
        autoindex off;
        disable_symlinks on;
        default_type text/plain;
    }
"""


def content(text: str, address: str, host: object = HOST) -> str:
    found = desired(text, host)[address]  # type: ignore[arg-type]
    assert isinstance(found, File)
    return (found.content or b"").decode()


def test_without_a_certificate_the_site_is_served_on_its_plain_port_alone() -> None:
    text = content(SITE, FILE)

    assert ("listen 80;" in text, "443" in text, "ssl_" in text) == (True, False, False)
    assert ("return 301 https" in text, "Strict-Transport-Security" in text) == (False, False)
    assert PROOF in text


def test_without_a_certificate_the_plan_shows_the_command_that_obtains_it() -> None:
    [finding] = compile_text(SITE).findings

    assert "note" == finding.severity
    assert "certonly --webroot -w /var/www/letsencrypt --cert-name shop.test -d shop.test" in (
        finding.fix
    )


def test_without_a_certificate_no_probe_uses_tls() -> None:
    schemes = [probe.endpoint.scheme for probe in compile_text(SITE).probes]

    assert {"http"} == set(schemes)


def test_with_the_certificate_port_80_serves_challenges_and_redirects() -> None:
    plain, encrypted = content(SITE, FILE, CERTIFIED).split("\nserver {")[1:]

    assert (True, True) == (PROOF in plain, "return 301 https://$host$request_uri;" in plain)
    assert "ssl_certificate /etc/letsencrypt/live/shop.test/fullchain.pem;" in encrypted
    assert "ssl_certificate_key /etc/letsencrypt/live/shop.test/privkey.pem;" in encrypted
    assert PROOF not in encrypted
    assert () == compile_text(SITE, CERTIFIED).findings


def test_nginx_itself_responds_to_challenges() -> None:
    probes = {p.path: p for p in compile_text(SITE, CERTIFIED).probes if isinstance(p, HttpProbe)}
    probe = probes["/.well-known/acme-challenge/reconcile-probe"]

    assert ("http", 80, "nginx") == (
        probe.endpoint.scheme,
        probe.endpoint.port,
        probe.expect.served_by,
    )


def test_nginx_is_reloaded_after_each_renewal() -> None:
    assert "$(/usr/sbin/nginx -c /etc/nginx/nginx.conf -s reload 2>&1)" in content(SITE, HOOK)
    assert 0o755 == desired(SITE)[HOOK].managed()["mode"]


def test_certbots_folder_is_traversable_by_nginx() -> None:
    webroot = desired(SITE)["directory:/var/www/letsencrypt"].managed()

    assert (("www-data",), 0o755) == (webroot["enterable_by"], webroot["mode"])


def test_a_certificate_comes_from_one_place() -> None:
    assert ["6:24: use either `letsencrypt` or `certificate` (remove one of them)"] == errors_in(
        site("tls: {certificate: /etc/a.pem, letsencrypt: shop.test}")
    )
    assert ['6:5: "certificate" is missing (or set letsencrypt)'] == errors_in(
        site("tls: {key: /etc/a.key}")
    )


def test_lets_encrypt_needs_port_80() -> None:
    assert [
        "7:24: Let's Encrypt connects to port 80, where this site does not listen"
        " (add 80 to listen)"
    ] == errors_in(site("listen: [443]", "tls: {letsencrypt: shop.test}"))


def test_a_wildcard_cannot_be_certified_over_http() -> None:
    text = SITE.replace("[shop.test]", "[shop.test, '*.shop.test']")

    [error] = errors_in(text)

    assert "4:31: Let's Encrypt cannot certify *.shop.test over HTTP" in error


RUNS = site(
    "tls: {letsencrypt: {name: shop.test, email: ann@shop.test, run: true}}",
    "redirect_from: [www.shop.test]",
)
OTHER = """
  blog:
    server_names: [blog.test, shop.test.example]
    tls: {letsencrypt: {name: shop.test, email: ann@shop.test, run: true}}
    locations: {/p/: {role: private, dir: /srv/p}}
"""


def test_with_run_an_apply_obtains_the_certificate_for_all_names() -> None:
    found = desired(RUNS)["certificate:shop.test"]

    assert isinstance(found, Certificate)
    assert ("www.shop.test", "ann@shop.test") == ((found.names or ())[-1], found.email)
    [finding] = compile_text(RUNS).findings
    assert "certbot obtains the certificate shop.test during the apply" in finding.what


def test_without_run_the_mapping_means_the_name() -> None:
    waits = site("tls: {letsencrypt: {name: shop.test}, hsts: 1y}")

    assert desired(SITE, CERTIFIED) == desired(waits, CERTIFIED)


def test_two_sites_with_one_certificate_have_all_their_names_certified() -> None:
    found = desired(RUNS.rstrip() + OTHER)["certificate:shop.test"]

    assert isinstance(found, Certificate)
    assert {"www.shop.test", "blog.test", "shop.test.example"} <= {*(found.names or ())}


def test_certbots_timer_is_started_where_the_host_has_it() -> None:
    timer = desired(RUNS, replace(HOST, certbot_timer=True))["service:certbot.timer"].managed()

    assert (True, True) == (timer["enabled"], timer["active"])
    assert "service:certbot.timer" not in {str(ref) for ref in desired(RUNS)}


def test_a_site_stays_encrypted_with_its_former_certificate_until_there_is_the_new_one() -> None:
    former = replace(HOST, former_certificates={"shop": ("/etc/ssl/a.pem", "/etc/ssl/a.key")})

    text = content(RUNS, FILE, former)

    assert "ssl_certificate /etc/ssl/a.pem;" in text
    assert PROOF in text
    assert "ssl_certificate /etc/letsencrypt/live/shop.test/" in content(RUNS, FILE, CERTIFIED)


@pytest.mark.parametrize(
    "value",
    [
        "{email: ann@shop.test, run: true}",
        "{name: --help}",
        "{name: shop.test, email: --force}",
        "{name: shop.test, email: 'ann@shop.test --staging'}",
        "{name: shop.test, email: ann}",
        "{name: ../shop.test}",
        "{name: shop.test, run: perhaps}",
        "{name: shop.test, server: evil}",
    ],
)
def test_anything_else_is_refused(value: str) -> None:
    assert errors_in(site(f"tls: {{letsencrypt: {value}}}"))


@pytest.mark.parametrize("access", ["{allow: [203.0.113.1], satisfy: all}", "{basic: ./htpasswd}"])
def test_challenges_stay_open_where_access_and_maintenance_close_the_site(access: str) -> None:
    host = replace(HOST, sources={"/srv/app/htpasswd": b"a:$6$x$y"})
    keys = ("tls: {letsencrypt: shop.test}", f"access: {access}", "maintenance: {enabled: true}")

    text = content(site(*keys), FILE, host)

    [challenges] = re.findall(r"location \^~ /[.]well-known/acme-challenge/ {(.*?)}", text, re.S)
    assert {"allow all;", "auth_basic off;"} <= {*map(str.strip, challenges.splitlines())}
    open_ones = (
        r"if ($uri ~ ^/[.](reconcile-|well-known/acme-challenge/)) { set $reconcile_closed 0; }"
    )
    assert text.index(open_ones) < text.index("return 503;")
