"""Files that browsers refuse for their Content-Type, and tables that give them the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.engine.model import Finding
from tests.doctor.single_rule import ask, configured, serious

pytestmark = pytest.mark.process

TABLE = "types { text/html html; text/css css; application/javascript js; image/png png; }"
TYPES = f"{TABLE} default_type application/octet-stream;"
NOSNIFF = "add_header X-Content-Type-Options nosniff;"


def found(root: Path, http: str, inside: str, *names: str) -> list[Finding]:
    (root / "static").mkdir()
    for name in names:
        (root / "static" / name).write_text("x")
    site = (
        f"server {{ server_name a.test; location /static/ {{ alias {root}/static/; {inside} }} }}"
    )
    return serious(ask("content-types", configured(root, f"{http}\n{site}"), root))


REFUSED = {
    "a module that the table lacks": (TYPES, "", "a.mjs", "text/javascript mjs;"),
    "a module of an upper-case name": (TYPES, "", "A.MJS", "text/javascript mjs;"),
    "WebAssembly": (TYPES, "", "a.wasm", "application/wasm wasm;"),
    "an image that is XML": (TYPES, "", "a.svg", "image/svg+xml svg;"),
    "a table of one line": (TYPES, "types { text/javascript mjs; }", "a.css", "mime.types"),
    "an empty table": (TYPES, "types { }", "a.css", "mime.types"),
    "no table at all": ("", "", "a.css", "http block: include mime.types;"),
    "a script behind nosniff": ("types { text/plain js; }", NOSNIFF, "a.js", "text/javascript js;"),
}


@pytest.mark.parametrize(("http", "inside", "name", "fix"), REFUSED.values(), ids=REFUSED)
def test_content_types_reports(tmp_path: Path, http: str, inside: str, name: str, fix: str) -> None:
    [finding] = found(tmp_path, http, inside, name)

    assert "1 file of location /static/ of a.test have a type" in finding.what
    assert f"/static/{name} is sent as " in finding.evidence[0]
    assert fix in finding.fix


FINE = {
    "the whole table": (TYPES, "", ["a.css", "a.js", "a.html", "a.png"]),
    "a line more beside it": (TYPES + "types { text/javascript mjs; }", "", ["a.mjs", "a.css"]),
    "another type of scripts": ("types { text/javascript js; }", NOSNIFF, ["a.js"]),
    "a classic script, guessed": ("types { text/plain js; }", "", ["a.js"]),
    "a style with its charset": (TYPES, "charset utf-8; charset_types text/css;", ["a.css"]),
    "hidden and compressed files": (TYPES, "", [".a.mjs", "a.css.gz"]),
    "what no browser refuses": (TYPES, "", ["a.avif", "a.woff2", "a.mp4", "README"]),
}


@pytest.mark.parametrize(("http", "inside", "names"), FINE.values(), ids=FINE)
def test_content_types_is_silent(tmp_path: Path, http: str, inside: str, names: list[str]) -> None:
    assert [] == found(tmp_path, http, inside, *names)


def test_content_types_names_the_block_that_replaces_the_table(tmp_path: Path) -> None:
    [finding] = found(tmp_path, TYPES, "types { text/javascript mjs; }", "a.css", "a.mjs")

    assert "site.conf:2: this types block replaces the whole table" in finding.evidence[-1]


def test_content_types_notes_an_ending_that_the_table_lacks(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static/a.avif").write_text("x")
    site = f"server {{ location /static/ {{ alias {tmp_path}/static/; }} }}"

    [finding] = ask("content-types", configured(tmp_path, TYPES + site), tmp_path).findings

    assert ("note", True) == (finding.severity, "image/avif avif;" in finding.fix)
