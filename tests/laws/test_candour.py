"""A plan refuses what its apply would fail to do, and shows what it does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.laws.box import Box, Yaml, a_box, memory_folder

pytestmark = pytest.mark.process

ZONE = "limit_req_zone ${} zone=z:1m rate=1r/s;"


@pytest.fixture(scope="module")
def memory() -> Iterator[str]:
    with memory_folder() as folder:
        yield folder


@pytest.fixture
def box(memory: str) -> Iterator[Box]:
    with a_box(memory) as box:
        yield box


def site(**keys: object) -> Yaml:
    return {"sites": {"a": {"server_names": ["a.test"], "extra": "return 204;", **keys}}}


@pytest.mark.parametrize(
    ("error_log", "refused"), [("syslog:server=unix:/dev/log", True), ("{}/error.log", False)]
)
def test_a_reload_that_nginx_would_silently_ignore_is_refused(
    box: Box, error_log: str, refused: bool
) -> None:
    config = Path(box.path("nginx/nginx.conf"))
    log = f"error_log {error_log.format(box.root)};\n"
    config.write_text(log + config.read_text().replace(f"error_log {box.root}/nginx.log;", ""))
    box.apply(site(http_extra=ZONE.format("uri")))

    plan = box.plan(site(http_extra=ZONE.format("host")))

    reasons = [(error.what, "the zone z of limit_req_zone" in error.why) for error in plan.refusals]
    assert [("nginx would ignore the reload", True)] * refused == reasons


def test_a_new_site_is_shown_as_not_loaded(box: Box) -> None:
    changes = {change.ref.kind: change.reason for change in box.plan(site()).changes}

    path = box.path("nginx/sites-available/a.conf")
    assert changes["nginx_live"].startswith(f"reload: nginx has not loaded {path}")


@pytest.mark.parametrize("is_repaired", [True, False])
def test_a_broken_configuration_that_the_plan_repairs_is_not_to_be_repaired_by_hand(
    box: Box, is_repaired: bool
) -> None:
    Path(box.path("nginx/sites-enabled/own.conf")).symlink_to(box.path("etc/own.conf"))
    repair = {"paths": {"@/etc/own.conf": {"content": "# one\n"}}} if is_repaired else {}

    [found] = [one for one in box.plan({**site(), **repair}).findings if one.rule == "foresight"]

    assert (is_repaired, not is_repaired) == (found.apply_fixes, "remove it" in found.fix)


@pytest.mark.parametrize("source", [{"source": "@/src"}, {}])
@pytest.mark.parametrize("owner", [{}, {"owner": {"group": "www-data"}}])
@pytest.mark.parametrize("command", [("chmod", "g+w"), ("chgrp", "daemon")])
def test_what_a_person_opened_to_a_group_is_closed_by_one_apply(
    box: Box, source: Yaml, owner: Yaml, command: tuple[str, str]
) -> None:
    static = {"role": "static", "dir": "@/www/static", **owner}
    box.apply(site(locations={"/static/": {**static, "source": "@/src"}}))
    yaml = site(locations={"/static/": {**static, **source}})
    box.apply(yaml)
    program, argument = command
    for one in (("chmod", "g+w"), (program, argument)):
        subprocess.run([one[0], "-R", one[1], box.path("www/static")], check=True)

    report = box.apply(yaml)

    assert ("applied", ()) == (report.result, box.plan(yaml).changes)


def test_a_media_folder_is_taken_from_the_owner_of_its_files_by_one_apply(box: Box) -> None:
    subprocess.run(["chown", "www-data", box.path("www/media")], check=True)
    media = {"role": "media", "dir": "@/www/media", "owner": {"user": "root"}}
    yaml = site(locations={"/media/": media})

    report = box.apply(yaml)

    assert ("applied", ()) == (report.result, box.plan(yaml).changes)
