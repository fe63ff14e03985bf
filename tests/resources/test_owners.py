"""An owner that the host does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.engine.model import Declared, Unknown
from reconcile.engine.observe import observe
from reconcile.engine.resource import Resource
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.tree import Tree
from reconcile.resources.unit import Unit
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost
from tests.support.machine import make

pytestmark = pytest.mark.process

UNKNOWN = "no-such-user"


def reading(asked: Resource) -> object:
    desired = {asked.ref: Declared(asked)}
    return observe(desired, {}, make, PlannedHost(Host())).readings[asked.ref]


@pytest.mark.parametrize("kind", [Directory, File, Tree, Unit])
def test_an_unknown_user_fails_the_reading_though_nothing_is_there_yet(
    kind: type[Resource], tmp_path: Path
):
    asked = kind(path=str(tmp_path / "absent"), user=UNKNOWN)

    read = reading(asked)

    assert isinstance(read, Unknown)
    assert UNKNOWN in read.reason


def test_an_unknown_group_fails_the_reading_of_assets(tmp_path: Path):
    (tmp_path / "source").mkdir()
    asked = Assets(path=str(tmp_path / "absent"), source=str(tmp_path / "source"), group=UNKNOWN)

    read = reading(asked)

    assert isinstance(read, Unknown)
    assert UNKNOWN in read.reason
