"""A configuration without its host: what it makes, and how two versions of it differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.cli.render import render
from reconcile.config.load import load
from reconcile.engine.model import Plan
from reconcile.errors import ReconcileError
from reconcile.output.rendering import rendered_files
from reconcile.workspace.offline import compile_offline, plan_offline
from tests.support.yaml_examples import SMALLEST

ENV = """
paths:
  /etc/myapp/app.env: {source: ./app.env, sensitive: true}
"""


def write(folder: Path, text: str, env: str = "A=1\n") -> str:
    folder.mkdir(exist_ok=True)
    (folder / "app.env").write_text(env)
    (folder / "reconcile.yaml").write_text(text)
    return f"{folder}/reconcile.yaml"


def compare(old: str, new: str) -> Plan:
    return plan_offline(old, load(new))


def changes(plan: Plan) -> dict[str, str]:
    return {str(change.ref): change.action for change in plan.changes}


def test_every_file_and_link_is_rendered(tmp_path: Path) -> None:
    files = rendered_files(compile_offline(load(write(tmp_path, SMALLEST))).declared.values())

    assert [
        ("/etc/nginx/sites-available/myapp.conf", "file"),
        ("/etc/nginx/sites-enabled/myapp.conf", "symlink"),
    ] == [(file.path, file.type) for file in files]
    assert "alias /var/www/myapp/static/;" in (files[0].content or "")


def test_a_secret_is_not_rendered(tmp_path: Path) -> None:
    compiled = compile_offline(load(write(tmp_path, SMALLEST + ENV, env="KEY=secret\n")))

    [file] = [one for one in rendered_files(compiled.declared.values()) if one.sensitive]

    assert "(sensitive)" == file.content


def test_only_the_files_of_a_site_are_rendered_where_one_is_named(tmp_path: Path) -> None:
    declared = compile_offline(load(write(tmp_path, SMALLEST))).declared.values()

    assert [] == rendered_files(declared, ["other"])


def test_the_same_file_in_another_folder_differs_in_nothing(tmp_path: Path) -> None:
    old, new = (write(tmp_path / name, SMALLEST + ENV) for name in ("old", "new"))

    assert {} == changes(compare(old, new))


def test_a_source_is_read_beside_its_own_version(tmp_path: Path) -> None:
    old = write(tmp_path / "old", SMALLEST + ENV, env="A=1\n")
    new = write(tmp_path / "new", SMALLEST + ENV, env="A=2\n")

    assert {"file:/etc/myapp/app.env": "update"} == changes(compare(old, new))


def test_what_a_changed_key_changes_is_planned(tmp_path: Path) -> None:
    old = write(tmp_path / "old", SMALLEST)
    new = write(tmp_path / "new", SMALLEST.replace("[example.com]", "[example.org]"))

    assert {
        "nginx_live:/etc/nginx/nginx.conf": "update",
        "file:/etc/nginx/sites-available/myapp.conf": "update",
    } == changes(compare(old, new))


def test_a_dropped_site_is_removed_and_its_uploads_stay(tmp_path: Path) -> None:
    old = write(tmp_path / "old", SMALLEST)
    new = write(tmp_path / "new", "version: 1\n")

    plan = changes(compare(old, new))

    assert "delete" == plan["file:/etc/nginx/sites-available/myapp.conf"]
    assert not {ref for ref in plan if ref.endswith("/media")}


def test_a_source_that_is_missing_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path, SMALLEST + ENV)
    (tmp_path / "app.env").unlink()

    with pytest.raises(ReconcileError, match=r"app\.env"):
        compile_offline(load(file))


def test_a_folder_that_exists_is_not_written_into(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(ReconcileError, match="already exists"):
        render(write(tmp_path / "yaml", SMALLEST), out=str(out))

    assert [] == list(out.iterdir())
