"""A real nginx sends what lies there compressed, and never an old version of it."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from reconcile.nginx.running.discover import discover
from reconcile.resources.assets import Assets
from reconcile.system import Host
from tests.nginx.running.conftest import World

pytestmark = pytest.mark.process

FIRST, SECOND = b"body { color: black; }\n" * 100, b"body { color: white; }\n" * 100
ASKED = {"Accept-Encoding": "gzip"}


@pytest.fixture
def assets(world: World, host: Host, tmp_path: Path) -> Assets:
    """Copied and compressed, behind a running nginx."""
    source = tmp_path / "source"
    (source / "css").mkdir(parents=True)
    (source / "css/app.css").write_bytes(FIRST)
    found = Assets(
        path=f"{world.root}/static",
        source=str(source),
        user="root",
        group="root",
        precompress=("gzip",),
    )
    found.planned(host).apply(host, None)
    static, *others = world.view.locations
    world.serve(locations=(replace(static, packed=("gzip",)), *others))
    return found


def test_who_accepts_gzip_gets_the_bytes_that_lie_there(world: World, assets: Assets) -> None:
    answer = world.ask("/static/css/app.css", headers=ASKED)

    assert (200, ["gzip"]) == (answer.status, answer.all("Content-Encoding"))
    assert Path(f"{assets.path}/css/app.css.gz").read_bytes() == answer.body
    assert FIRST == gzip.decompress(answer.body)
    assert ["text/css; charset=utf-8"] == answer.all("Content-Type")
    assert ["public, max-age=604800"] == answer.all("Cache-Control")


def test_other_clients_get_the_file_and_caches_get_vary(world: World, assets: Assets) -> None:
    answer = world.ask("/static/css/app.css")

    assert (FIRST, []) == (answer.body, answer.all("Content-Encoding"))
    assert ["Accept-Encoding"] == answer.all("Vary")


def test_a_changed_source_is_sent_in_its_new_version_both_ways(
    world: World, assets: Assets, host: Host
) -> None:
    Path(f"{assets.source}/css/app.css").write_bytes(SECOND)

    assets.apply(host, assets.observe(host))

    packed = world.ask("/static/css/app.css", headers=ASKED)
    assert (["gzip"], SECOND) == (packed.all("Content-Encoding"), gzip.decompress(packed.body))
    assert SECOND == world.ask("/static/css/app.css").body


def test_debians_nginx_sends_gzip_and_not_what_it_has_no_module_for(
    world: World, host: Host
) -> None:
    assert frozenset({"gzip"}) == discover(host).static_encodings
