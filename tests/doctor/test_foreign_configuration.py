"""As root nothing is run that somebody else can write: neither configurations nor modules."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run
from tests.support.needs_root import needs_root

pytestmark = [
    pytest.mark.process,
    needs_root("can be lured by another user"),
]

DEPLOY = 65534


@pytest.fixture
def host(demo: DemoHost) -> DemoHost:
    """A host whose nginx complains, in its own words, whenever it tests a configuration."""
    wrapper = Path(demo.root, "nginx-wrapper")
    complaint = 'case "$*" in *-t*) echo "nginx: [emerg] tested as root" >&2; exit 1;; esac'
    wrapper.write_text(f'#!/bin/sh\n{complaint}\nexec {demo.nginx} "$@"\n')
    wrapper.chmod(0o755)
    yaml = Path(demo.file)
    assert demo.nginx in yaml.read_text()
    yaml.write_text(yaml.read_text().replace(demo.nginx, str(wrapper)))
    return demo


def give_main_file(demo: DemoHost) -> str:
    os.chown(f"{demo.root}/nginx/nginx.conf", DEPLOY, DEPLOY)
    return f"{demo.root}/nginx/nginx.conf (owner nobody:nogroup, mode 0644)"


def open_main_file(demo: DemoHost) -> str:
    os.chmod(f"{demo.root}/nginx/nginx.conf", 0o666)
    return f"{demo.root}/nginx/nginx.conf (owner root:root, mode 0666)"


def give_included_folder(demo: DemoHost) -> str:
    os.chown(f"{demo.root}/nginx/sites-enabled", DEPLOY, DEPLOY)
    return f"{demo.root}/nginx/sites-enabled (owner nobody:nogroup, mode 0755)"


def link_to_a_file_of_theirs(demo: DemoHost) -> str:
    theirs = Path(demo.root, "theirs")
    theirs.mkdir()
    (theirs / "site.conf").write_text("# nothing yet\n")
    os.chown(theirs, DEPLOY, DEPLOY)
    Path(demo.root, "nginx/sites-enabled/theirs").symlink_to(theirs / "site.conf")
    return f"{theirs} (owner nobody:nogroup, mode 0755)"


def load_their_module(demo: DemoHost) -> str:
    module = Path(demo.root, "module.so")
    module.write_bytes(b"")
    os.chown(module, DEPLOY, DEPLOY)
    main = Path(demo.root, "nginx/nginx.conf")
    main.write_text(f"load_module {module};\n" + main.read_text())
    return f"{module} (owner nobody:nogroup, mode 0644)"


WAYS = [
    give_main_file,
    open_main_file,
    give_included_folder,
    link_to_a_file_of_theirs,
    load_their_module,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_others_can_write_is_named_and_not_tested(
    host: DemoHost, run: Run, way: Callable[[DemoHost], str]
) -> None:
    place = way(host)

    document = json.loads(run("doctor", "--json", cwd=host.root).stdout)
    checked = run("verify", cwd=host.root)

    [finding] = [one for one in document["findings"] if one["rule"] == "config-valid"]
    assert [place] == finding["evidence"]
    assert finding["fix"].startswith("chown root:root ")
    assert "tested as root" not in json.dumps(document) + checked.stdout + checked.stderr


def test_a_configuration_of_roots_own_is_tested(host: DemoHost, run: Run) -> None:
    document = json.loads(run("doctor", "--json", cwd=host.root).stdout)

    assert "tested as root" in json.dumps(document["findings"])


def test_a_folder_among_the_sites_is_no_reason_not_to_test(host: DemoHost, run: Run) -> None:
    Path(host.root, "nginx/sites-enabled/folder").mkdir()

    document = json.loads(run("doctor", "--json", cwd=host.root).stdout)

    assert "tested as root" in json.dumps(document["findings"])
