"""The recipes of files, headers and caches, applied on a booted host and asked from outside."""

from __future__ import annotations

import gzip

import pytest

from tests.support.proven_recipes import proves
from tests.support.recipe_host import DEPLOY, RecipeHost

pytestmark = [pytest.mark.host, pytest.mark.nightly]

IMMUTABLE = ["public, max-age=31536000, immutable"]


@proves("A second site")
def test_two_sites_answer_to_their_own_names(site: RecipeHost) -> None:
    site.start_app(8001)

    site.apply()

    assert "version 1" in site.get("http://shop.example/").body
    assert "<h1>blog</h1>" in site.get("http://blog.example/").body


@proves("A new release of the static files")
def test_a_hashed_name_stays_and_any_other_goes_with_its_source(site: RecipeHost) -> None:
    site.host.write(f"{DEPLOY}/dist/old.css", "a {}")
    site.apply()
    first = site.get("http://example.com/assets/app.3f9c1a2b.js")
    site.host.run("rm", f"{DEPLOY}/dist/app.3f9c1a2b.js", f"{DEPLOY}/dist/old.css")
    site.host.write(f"{DEPLOY}/dist/app.77aa01b2.js", "2")

    site.apply()

    names = ("app.3f9c1a2b.js", "app.77aa01b2.js", "old.css")
    asked = [site.get(f"http://example.com/assets/{name}").status for name in names]
    assert [200, 200, 404] == asked
    assert IMMUTABLE == first.lines("Cache-Control")


@proves("A link to the current release")
def test_the_files_behind_the_new_target_are_served(site: RecipeHost) -> None:
    for release in ("42", "43"):
        site.host.write(f"/srv/myapp/releases/{release}/static/app.css", f"/* {release} */")
    site.apply()
    assert "/* 42 */" == site.get("http://example.com/static/app.css").body

    site.edit("releases/42", "releases/43")
    site.apply()

    assert "/* 43 */" == site.get("http://example.com/static/app.css").body


@proves("Unknown names get no answer")
def test_an_unknown_name_gets_no_answer(site: RecipeHost) -> None:
    site.host.run("rm", "/etc/nginx/sites-enabled/default")
    site.apply()

    there = ("--connect-to", f"::{site.host.address}:", "--silent", "--max-time", "20")
    done = site.visitor.run("curl", *there, "http://any.test/", check=False)

    assert 52 == done.returncode, "curl's code for an empty answer"


@proves("Compression")
def test_pages_are_compressed_until_gzip_is_off(site: RecipeHost) -> None:
    site.start_app()
    packed = ("--header", "Accept-Encoding: gzip")
    site.apply()
    plain = site.get("http://example.com/", *packed)

    site.edit("gzip: false", "gzip: true")
    site.apply()

    answer = site.get("http://example.com/", *packed, "--compressed")
    assert ([], ["gzip"]) == (plain.lines("Content-Encoding"), answer.lines("Content-Encoding"))
    assert ["Accept-Encoding"] == answer.lines("Vary")
    assert "version 1" in answer.body


