"""A switch to another release is undone by hand where that could break the old code."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from reconcile.filesystem.undo import from_json, to_json
from reconcile.nginx.running.upstream_switch import UpstreamSwitched

SWITCH = UpstreamSwitched(
    "shop",
    "new",
    "old",
    "/srv/shop/releases/old",
    "gunicorn-shop-old.service",
    ["flask db upgrade"],
    backward_compatible=False,
)


def host(*, is_running: bool = False, has_folder: bool = True) -> Any:
    """A host whose old instance runs or not, and whose old release is there or not."""
    return SimpleNamespace(
        files=SimpleNamespace(stat=lambda path: path if has_folder else None),
        services=SimpleNamespace(status=lambda unit: SimpleNamespace(active=is_running)),
    )


def test_old_code_is_not_started_automatically_after_an_irreversible_step() -> None:
    assert "`flask db upgrade` of release new" in SWITCH.prevents_automatic(host())


@pytest.mark.parametrize(
    "switch",
    [
        replace(SWITCH, backward_compatible=True),
        replace(SWITCH, irreversible=[]),
        replace(SWITCH, previous=""),
    ],
    ids=["it is compatible", "no step is irreversible", "there was no release before"],
)
def test_it_is_undone_automatically_where(switch: UpstreamSwitched) -> None:
    assert "" == switch.prevents_automatic(host())


def test_as_long_as_the_old_instance_runs_it_serves_on() -> None:
    assert "" == SWITCH.prevents_automatic(host(is_running=True))


def test_a_rollback_names_the_steps_that_it_does_not_undo() -> None:
    assert "`flask db upgrade` of release new of shop is not undone" in SWITCH.warning()
    assert "" == replace(SWITCH, irreversible=[]).warning()


def test_a_release_that_is_gone_cannot_be_returned_to() -> None:
    assert "release old of shop" in SWITCH.refusal(host(has_folder=False))
    assert "" == SWITCH.refusal(host())


def test_the_record_is_read_back_from_the_disk() -> None:
    assert SWITCH == from_json(to_json(SWITCH))
