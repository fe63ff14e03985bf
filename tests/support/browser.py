"""Debian's chromium, and what it finds wrong with a page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
LIMIT_MS = 120_000
"""For the browser's start, and for each step: the machine may be busy."""
# Every name is this machine's: the pages come from the nginx of the test.
HERE = "--host-resolver-rules=MAP * 127.0.0.1"


@contextmanager
def chromium(profile: Path, **options: Any) -> Iterator[BrowserContext]:
    """A browser with an empty profile; skipped where it is not installed."""
    if CHROMIUM is None:
        pytest.skip("chromium is installed by tests/install.sh nightly")
    sync_api = pytest.importorskip("playwright.sync_api")
    flags = [*FLAGS, HERE, *options.pop("args", ())]
    with sync_api.sync_playwright() as tool:
        context = tool.chromium.launch_persistent_context(
            profile,
            executable_path=CHROMIUM,
            headless=True,
            args=flags,
            timeout=LIMIT_MS,
            **options,
        )
        context.set_default_timeout(LIMIT_MS)
        yield context
        context.close()


@dataclass
class Visit:
    """One page, as it is loaded and used; `complaints` are the browser's own words."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    loaded: dict[str, int] = field(default_factory=dict)
    """The status of every URL."""

    def __post_init__(self) -> None:
        page, complain = self.page, self.complaints.append
        # Errors of scripts, and of the browser: blocked, refused, mixed content.
        page.on("console", self._log)
        page.on("pageerror", lambda one: complain(f"{one}"))
        page.on("requestfailed", self._fail)
        page.on("response", self._note)
        # What devtools lists as issues, some of which never reach the console.
        session = page.context.new_cdp_session(page)
        session.on("Audits.issueAdded", lambda one: complain(one["issue"]["code"]))
        session.send("Audits.enable")

    def _log(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._complain(message.location["url"], message.text)

    def _fail(self, request: Any) -> None:
        self._complain(request.url, f"{request.url}: {request.failure}")

    def _note(self, response: Any) -> None:
        self.loaded[response.url] = response.status
        if response.status >= 400:
            self._complain(response.url, f"{response.url}: {response.status}")

    def _complain(self, url: str, text: str) -> None:
        # Browsers ask for this icon at any time, also for what is no page.
        if not url.endswith("/favicon.ico"):
            self.complaints.append(text)

    def open(self, url: str) -> None:
        """Load the page with all that belongs to it."""
        self.page.goto(url, wait_until="networkidle")
