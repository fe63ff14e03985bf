"""Why a site's file differs is described as nginx reads it: directive by directive."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.semantic import semantic_diff
from tests.impact.conftest import GuidesHost

pytestmark = pytest.mark.process

SITE = b"server { listen 80; location /a { expires 7d; } }"


@pytest.mark.parametrize(
    ("other", "described"),
    [
        (
            b"# x\nserver {\n  listen '80';\n location /a { expires 7d; }\n}",
            "only comments and layout differ",
        ),
        (
            b"server { listen 80; location /a { expires 1d; } }",
            "- `expires 7d` in location /a, + `expires 1d` in location /a",
        ),
        (
            b"server { listen 80; location /b { expires 7d; } }",
            "- `location /a` in server, + `location /b` in server",
        ),
        (
            b"server { location /a { expires 7d; } listen 80; }",
            "the same directives in another order",
        ),
        (
            b"server { listen 80; location /a { expires 7d; add_header X 'a b'; } }",
            '+ `add_header X "a b"` in location /a',
        ),
        (
            b"server { listen 80; listen 80; location /a { expires 7d; } }",
            "+ `listen 80` in server",
        ),
        (b"server { listen 80; location /a {} }", "- `expires 7d` in location /a"),
        (
            b"server { a; b; c; d; listen 80; location /a { expires 7d; } }",
            "+ `a` in server, + `b` in server, + `c` in server and 1 more",
        ),
    ],
)
def test_two_files_differ_by(other: bytes, described: str) -> None:
    assert described == str(semantic_diff(SITE, other, "x"))


TOKEN = "server { %s location = /.reconcile-generation { return 200 %s; } }"


def test_the_generation_token_is_hidden_beside_other_changes() -> None:
    old, new = ((TOKEN % sides).encode() for sides in (("listen 80;", "aa"), ("", "bb")))

    assert "- `listen 80` in server" == str(semantic_diff(old, new, "x"))


def test_the_generation_token_is_shown_where_nothing_else_differs() -> None:
    old, new = ((TOKEN % ("", token)).encode() for token in ("aa", "bb"))

    assert "`return 200 aa`" in str(semantic_diff(old, new, "x"))


def test_a_file_that_nginx_would_refuse_is_not_compared() -> None:
    assert None is semantic_diff(SITE, b"server {", "x")


def because(guide: GuidesHost) -> str:
    [change] = [c for c in guide.plan().changes if c.ref.name == str(guide.site_file)]
    return change.reason


def test_a_hand_edit_of_comments_and_layout_is_shown_as_such(guide: GuidesHost) -> None:
    guide.apply()
    text = guide.site_file.read_text()
    guide.site_file.write_text("# mine\n" + text.replace("    alias", "\talias"))

    assert "content changed since the last apply: only comments and layout differ" == because(guide)
    assert () == guide.changes()


def test_a_hand_edit_of_a_directive_is_named(guide: GuidesHost) -> None:
    guide.apply()
    text = guide.site_file.read_text()
    guide.site_file.write_text(text.replace("max-age=604800", "max-age=60"))

    assert (
        'content changed since the last apply: - `add_header Cache-Control "public, max-age=60"`'
        ' in location ^~ /static/, + `add_header Cache-Control "public, max-age=604800"`'
        " in location ^~ /static/"
    ) == because(guide)
