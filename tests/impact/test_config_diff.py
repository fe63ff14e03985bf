"""Whether an edit of a site's file changes anything for nginx is named; the diff shows what."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.semantic import equal_directives
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
            b"server { location /a { expires 7d; } listen 80; }",
            "the same directives in another order",
        ),
        (b"server { listen 80; location /a { expires 1d; } }", ""),
        (b"server { listen 80; location /b { expires 7d; } }", ""),
        (b"server { listen 80; listen 80; location /a { expires 7d; } }", ""),
        (b"server { listen 80; location /a {} expires 7d; }", ""),
        (b"server {", ""),
    ],
)
def test_two_files_with_the_same_directives_differ_by(other: bytes, described: str) -> None:
    assert described == equal_directives(SITE, other, "x")


def because(guide: GuidesHost) -> str:
    [change] = [c for c in guide.plan().changes if c.ref.name == str(guide.site_file)]
    return change.reason


def test_a_hand_edit_of_comments_and_layout_is_shown_as_such(guide: GuidesHost) -> None:
    guide.apply()
    text = guide.site_file.read_text()
    guide.site_file.write_text("# mine\n" + text.replace("    alias", "\talias"))

    assert "changed since the last apply: only comments and layout differ" == because(guide)
    assert () == guide.changes()


def test_the_reason_repeats_no_line_of_the_diff(guide: GuidesHost) -> None:
    guide.apply()
    text = guide.site_file.read_text()
    guide.site_file.write_text(text.replace("max-age=604800", "max-age=60"))

    assert "changed since the last apply" == because(guide)
