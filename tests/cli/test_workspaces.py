"""The workspace that a command works on."""

from __future__ import annotations

from pathlib import Path

from reconcile.cli.workspaces import open_state, open_workspace


def test_the_host_has_the_scope_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "reconcile.yaml"
    file.write_text("version: 1\nscope: shop\n")

    opened = (open_workspace(str(file)), open_state(str(file)))

    assert ["shop", "shop"] == [one.host.settings.scope for one in opened]
