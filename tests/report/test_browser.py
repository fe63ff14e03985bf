"""The page in Debian's chromium: three widths, light and dark, paper, and what axe-core finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconcile.report.pages import write_report
from tests.report.readings import APPLY, change, check, drift, read
from tests.support.browser import Visit, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.nightly
AT = datetime(2026, 11, 28, 15, tzinfo=UTC)
TEXT = "server {\n    listen 80; # " + "a long line " * 20 + "\n}\n"


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that has everything."""
    host = drift(
        "web-1.a-name-that-is-rather-long-for-a-telephone.example.com",
        change(),
        change("file:/etc/nginx/sites-available/shop.conf", TEXT, TEXT * 2, cause="pending"),
        checks=[
            *(check(f"checklist:shop:{n}", status) for n, status in enumerate(
                ("pass", "fail", "unknown", "skipped"), 1)),
            check("probe:shop GET /", "fail", detail="got 502"),
            check("certificate:shop", expires="2026-12-04T00:00:00Z"),
        ],
        findings=[
            {"rule": "tls-key", "severity": one, "what": "It is public.", "fix": "chmod 0600 it"}
            for one in ("error", "warning", "note")
        ],
        history=[APPLY],
        behaviour_changes=[{"request": "GET /old", "before": "404", "after": "301"}],
        ignored_changes=[{"address": "tree:/m", "field": "mode", "reason": "legacy"}],
        hold={"user": "bob", "reason": "migration", "since": None, "until": None},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(str(path), read(host, drift("web-2"), drift("web-3", state="unknown")), now=AT)
    return path


@pytest.fixture(scope="module")
def page(folded: Path) -> Path:
    """The same, unfolded."""
    path = folded.with_name("unfolded.html")
    path.write_text(folded.read_text().replace("<details>", "<details open>"))
    return path


Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens a file in a tab of its own: `width`, and `scheme` or `media` as the reader has them."""
    with chromium(tmp_path_factory.mktemp("profile")) as browser:

        def open_tab(path: Path, width: int = 1280, **media: Any) -> Page:
            # One tab at a time: those behind it may be put to sleep.
            for old in browser.pages[1:]:
                old.close()
            found = browser.new_page()
            found.set_viewport_size({"width": width, "height": 900})
            found.emulate_media(**media)
            found.goto(path.as_uri())
            return found

        yield open_tab


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page: Path, tab: Open, width: int) -> None:
    wide = tab(page, width).evaluate("document.documentElement.scrollWidth")

    assert wide <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(page: Path, tab: Open, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    found = axe.run(tab(page, width, color_scheme=scheme))

    assert [] == [(one["id"], one["nodes"][0]["html"]) for one in found.response["violations"]]


def test_its_own_policy_allows_all_that_it_is_made_of(page: Path, tab: Open) -> None:
    shown = tab(page)
    visit = Visit(shown)

    visit.open(page.as_uri())

    assert [] == visit.complaints
    assert [page.as_uri()] == [*visit.loaded]
    assert "grid" == shown.evaluate("getComputedStyle(document.querySelector('.tiles')).display")


def test_the_keyboard_reaches_the_report_and_its_folds(folded: Path, tab: Open) -> None:
    shown = tab(folded)

    shown.keyboard.press("Tab")
    assert "Skip to the report" == shown.evaluate("document.activeElement.textContent")
    shown.locator("summary").first.focus()
    shown.keyboard.press("Enter")

    assert shown.evaluate("document.querySelector('details').open")


def test_paper_shows_what_is_folded(folded: Path, tab: Open) -> None:
    heights = [
        tab(folded, media=media).locator("pre.diff").first.bounding_box()
        for media in ("screen", "print")
    ]

    assert heights[1]
    assert heights[1]["height"] > (heights[0]["height"] if heights[0] else 0)
