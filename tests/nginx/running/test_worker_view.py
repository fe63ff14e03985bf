"""The disk as a worker sees it, and as it will once a plan is carried out."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.worker_view import WithAssumedFiles, WorkerView, worker_account
from reconcile.system import Host
from tests.nginx.running.conftest import World

pytestmark = pytest.mark.process


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "open/closed").mkdir(parents=True)
    for name in ("open/file", "open/secret", "open/closed/file"):
        (place / name).touch(mode=0o644)
    (place / "open/secret").chmod(0o600)
    (place / "open/closed").chmod(0o700)
    (place / "open/link").symlink_to("closed/file")
    (place / "open/void").symlink_to("nothing")
    (place / "open/circle").symlink_to("circle")
    return place / "open"


def seen(folder: Path, name: str, **planned: str) -> str:
    host = Host()
    there = {f"{folder}/{path.replace('_', '/')}": kind for path, kind in planned.items()}
    return WorkerView(host, host.accounts.user("www-data"), there).kind(f"{folder}/{name}")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("file", "file"),
        ("file/", "missing"),
        ("file/below", "missing"),
        ("secret", "unreadable"),
        ("secret/", "missing"),
        (".", "directory"),
        ("closed", "unlistable"),
        ("closed/", "unlistable"),
        ("circle", "denied"),
        ("n" * 300, "missing"),
        ("n/" * 2100, "missing"),
        ("closed/file", "denied"),
        ("closed/nothing", "denied"),
        ("closed/../file", "denied"),
        ("link", "denied"),
        ("void", "missing"),
        ("../open/file", "file"),
        ("nothing", "missing"),
    ],
)
def test_a_worker_finds(folder: Path, name: str, kind: str) -> None:
    assert kind == seen(folder, name)


@pytest.mark.parametrize(
    ("name", "planned", "kind"),
    [
        ("closed/file", {"closed": "directory"}, "file"),
        ("link", {"closed": "directory"}, "file"),
        ("secret", {"secret": "file"}, "file"),
        ("file", {"file": "missing"}, "missing"),
        ("new/deep/file", {"new": "directory", "new_deep": "directory"}, "missing"),
        ("new/file", {"new": "directory", "new_file": "file"}, "file"),
        ("new/", {"new": "directory"}, "directory"),
    ],
)
def test_with_a_plan_a_worker_will_find(
    folder: Path, name: str, planned: dict[str, str], kind: str
) -> None:
    assert kind == seen(folder, name, **planned)


def test_what_is_assumed_is_there(folder: Path) -> None:
    host = Host()
    disk = WorkerView(host, host.accounts.user("www-data"))

    assumed = WithAssumedFiles(disk, {f"{folder}/.env"})

    assert ("file", "missing") == (assumed.kind(f"{folder}/.env"), assumed.kind(f"{folder}/x"))


def test_the_worker_is_who_the_running_one_is(world: World, host: Host) -> None:
    world.nginx.http = "# the configuration says something else by now"
    world.serve()
    text = world.nginx.config.read_text()
    world.nginx.config.write_text(text.replace("user www-data;", "user games;"))

    assert "www-data" == worker_account(discover(host)).name


def test_where_nginx_does_not_run_the_worker_is_who_the_configuration_names(
    world: World, host: Host
) -> None:
    assert "www-data" == worker_account(discover(host)).name
