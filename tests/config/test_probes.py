"""The probes that are sent after every apply."""

from __future__ import annotations

from dataclasses import replace

from reconcile.config.host_facts import HostFacts
from reconcile.config.probes import (
    Endpoint,
    Expectation,
    HttpProbe,
    Probe,
    UploadDirectoryProbe,
    UploadProbe,
)
from tests.support.host_facts import HOST, SANDBOX, compile_text
from tests.support.yaml_examples import SMALLEST, WHOLE, site

HTTP = Endpoint("http", "example.com", 80, ("127.0.0.1", "::1"))
HTTPS = Endpoint("https", "example.com", 443, ("127.0.0.1", "::1"))
BY_NGINX_404 = Expectation(frozenset({404}), served_by="nginx")


def probes(text: str, host: HostFacts = HOST) -> dict[str, Probe]:
    """Every probe, by what it asks."""
    found = compile_text(text, host).probes
    assert len(found) == len({probe.name for probe in found})
    return {probe.name.partition(" ")[2]: probe for probe in found}


def test_every_location_and_the_app_are_probed_by_default() -> None:
    assert [
        "the app answers",
        "/static/ without its slash is redirected",
        "/static/ hides dotfiles",
        "/static/ sends what is on the disk",
        "/static/ serves files",
        "/media/ without its slash is redirected",
        "/media/ hides dotfiles",
        "/media/ sends what is on the disk",
        "/media/ serves what the app saves",
        "crawl /",
    ] == list(probes(SMALLEST))


def test_static_files_come_from_nginx_with_one_cache_control() -> None:
    probe = probes(SMALLEST)["/static/ serves files"]

    assert (
        HttpProbe(
            name="probe:myapp /static/ serves files",
            site="myapp",
            endpoint=HTTP,
            path="/static/health.txt",
            expect=Expectation(
                frozenset({200}),
                headers=(("Cache-Control", "public, max-age=604800"),),
                served_by="nginx",
            ),
        )
        == probe
    )


def test_a_generated_health_file_has_to_contain_ok() -> None:
    probe = probes(SMALLEST.replace(", source: ./app/static", ""))["/static/ serves files"]

    assert isinstance(probe, HttpProbe)
    assert "ok\n" == probe.expect.body


def test_media_is_proven_by_a_canary_of_the_apps_user() -> None:
    assert (
        UploadDirectoryProbe(
            name="probe:myapp /media/ serves what the app saves",
            site="myapp",
            endpoint=HTTP,
            prefix="/media/",
            dir="/var/www/myapp/media",
            writer="www-data",
            mode=0o644,
            expect=Expectation(
                frozenset({200}),
                headers=(("Cache-Control", "public, max-age=86400"),),
                served_by="nginx",
            ),
        )
        == probes(SMALLEST)["/media/ serves what the app saves"]
    )


def test_in_a_sandbox_the_canary_is_written_by_the_user_of_the_apply() -> None:
    probe = probes(SMALLEST, SANDBOX)["/media/ serves what the app saves"]

    assert isinstance(probe, UploadDirectoryProbe)
    assert probe.writer is None


def test_a_location_without_its_slash_is_redirected_by_nginx() -> None:
    probe = probes(SMALLEST)["/static/ without its slash is redirected"]

    assert isinstance(probe, HttpProbe)
    assert "/static" == probe.path
    assert Expectation(frozenset({301}), served_by="nginx") == probe.expect


def test_the_app_has_to_answer_with_anything_but_a_server_error() -> None:
    probe = probes(SMALLEST)["the app answers"]

    assert isinstance(probe, HttpProbe)
    assert Expectation(not_status=frozenset(range(500, 600)), served_by="app") == probe.expect


def test_an_app_error_from_before_an_apply_is_tolerated() -> None:
    probe = probes(SMALLEST)["the app answers"]

    assert isinstance(probe, HttpProbe)
    assert Expectation(not_status=frozenset({502, 504}), served_by="app") == probe.minimum


def test_private_files_are_closed_to_visitors() -> None:
    probe = probes(WHOLE)["/protected/ is closed to visitors"]

    assert isinstance(probe, HttpProbe)
    assert ("/protected/", BY_NGINX_404) == (probe.path, probe.expect)


def test_with_tls_plain_http_is_redirected_and_other_probes_use_https() -> None:
    found = probes(WHOLE)
    redirect = found.pop("port 80 redirects to HTTPS")

    assert isinstance(redirect, HttpProbe)
    assert HTTP == redirect.endpoint
    assert (("Location", "https://example.com/"),) == redirect.expect.headers
    assert {HTTPS} == {
        p.endpoint for name, p in found.items() if name != "port 80 redirects to HTTPS"
    }


def test_another_port_for_tls_appears_in_the_redirect() -> None:
    text = WHOLE.replace("listen: [80, 443]", 'listen: [8080, "8443 ssl"]')
    redirect = probes(text)["port 8080 redirects to HTTPS"]

    assert isinstance(redirect, HttpProbe)
    assert (("Location", "https://example.com:8443/"),) == redirect.expect.headers


def test_the_files_own_probes_are_compiled() -> None:
    found = probes(WHOLE)

    assert (
        HttpProbe(
            name="probe:myapp GET /static/css/app.css",
            site="myapp",
            endpoint=HTTPS,
            path="/static/css/app.css",
            expect=Expectation(
                frozenset({200}),
                headers=(("Cache-Control", "public, max-age=604800"),),
                served_by="nginx",
            ),
        )
        == found["GET /static/css/app.css"]
    )
    assert (
        UploadProbe(
            name="probe:myapp POST /upload",
            site="myapp",
            endpoint=HTTPS,
            path="/upload",
            field="file",
            then_get="/media/{filename}",
            dir="/var/www/myapp/media",
            prefix="/media/",
        )
        == found["POST /upload"]
    )


def test_an_upload_that_no_media_location_serves_has_no_known_directory() -> None:
    probe = probes(site("probes: [{upload: /u, then_get: /files/x}]"))["POST /u"]

    assert isinstance(probe, UploadProbe)
    assert (None, None) == (probe.dir, probe.prefix)


def test_a_host_without_ipv6_is_probed_over_ipv4() -> None:
    probe = probes(SMALLEST, replace(HOST, ipv6=False))["the app answers"]

    assert ("127.0.0.1",) == probe.endpoint.addresses


def test_a_site_on_one_address_is_probed_there() -> None:
    probe = probes(site('listen: ["[::1]:8080"]'))["the app answers"]

    assert Endpoint("http", "shop.test", 8080, ("::1",)) == probe.endpoint


def test_a_wildcard_is_probed_by_a_subdomain() -> None:
    probe = probes(site().replace("shop.test", "'*.shop.test'"))["the app answers"]

    assert "reconcile-probe.shop.test" == probe.endpoint.host


def test_the_location_of_the_root_has_no_redirect() -> None:
    text = (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "locations: {/: {role: static, dir: /srv/s}}}}"
    )

    assert [
        "/ answers",
        "/ hides dotfiles",
        "/ sends what is on the disk",
        "/ serves files",
    ] == list(probes(text))


def test_a_page_to_crawl_is_declared_or_that_of_the_app() -> None:
    declared = probes(site("probes: [{crawl: /shop/, depth: 2}]"))

    assert ["crawl /shop/"] == [name for name in declared if name.startswith("crawl")]
    assert (2, False) == (declared["crawl /shop/"].depth, declared["crawl /shop/"].is_default)
    assert probes(SMALLEST)["crawl /"].is_default
