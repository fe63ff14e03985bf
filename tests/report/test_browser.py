"""The page in Debian's chromium: three widths, light and dark, and what axe-core finds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from reconcile.report.pages import write_report
from tests.report.readings import APPLY, change, check, drift, read

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
AT = datetime(2026, 11, 28, 15, tzinfo=UTC)
DARK = "--blink-settings=preferredColorScheme=0"
TEXT = "server {\n    listen 80; # " + "a long line " * 20 + "\n}\n"
MEASURE = """
document.body.innerText = "RESULT" + JSON.stringify({
  width: innerWidth, content: document.documentElement.scrollWidth,
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
}) + "END";
"""
AXE = """
axe.run().then(found => {
  const lines = found.violations.map(one => one.id + ": " + one.nodes[0].failureSummary);
  document.body.innerText = "RESULT" + JSON.stringify(lines) + "END";
});
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page that has everything, unfolded."""
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
    path.write_text(path.read_text().replace("<details>", "<details open>"))
    return path


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    folder, npm = tmp_path_factory.mktemp("axe"), shutil.which("npm")
    done = npm and subprocess.run([npm, "install", "axe-core"], cwd=folder, capture_output=True)
    if not done or done.returncode:
        pytest.skip("axe-core cannot be installed")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


def run_in(page: Path, script: str, *options: str) -> Any:
    """What `script` reports in a copy of the page that may run it."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    copy = page.with_name("copy.html")
    copy.write_text(text.replace("</body>", f"<script>{script}</script></body>"))
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={page.parent}/profile", "--virtual-time-budget=60000"]
    done = subprocess.run(
        [*command, *options, "--dump-dom", f"file://{copy}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = re.search(r"RESULT(.*?)END\s*</body>", done.stdout, re.S)
    assert found, done.stdout[-1000:] + done.stderr[-1000:]
    return json.loads(unescape(found[1]))


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page: Path, width: int) -> None:
    # A window has a least width; a frame has any.
    frame = page.with_name("frame.html")
    frame.write_text(f'<iframe src="{page.name}" width="{width}" height="900"></iframe>')
    script = """
    addEventListener("load", () => {
      const inside = document.querySelector("iframe").contentDocument.documentElement;
      const found = [inside.clientWidth, inside.scrollWidth];
      document.body.innerText = "RESULT" + JSON.stringify(found) + "END";
    });
    """
    frame.write_text(frame.read_text() + "</body>")

    client, content = run_in(frame, script, "--allow-file-access-from-files")

    assert content <= client <= width


@pytest.mark.parametrize("scheme", [(), (DARK,)], ids=["light", "dark"])
def test_axe_finds_nothing(page: Path, axe: str, scheme: tuple[str, ...]) -> None:
    assert bool(scheme) == run_in(page, MEASURE, *scheme)["dark"]
    assert [] == run_in(page, f"{axe};{AXE}", "--window-size=390,900", *scheme)
