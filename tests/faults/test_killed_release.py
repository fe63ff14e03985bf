"""A release is killed at any of its effects, or the power fails: one rerun makes it whole.

On a small host in memory, whose systemd and steps are modelled; `stories/test_killed_releases.py`
does it on booted hosts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import Any

import pytest

from reconcile.resources import release_build
from tests.faults.dying import EFFECTS, leave_half
from tests.laws.box import Box, Yaml, a_box
from tests.laws.modelled_release import (
    INTO,
    Picture,
    a_site,
    memory,
    modelled_steps,
    picture_of,
    refuse_halves,
)
from tests.support.modelled_systemd import NGINX, Services
from tests.support.tally import TALLY

__all__ = ["memory", "modelled_steps"]

pytestmark = pytest.mark.process

COMMANDS = ("start", "restart", "reload", "stop", "enable", "disable", "daemon_reload")
SITE = a_site({"source": "{release}/made", "prune": True, "keep": "7d"})
SITE["app"]["release"] |= {
    "keep": 2,
    "steps": [
        ["/bin/true"],
        {"run": ["/bin/true", "db"], "irreversible": True, "backward_compatible": True},
    ],
}
WORKER = {"command": ["{release}/app.js"], "directory": "{release}", "user": "www-data"}
YAML: Yaml = {"sites": {"a": SITE}, "services": {"app-worker": WORKER}}
NGINX_FILE = "nginx/sites-enabled/a.conf"


class Killed(BaseException):
    """Nothing that comes after it has an effect, whatever handles it."""


class Life:
    """Ends before the effect of that number."""

    def __init__(self, number: int) -> None:
        self._left, self._pid = number, os.getpid()

    def spend(self, before_death: Callable[[], object] = lambda: None) -> None:
        if os.getpid() != self._pid:
            return
        self._left -= 1
        if self._left == -1:
            before_death()
        if self._left < 0:
            raise Killed

    @property
    def has_ended(self) -> bool:
        return self._left < 0


@contextmanager
def killed_before(number: int) -> Iterator[Life]:
    """End what the body does before its effect of that number, as a kill does."""
    life = Life(number)

    def file_effect(name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if name != "open" or args[1] & os.O_CREAT:
                life.spend(lambda: leave_half(name, effect, args))
            return effect(*args, **named)

        return call

    def command(effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            life.spend()
            done = effect(*args, **named)
            life.spend()
            return done

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in EFFECTS:
            patch.setattr(os, name, file_effect(name, getattr(os, name)))
        for name in COMMANDS:
            patch.setattr(Services, name, command(getattr(Services, name)))
        patch.setattr(release_build, "run_step", command(release_build.run_step))
        with suppress(Killed):
            yield life


def boot(box: Box) -> None:
    """What systemd starts once the power is back: the enabled units, by the files on the disk."""
    systemd = box.systemd
    systemd.run.clear()
    systemd.daemon_reload()
    host = box.open(YAML).host
    for unit in sorted(systemd.enabled, key=lambda name: not name.endswith(".socket")):
        if unit == NGINX or systemd.paths_of(unit):
            systemd.begin(unit, systemd.files_now(unit, host))


def lay(box: Box, version: str) -> None:
    box.happen(("source", "src/app.js"), version)
    box.happen(("source", f"src/css/app.{sha256(version.encode()).hexdigest()[:12]}.css"), version)


def loaded_by_nginx(box: Box) -> str:
    """The digest of the site's file as nginx has loaded it."""
    return box.systemd.run[NGINX].files[box.path(NGINX_FILE)]


def version_in_use(box: Box) -> tuple[str, str]:
    """What nginx has loaded, and the release that it leads to."""
    return loaded_by_nginx(box), os.path.basename(os.readlink(box.path(f"{INTO}/current")))


def refuse_outage(box: Box, releases: Mapping[str, str]) -> None:
    """Nginx has loaded the file of a version whose instance runs."""
    assert f"gunicorn-a-{releases[loaded_by_nginx(box)]}.service" in box.systemd.run


@contextmanager
def released(memory: str) -> Iterator[Box]:
    """A host that serves version 1, and the source of version 2."""
    with a_box(memory) as box:
        lay(box, "1")
        assert "applied" == box.apply(YAML).result
        lay(box, "2")
        yield box


@dataclass(frozen=True)
class Whole:
    """The host once nothing interrupted it, and the release of each file that nginx loaded."""

    picture: Picture
    releases: Mapping[str, str]


@pytest.fixture(scope="module")
def whole(memory: str) -> Whole:
    with released(memory) as box:
        before = version_in_use(box)
        assert "applied" == box.apply(YAML).result
        return Whole(picture_of(box), dict([before, version_in_use(box)]))


@pytest.mark.parametrize("has_power", [True, False], ids=["killed", "the power failed"])
@pytest.mark.parametrize(
    ("first", "step"),
    [(5, 97), *(pytest.param(share, 8, marks=pytest.mark.nightly) for share in range(8))],
)
def test_one_rerun_ends_on_the_new_version_whole(
    memory: str, whole: Whole, first: int, step: int, has_power: bool
) -> None:
    for number in count(first, step):
        with released(memory) as box:
            with killed_before(number) as life:
                box.apply(YAML)
            if not life.has_ended:
                return
            TALLY["kills in a modelled release"] += 1
            if has_power:
                refuse_outage(box, whole.releases)
            else:
                boot(box)

            assert box.apply(YAML).result in ("applied", "no_changes"), number

            refuse_halves(box, YAML)
            assert whole.picture == picture_of(box), number
            assert () == box.plan(YAML).changes, number
