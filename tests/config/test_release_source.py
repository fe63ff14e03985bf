"""The source of a release has to be a folder, and the error names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.config.load import load_bytes
from reconcile.filesystem.host_error import HostError
from reconcile.system import Host
from reconcile.workspace.release_sources import read_release_sources
from tests.config.test_release import YAML


@pytest.mark.parametrize("is_file", [False, True], ids=["it is absent", "it is a file"])
def test_a_source_that_is_no_folder_is_named_with_its_key(tmp_path: Path, is_file: bool) -> None:
    if is_file:
        (tmp_path / "app").write_text("")
    config = load_bytes(YAML.encode(), str(tmp_path / "reconcile.yaml"))

    with pytest.raises(HostError) as refused:
        read_release_sources(config.outline(), Host())

    assert f"the source of the release of shop, {tmp_path}/app, " in refused.value.what
    assert "sites.shop.app.release.source" in refused.value.fix


def test_what_a_checkout_lacks_is_noted(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "vendor").mkdir(parents=True)
    (app / ".gitattributes").write_text("*.png filter=lfs -text\n")
    (app / ".gitmodules").write_text('[submodule "vendor"]\n\tpath = vendor\n')
    (app / "logo.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    config = load_bytes(YAML.encode(), str(tmp_path / "reconcile.yaml"))

    [pointer, module] = read_release_sources(config.outline(), Host())["shop"].left_out

    lfs, update = "pointer of Git LFS, run `git lfs pull`", "run `git submodule update --init`"
    assert f"1 file in {app} only with the {lfs} there: logo.png" == pointer
    assert f"1 submodule in {app} not checked out, {update} there: vendor" == module
