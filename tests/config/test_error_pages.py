"""Pages for errors and for maintenance: what is refused, and what they compile to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.config.probes import HttpProbe
from reconcile.config.site.error_pages import excerpt
from reconcile.errors import ReconcileError
from reconcile.resources.file import File
from tests.support.host_facts import HOST, SANDBOX, compile_text, desired
from tests.support.yaml_examples import errors_at_lines, load_text, site

STATIC = "locations: {/static/: {role: static, dir: /srv/s}}"
SOURCES = {"/srv/app/404.html": b"<h1>lost</h1>", "/srv/app/m.html": b"soon"}
READ = replace(HOST, sources=SOURCES)
PAGE = "/var/www/reconcile-pages/shop/404.html"

CONTRADICTIONS = {
    "a status that is no error": (
        site("error_pages: {302: ./a.html}"),
        '6: "302" is not an error (use a status such as 404, or 50x; `intercept: true` replaces'
        " the app's errors too)",
    ),
    "a status that closes the connection": (
        site("error_pages: {444: ./a.html}"),
        "6: nginx sends no page with 444 (remove it)",
    ),
    "a page that is no page": (
        site("error_pages: {404: ./a.php}"),
        "6: this is not a page (its name has to end with .html, .htm, .txt, .json)",
    ),
    "a flag that is a page": (
        site("error_pages: {404: ./a.html, intercept: ./b.html}"),
        "6: intercept has to be true or false",
    ),
    "a page that is a flag": (site("error_pages: {404: true}"), "6: 404 has to be a file"),
    "a page of extra": (
        site("error_pages: {50x: ./a.html}", "extra: 'error_page 502 /x.html;'"),
        "6: `extra` has a page for 502 too (line 1 of the `extra` at line 7) (remove one of them)",
    ),
    "errors of no app": (
        "version: 1\nsites: {s: {server_names: [a.test], "
        "error_pages: {404: ./a.html, intercept: true}, "
        "locations: {/: {role: static, dir: /srv/s}}}}",
        "2: intercept needs an app (remove it)",
    ),
    "a maintenance for nobody": (
        site("maintenance: {enabled: true, allow: [0.0.0.0/0]}"),
        "6: 0.0.0.0/0 is everybody: no one would see the maintenance (remove it, or set"
        " enabled: false)",
    ),
    "an address in a network": (
        site("maintenance: {allow: [10.0.0.1/8]}"),
        '6: "10.0.0.1/8" is an address in a network (use 10.0.0.0/8)',
    ),
    "no address": (
        site("maintenance: {allow: ['1.2.3.4; return 200']}"),
        '6: "1.2.3.4; return 200" is not an address or a network (use 203.0.113.7, 10.0.0.0/8'
        " or 2001:db8::/32)",
    ),
}


@pytest.mark.parametrize(("text", "error"), CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_a_contradiction_is_reported_with_its_place(text: str, error: str) -> None:
    assert [error] == errors_at_lines(text)


def test_a_page_is_a_file_of_the_host_that_everybody_may_read() -> None:
    found = desired(site("error_pages: {404: ./404.html}"), READ)

    assert (
        File(path=PAGE, content=b"<h1>lost</h1>", user="root", group="root", mode=0o644)
        == (found[f"file:{PAGE}"])
    )
    assert ("www-data",) == found["directory:/var/www/reconcile-pages/shop"].enterable_by


def test_in_a_sandbox_pages_are_in_the_state_directory() -> None:
    sandbox = replace(SANDBOX, sources=SOURCES, pages_dir="/home/me/state/pages")

    found = desired(site("error_pages: {404: ./404.html}"), sandbox)

    assert "file:/home/me/state/pages/shop/404.html" in found


def test_a_missing_page_is_an_error_with_its_place() -> None:
    with pytest.raises(ReconcileError) as error:
        desired(site("error_pages: {404: ./none.html}"))

    assert "/srv/app/none.html does not exist" == error.value.what
    assert "reconcile.yaml:6" in error.value.why


def test_the_files_to_read_are_known_before() -> None:
    text = site("error_pages: {404: ./404.html}", "maintenance: {page: ./m.html}")

    assert ("/srv/app/404.html", "/srv/app/m.html") == load_text(text).file_sources()


def test_a_status_of_its_own_is_before_50x() -> None:
    sources = {"/srv/app/a.html": b"", "/srv/app/b.html": b""}
    text = site("error_pages: {50x: ./a.html, 502: ./b.html}")

    file = desired(text, replace(HOST, sources=sources))[
        "file:/etc/nginx/sites-available/shop.conf"
    ]

    content = (getattr(file, "content", None) or b"").decode()
    assert "error_page 500 503 504 /.reconcile-pages/50x.html;" in content
    assert "error_page 502 /.reconcile-pages/502.html;" in content


@pytest.mark.parametrize(("lines", "is_probed"), [((STATIC,), True), ((), False)])
def test_the_404_page_is_probed_where_nginx_answers(
    lines: tuple[str, ...], is_probed: bool
) -> None:
    found = compile_text(site("error_pages: {404: ./404.html}", *lines), READ).probes
    probes = [one for one in found if "its page" in one.name and isinstance(one, HttpProbe)]

    assert is_probed == bool(probes)
    assert not probes or "<h1>lost</h1>" == probes[0].expect.body


@pytest.mark.parametrize(("content", "text"), [(b" a\n", "a"), (b"", None), (b"\xff\xfe", None)])
def test_an_excerpt_is_text(content: bytes, text: str | None) -> None:
    assert text == excerpt(content)


def test_maintenance_is_noted_and_probed_only_while_it_is_on() -> None:
    for is_on in (True, False):
        text = site(f"maintenance: {{enabled: {str(is_on).lower()}, page: ./m.html}}")
        found = compile_text(text, READ)

        assert is_on == any("maintenance page" in probe.name for probe in found.probes)
        assert is_on == ("maintenance" in [finding.rule for finding in found.findings])


def test_probes_that_are_let_in_do_not_expect_maintenance() -> None:
    text = site("maintenance: {enabled: true, page: ./m.html, allow: [127.0.0.1]}")

    assert not any("maintenance" in probe.name for probe in compile_text(text, READ).probes)
