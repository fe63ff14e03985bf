"""What a host is given: plain YAML, its variables, and the files that it names."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from reconcile.config.config import Config
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.fields.field_type import ParseContext
from reconcile.config.load import load_bytes
from reconcile.errors import ReconcileError
from reconcile.filesystem.unpack import unpacked
from reconcile.fleet.package import Package, Packer, plain_yaml

YAML = """\
version: 1
vars: {name: a.example, workers: 1, stage: live}   # kept
sites:
  shop:
    server_names: ["${var.name}"]
    app:
      upstream: http://127.0.0.1:80
      gunicorn: {directory: /srv/a, python: /srv/p, module: "a:a", workers: "${var.workers}"}
    locations:
      /s/: {role: static, dir: /var/www/s, source: "../app-${var.stage}/static"}
      /t/: {role: static, dir: /var/www/t, source: ./here}
"""
RELEASE = """\
version: 1
sites:
  shop:
    server_names: [a.example]
    app:
      gunicorn: {module: "a:a", python: "{release}/.venv/bin/python"}
      release: {source: ./app, into: /srv/shop, exclude: ["*.bak"]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for folder in ("hosts/here", "app-live/static", "app-test/static"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.txt").write_text(folder)
    path = tmp_path / "hosts/a.yaml"
    path.write_text(YAML)
    return path


def packed(site: Path, tmp_path: Path, **variables: str | int) -> Package:
    folder = tmp_path / f"archives{len(os.listdir(tmp_path))}"
    folder.mkdir()
    return Packer(str(folder)).pack(str(site), variables)


def loaded(package: Package) -> Config:
    config = load_bytes(package.yaml, "<stdin>", context=ParseContext("/", "packed"))
    assert package.tar is not None
    with unpacked(package.tar) as files:
        return config.with_packed_files(files.digest)


def test_variables_take_the_values_of_the_fleet(site: Path, tmp_path: Path) -> None:
    package = packed(site, tmp_path, name="b.example", workers=4)

    shop = loaded(package).sites["shop"]
    assert ("b.example",) == shop.server_names
    assert shop.app
    assert shop.app.gunicorn
    assert 4 == shop.app.gunicorn.workers
    assert b"# kept" in package.yaml
    assert 11 == package.yaml.count(b"\n")


def test_sources_are_packed_wherever_they_are(site: Path, tmp_path: Path) -> None:
    package = packed(site, tmp_path, stage="test")

    assert package.tar is not None
    with tarfile.open(package.tar) as archive:
        names = [member.name for member in archive if member.isfile()]
    assert ["here/a.txt", f"outside{tmp_path}/app-test/static/a.txt"] == names


def test_the_digest_is_that_of_the_configuration_on_the_host(site: Path, tmp_path: Path) -> None:
    package = packed(site, tmp_path)

    assert package.digest == loaded(package).digest
    (tmp_path / "hosts/here/a.txt").write_text("other")
    assert package.digest != packed(site, tmp_path).digest


@pytest.mark.parametrize("stage", ["live", "test"])
def test_the_packed_names_are_those_of_the_yaml(site: Path, tmp_path: Path, stage: str) -> None:
    package = packed(site, tmp_path, stage=stage)

    named = {one.source for one in loaded(package).sites["shop"].locations.values()}
    assert {f"/outside{tmp_path}/app-{stage}/static", "/here"} == named


def test_hosts_with_the_same_sources_share_an_archive(site: Path, tmp_path: Path) -> None:
    packer = Packer(str(tmp_path))

    tars = [packer.pack(str(site), {"name": name}).tar for name in ("a.example", "b.example")]

    assert 1 == len({*tars})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"nam": "x"}, "not declared here (did you mean name?)"),
        ({"workers": "4"}, "another type"),
        ({"name": True}, "another type"),
    ],
)
def test_a_variable_has_to_be_declared_as_that_type(
    site: Path, tmp_path: Path, variables: dict[str, str | int], message: str
) -> None:
    with pytest.raises(ConfigErrors) as refused:
        packed(site, tmp_path, **variables)

    assert message in str(refused.value)


def test_a_yaml_with_errors_names_their_positions(site: Path, tmp_path: Path) -> None:
    site.write_text(YAML.replace("role: static, dir: /var/www/t", "rolle: static"))

    with pytest.raises(ConfigErrors, match=r"hosts/a\.yaml:11:"):
        packed(site, tmp_path)


def test_a_missing_source_is_an_error(site: Path, tmp_path: Path) -> None:
    with pytest.raises(ReconcileError, match="app-none/static cannot be packed"):
        packed(site, tmp_path, stage="none")


def test_links_are_packed_as_the_files_that_they_lead_to_within_their_folder(
    site: Path, tmp_path: Path
) -> None:
    here = tmp_path / "hosts/here"
    (here / "inside").symlink_to("a.txt")
    (here / "outside").symlink_to("/etc/hostname")
    (here / "loop").symlink_to(".")
    (here / ".hidden").write_text("x")

    package = packed(site, tmp_path)

    assert package.tar is not None
    with tarfile.open(package.tar) as archive:
        names = [one.name for one in archive if one.isfile() and one.name.startswith("here")]
    assert ["here/a.txt", "here/inside"] == names


def test_a_release_is_packed_with_its_hidden_files_and_without_what_is_excluded(
    tmp_path: Path,
) -> None:
    app = tmp_path / "app"
    for name in ("app.py", ".flaskenv", ".git/config", "sub/x.pyc", "sub/y.py", "notes.bak"):
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(name)
    site = tmp_path / "site.yaml"
    site.write_text(RELEASE)

    package = packed(site, tmp_path)

    assert package.tar is not None
    with tarfile.open(package.tar) as archive:
        names = [one.name for one in archive if one.isfile()]
    assert ["app/.flaskenv", "app/app.py", "app/sub/y.py"] == names


def test_block_scalars_keep_their_place() -> None:
    text, _ = plain_yaml(
        b"version: 1\nvars:\n  a: |\n    x\n  b: >-\n    y\n", "a.yaml", {"a": "1", "b": "2"}
    )

    assert 'version: 1\nvars:\n  a: "1"\n  b: "2"\n' == text
