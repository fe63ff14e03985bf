"""What was rendered once is rendered no more, as long as nothing that decides it has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.filesystem.state_dir import StateDir
from reconcile.nginx.render import render_cache, site_config
from reconcile.nginx.render.render_cache import NAME, RenderCache
from reconcile.nginx.render.site_view import ListenView, LocationView, SiteView

SITE = SiteView(
    name="shop",
    server_names=("shop.example",),
    listens=(ListenView("", 80), ListenView("[::]", 80)),
    upstream="unix:/run/shop.sock",
    locations=(LocationView("static", "/static/", "/var/www/shop/static", "public"),),
    extra="# caf\udce9",
)
VERSION = "1.22.1"
Rendered = list[SiteView]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state"))


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Rendered:
    """Every site that was really rendered."""
    asked: Rendered = []

    def watched(site: SiteView, nginx_version: str) -> bytes:
        asked.append(site)
        return site_config.render_site(site, nginx_version)

    monkeypatch.setattr(render_cache, "render_site", watched)
    return asked


def kept(state: StateDir, site: SiteView = SITE) -> bytes:
    """What was rendered, and is remembered from now on."""
    first = RenderCache.read(state)
    data = first(site, VERSION)
    first.keep(state)
    return data


def test_the_same_question_is_answered_from_memory(state: StateDir, rendered: Rendered) -> None:
    data = kept(state)

    again = RenderCache.read(state)(SITE, VERSION)

    assert site_config.render_site(SITE, VERSION) == data == again
    assert [SITE] == rendered


@pytest.mark.parametrize(
    "ask",
    [
        lambda known: known(replace(SITE, extra="access_log off;"), VERSION),
        lambda known: known(SITE, "1.25.3"),
    ],
    ids=["another site", "another nginx"],
)
def test_another_question_is_rendered(
    state: StateDir, rendered: Rendered, ask: Callable[[RenderCache], bytes]
) -> None:
    kept(state)

    ask(RenderCache.read(state))

    assert 2 == len(rendered)


def test_another_template_is_rendered(
    state: StateDir, rendered: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(state)
    monkeypatch.setattr(render_cache, "_code_digest", lambda _package: "of a later release")

    RenderCache.read(state)(SITE, VERSION)

    assert 2 == len(rendered)


@pytest.mark.parametrize("change", [("listen", "lusten"), ("return 200", "return 201")])
def test_a_remembered_text_that_was_edited_is_not_used(
    state: StateDir, rendered: Rendered, change: tuple[str, str]
) -> None:
    data = kept(state)
    state.write(NAME, (state.read(NAME) or b"").decode().replace(*change).encode())

    assert data == RenderCache.read(state)(SITE, VERSION)
    assert 2 == len(rendered)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_memory_costs_only_time(state: StateDir, damaged: bytes) -> None:
    state.write(NAME, damaged)

    assert site_config.render_site(SITE, VERSION) == RenderCache.read(state)(SITE, VERSION)


def test_only_the_sites_of_the_last_apply_are_remembered(state: StateDir) -> None:
    kept(state)
    kept(state, replace(SITE, name="blog"))

    assert 1 == len(json.loads(state.read(NAME) or b""))


def test_what_is_remembered_already_is_not_written_again(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(state)
    written: list[str] = []
    monkeypatch.setattr(state, "write", lambda name, _data: written.append(name))

    kept(state)

    assert [] == written


def test_reading_creates_nothing(state: StateDir, tmp_path: Path) -> None:
    RenderCache.read(state)(SITE, VERSION)

    assert [] == list(tmp_path.iterdir())
