"""Random ways through the releases of an app: every law holds on each of them."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.engine.apply_report import Report
from reconcile.engine.model import Plan
from reconcile.errors import ReconcileError
from reconcile.resources import release_build
from reconcile.system.step_run import StepFailed
from tests.laws.box import Box, Event, Yaml, a_box
from tests.laws.generated_sites import a_few, one_of
from tests.laws.modelled_release import (
    INTO,
    Picture,
    a_site,
    memory,
    modelled_steps,
    picture_of,
    refuse_halves,
)
from tests.support.tally import TALLY

__all__ = ["memory", "modelled_steps"]

pytestmark = pytest.mark.process

HASHED = "src/css/app.3f9c1a2b.css"
MOST = 4
"""Transitions in one way."""
Way = list[tuple[Event | None, Yaml]]

STATIC = one_of(
    {"source": "{release}/css"},
    {"source": "{release}/made", "prune": True},
    {"source": "{release}/css", "prune": True, "keep": "7d"},
    {"source": "@/rel1/static"},
)
RELEASE = a_few(
    {
        "keep": one_of(1, 3),
        "exclude": one_of(["img"]),
        "steps": one_of(
            [["/bin/true"]],
            [["/bin/true"], {"run": ["/bin/false"], "irreversible": True}],
        ),
    },
    most=3,
)
GUNICORN = a_few(
    {
        "workers": one_of(3),
        "environment": one_of({"HOME_OF_APP": "{release}"}),
        "environment_file": one_of("@/src.env"),
        "args": one_of(["--config-of-app", "{release}/app.js"]),
    },
    most=2,
)
EVENTS = one_of(
    None,
    ("source", "src/app.js"),
    ("source", "src/css/site.css"),
    ("source", "src/made.js"),
    ("source", HASHED),
    ("source", f"src/css/new/{os.path.basename(HASHED)}"),
    ("remove", HASHED),
    ("remove", f"{INTO}/current"),
    ("remove", "www/static/site.css"),
)


@st.composite
def yamls(draw: st.DrawFn) -> Yaml:
    """A site whose app has releases, or has none any more."""
    python = draw(one_of("/usr/bin/python3", "{release}/.venv/bin/python"))
    app: dict[str, Any] = {"user": "www-data"}
    gunicorn = {"module": "app:app", "python": python, **draw(GUNICORN)}
    settings = {"source": draw(one_of("@/src", "@/rel1")), "into": f"@/{INTO}", **draw(RELEASE)}
    static = {"role": "static", "dir": "@/www/static", **draw(STATIC)}
    site = {
        "server_names": ["a.test"],
        "app": {**app, "gunicorn": gunicorn, "release": settings},
        "locations": {"/static/": static},
    }
    kind = draw(one_of("release", "release", "release", "worker", "none"))
    place = draw(one_of("{release}", f"@/{INTO}/current"))
    worker = {"command": [f"{place}/app.js"], "directory": place, "user": "www-data"}
    if kind == "none":
        return {"sites": {}, "paths": {}}
    services = {"app-worker": worker} if kind == "worker" else {}
    return {"sites": {"a": site}, "paths": {}, "services": services}


def ways() -> st.SearchStrategy[Way]:
    return st.lists(st.tuples(EVENTS, yamls()), min_size=2, max_size=MOST)


def _planned(box: Box, yaml: Yaml) -> tuple[Plan | None, str]:
    try:
        plan = box.plan(yaml)
    except ReconcileError as error:
        return None, str(error)
    return plan, "; ".join(map(str, (*plan.unknown, *plan.conflicts, *plan.refusals)))


def _applied(box: Box, yaml: Yaml) -> Report | None:
    try:
        return box.apply(yaml)
    except ReconcileError:
        return None


def take(box: Box, event: Event | None, yaml: Yaml, number: int) -> bool:
    """Apply one YAML by every law; whether it was applied."""
    if event:
        box.happen(event, str(number))
    before, ran = picture_of(box), box.processes()
    plan, why = _planned(box, yaml)
    assert before == picture_of(box), "a plan writes nothing"
    applied = _applied(box, yaml)
    assert (applied is None) == (plan is None or why != ""), f"candour: {why}"
    if applied is None or plan is None:
        assert before == picture_of(box), f"what is refused changes nothing: {why}"
        return False
    if applied.result == "rolled_back":
        # Whether a release holds what the YAML names in it is known once it is made.
        assert "host/srv/app/releases/" in applied.why, applied.why
        assert (before, ran) == (picture_of(box), box.processes())
        return False
    assert applied.result in ("applied", "no_changes"), (applied.error, applied.why)
    counted = {str(one.ref) for one in applied.done} >= {
        str(one.ref) for one in plan.changes if one.action == "create"
    }
    assert counted, "the plan is the deed: planned and not counted"
    left, why = _planned(box, yaml)
    assert left is not None, why
    assert [] == [(str(one.ref), one.reason) for one in left.changes], "fixpoint"
    refuse_halves(box, yaml)
    after = picture_of(box), box.processes()
    if plan.changes:
        notes = box.roll_back(yaml)
        assert () == notes, "inverse"
        assert ran == box.processes(), "inverse"
        now = picture_of(box)
        _refuse_other_picture(before, after[0], now, yaml)
        assert bool(box.kept) == any(name not in before for name in now), "inverse: candour"
        assert _applied(box, yaml) is not None, "inverse"
        assert after == (picture_of(box), box.processes()), "inverse: another end"
    return True


def _refuse_other_picture(before: Picture, applied: Picture, now: Picture, yaml: Yaml) -> None:
    """As before, but for new files that pages of the version that was left may name."""
    new = {name for name in applied if name not in before and _lives_on(name, applied, yaml)}
    left = {name for name in now if name not in before}
    assert left <= new, "inverse"
    assert before == {name: now[name] for name in now if name not in left}, "inverse"
    link = f"{INTO}/current"
    if link in before and before[link] != applied.get(link):
        assert left == new, "pages that are open find their files"


def _lives_on(name: str, applied: Picture, yaml: Yaml) -> bool:
    """Whether the copy leaves `name` once the source has dropped it."""
    static = yaml["sites"].get("a", {}).get("locations", {}).get("/static/", {})
    if not name.startswith("www/static/"):
        return False
    below = [one for one in applied if one == name or one.startswith(f"{name}/")]
    hashed = os.path.basename(HASHED)
    return not static.get("prune") or (
        "keep" in static and any(os.path.basename(one) == hashed for one in below)
    )


def follow(way: Way, memory: str) -> None:
    """Apply each by every law; the last one leads to the same as it does alone."""
    TALLY["transitions between releases"] += len(way)
    with a_box(memory) as box:
        done = [take(box, event, yaml, number) for number, (event, yaml) in enumerate(way)]
        after = picture_of(box), box.processes()
    if not done[-1]:
        return
    with a_box(memory) as box:
        for number, (event, _) in enumerate(way):
            if event and event[1].startswith("src/"):
                box.happen(event, str(number))
        assert take(box, None, way[-1][1], len(way))
        alone = picture_of(box), box.processes()
    files, own = (
        {name: one for name, one in picture.items() if not _may_stay(name, way[-1][1])}
        for picture, _ in (after, alone)
    )
    assert files == own, "path independence"
    assert after[1] == alone[1], "path independence"


def _may_stay(name: str, yaml: Yaml) -> bool:
    """What an earlier copy wrote into a folder that is not pruned, and the folders above it."""
    static = yaml["sites"].get("a", {}).get("locations", {}).get("/static/", {})
    stays = not static.get("prune") or "keep" in static
    return stays and f"{name}/".startswith("www/")


def test_a_release_without_what_the_yaml_names_in_it_changes_nothing(memory: str) -> None:
    """What it holds is known once it is made: the files of the location are planned then."""
    site = a_site({"source": "{release}/css"}, source="@/rel1")
    with a_box(memory) as box:
        before = picture_of(box)

        report = box.apply({"sites": {"a": site}})

        assert "rolled_back" == report.result
        assert "/css" in report.why
        assert "does not exist" in report.why
        assert before == picture_of(box)


def test_a_folder_in_use_that_went_is_made_again_and_reported(memory: str) -> None:
    yaml = {"sites": {"a": a_site({"source": "{release}/css"})}}
    with a_box(memory) as box:
        box.apply(yaml)
        release = os.path.realpath(box.path(f"{INTO}/current"))
        shutil.rmtree(release)

        report = box.apply(yaml)

        assert "applied" == report.result
        assert ["release:a"] == [str(change.ref) for change in report.done]
        assert os.path.exists(f"{release}/app.js")
        assert "no_changes" == box.apply(yaml).result


def test_a_release_whose_step_failed_takes_no_space(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bytes:
        raise StepFailed("exit status 1", b"")

    monkeypatch.setattr(release_build, "run_step", fail)
    site = a_site({"source": "{release}/css"})
    site["app"]["release"]["steps"] = [["/bin/false"]]
    with a_box(memory) as box:
        report = box.apply({"sites": {"a": site}})

        assert "rolled_back" == report.result
        assert [] == os.listdir(box.path(f"{INTO}/releases"))


def test_what_a_rollback_leaves_goes_once_its_time_is_over(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml = _keeping_for_a_week()
    with a_box(memory) as box:
        box.apply(yaml)
        box.happen(("source", HASHED), "2")
        box.apply(yaml)
        copy = Path(box.path("www/static/app.3f9c1a2b.css"))

        box.roll_back(yaml)
        box.happen(("remove", HASHED), "")

        assert copy.exists()
        assert "no_changes" == box.apply(yaml).result
        later = SimpleNamespace(time=lambda: time.time() + 8 * 24 * 60 * 60)
        monkeypatch.setattr("reconcile.system.time", later)
        assert "applied" == box.apply(yaml).result
        assert not copy.exists()


def _keeping_for_a_week() -> Yaml:
    static = {"source": "{release}/css", "prune": True, "keep": "7d"}
    return {"sites": {"a": a_site(static)}}


@settings(max_examples=6)
@given(ways())
def test_every_law_holds_on_the_way_through_releases(memory: str, way: Way) -> None:
    follow(way, memory)


@pytest.mark.nightly
@settings(max_examples=300)
@given(ways())
def test_every_law_holds_on_many_ways_through_releases(memory: str, way: Way) -> None:
    follow(way, memory)