@proves("Security headers on pages")
def test_headers_are_on_pages_and_errors_once(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    for path in ("/", "/status/500"):
        answer = site.get(f"http://example.com{path}")
        assert ["DENY"] == answer.lines("X-Frame-Options")
        assert ["no-referrer"] == answer.lines("Referrer-Policy")
        assert ["default-src 'self'"] == answer.lines("Content-Security-Policy")


@proves("Security headers on files")
def test_headers_are_on_files_too_and_a_location_takes_one_away(site: RecipeHost) -> None:
    site.apply()

    file, missing = (site.get(f"http://example.com/{path}") for path in ("static/app.css", "x"))

    assert (200, ["DENY"]) == (file.status, file.lines("X-Frame-Options"))
    assert [] == file.lines("Cross-Origin-Resource-Policy")
    assert (404, ["same-origin"]) == (
        missing.status,
        missing.lines("Cross-Origin-Resource-Policy"),
    )


@proves("Fonts for other sites")
def test_a_font_may_be_read_by_other_sites(site: RecipeHost) -> None:
    site.apply()

    answer = site.get(
        "http://example.com/fonts/a.woff2", "--header", "Origin: https://other.example"
    )

    assert (200, ["*"]) == (answer.status, answer.lines("Access-Control-Allow-Origin"))


@proves("favicon.ico and robots.txt")
def test_single_urls_are_files_and_all_else_is_the_app(site: RecipeHost) -> None:
    site.start_app()

    site.apply()

    icon, robots = (
        site.get(f"http://example.com/{name}") for name in ("favicon.ico", "robots.txt")
    )
    assert ("icon\n", ["public, max-age=604800"]) == (icon.body, icon.lines("Cache-Control"))
    assert ["public, max-age=86400"] == robots.lines("Cache-Control")
    assert "app: favicon.ico/x" == site.get("http://example.com/favicon.ico/x").body


@proves("An app of one page")
def test_what_looks_like_a_page_is_index_html_and_a_missing_asset_is_404(site: RecipeHost) -> None:
    site.apply()

    for path in ("/", "/any/page", "/deep/er.html"):
        answer = site.get(f"http://example.com{path}")
        assert (200, True) == (answer.status, "<h1>spa</h1>" in answer.body), path
    assert 404 == site.get("http://example.com/missing.js").status
    assert site.get("http://example.com/any/page", "--request", "POST").status in (404, 405)


@proves("HTML for a moment, hashed assets for ever")
def test_a_policy_goes_by_the_name(site: RecipeHost) -> None:
    site.apply()

    assert ["no-store"] == site.get("http://example.com/").lines("Cache-Control")
    assert ["no-store"] == site.get("http://example.com/index.html").lines("Cache-Control")
    assert IMMUTABLE == site.get("http://example.com/app-3f9c1a2b.js").lines("Cache-Control")


@proves("Pages for errors")
def test_an_error_has_its_page_and_keeps_its_status(site: RecipeHost) -> None:
    site.apply()

    answer = site.get("http://example.com/missing")

    assert (404, "<h1>not here</h1>\n") == (answer.status, answer.body)
    assert "<h1>site</h1>" in site.get("http://example.com/").body


@proves("PDFs are shown, not downloaded")
def test_a_pdf_is_shown_in_parts_too_and_a_page_is_a_download(site: RecipeHost) -> None:
    site.apply()
    for name in ("a.pdf", "a.html"):
        site.host.write(f"/var/www/myapp/media/{name}", "%PDF-1.7", user="www-data")

    pdf, page = (site.get(f"http://example.com/media/a.{ending}") for ending in ("pdf", "html"))
    part = site.get("http://example.com/media/a.pdf", "--range", "0-3")

    assert ["application/pdf"] == pdf.lines("Content-Type")
    assert ([], ["nosniff"]) == (
        pdf.lines("Content-Disposition"),
        pdf.lines("X-Content-Type-Options"),
    )
    assert "sandbox" not in "".join(pdf.lines("Content-Security-Policy"))
    assert ["application/octet-stream"] == page.lines("Content-Type")
    assert (206, "%PDF", ["bytes 0-3/8"]) == (part.status, part.body, part.lines("Content-Range"))


@proves("Django with collectstatic")
def test_django_serves_its_pages_and_nginx_its_collected_files(site: RecipeHost) -> None:
    from tests.support.guide_site import EXAMPLE

    site.host.put_tree(EXAMPLE.parent / "django", "/srv/shop")
    site.make_venv("/srv/shop/.venv")
    for old, new in (
        ("shop.example.com", "example.com"),
        ("/var/www/shop/media", "/srv/shop-media"),
    ):
        site.host.run("sed", "-i", f"s#{old}#{new}#", "/srv/shop/shop/settings.py")
    big = "body { color: black } " * 200
    site.host.write("/srv/shop/pages/static/big.css", big)
    manage = ("/srv/shop/.venv/bin/python", "manage.py")
    site.host.run(*manage, "collectstatic", "--noinput", cwd="/srv/shop")

    site.apply()

    assert 200 == site.get("http://example.com/").status
    answer = site.get("http://example.com/static/big.css", "--compressed")
    assert ((200, big), ["gzip"]) == (
        (answer.status, answer.body),
        answer.lines("Content-Encoding"),
    )
    assert big == gzip.decompress(site.host.read("/var/www/shop/static/big.css.gz")).decode()
    assert "mismatch" not in site.host.reconcile("doctor", cwd=DEPLOY).stdout
