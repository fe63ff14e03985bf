"""What reconcile keeps of a host is published by no copy, whatever leads there."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes
from tests.support.image import Image

pytestmark = pytest.mark.process


def test_a_source_that_leads_to_the_state_directory_refuses_its_plan(public: Path) -> None:
    image = Image(public)
    assert "applied" == image.apply(image.declare(shop=8001))
    (image.root / "alias").symlink_to(image.root)
    workspace = image.declare(shop=8001, blog=8002)
    file = Path(workspace.config.file)
    head, _, tail = file.read_text().rpartition(f"{image.root}/app")
    file.write_text(f"{head}{image.root}/alias{tail}")

    [refused] = plan_changes(Workspace.open(str(file))).refusals

    assert f"contains reconcile's state directory {image.root}/state" in refused.what
