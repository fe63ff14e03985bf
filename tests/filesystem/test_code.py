"""What counts as the code of a process, and how little of it is read."""

from __future__ import annotations

import os
import time
from pathlib import Path
from time import process_time

import pytest

from reconcile.filesystem.code import read_code as reading
from reconcile.filesystem.code.code_scope import CodeScope, environment_of
from reconcile.filesystem.code.read_code import CodeFile, KnownCode, read_code
from reconcile.filesystem.planned_entry import ABSENT, Link
from reconcile.system import Host, HostSettings
from reconcile.system.planned_host import PlannedHost

PACKAGES = "lib/python3.11/site-packages"


def put(folder: Path, *paths: str, text: str = "x") -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def names(folder: Path, **scope: tuple[str, ...]) -> set[str]:
    found = read_code(CodeScope(str(folder), **scope), KnownCode(), str(folder))
    return set(found)


def test_code_templates_and_configuration_count(tmp_path: Path) -> None:
    paths = {"app.py", "shop/__init__.py", "templates/a.html", "instance/config.py", ".env"}
    put(tmp_path, *paths)

    assert paths == names(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "__pycache__/app.cpython-311.pyc",
        ".git/HEAD",
        ".pytest_cache/x",
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "logs/today",
        "cache/a",
        "releases/41/app.py",
        "node_modules/a/index.js",
        "db.sqlite3",
        "db.sqlite3-journal",
        "instance/shop.db",
        "instance/shop.db-wal",
        "gunicorn.pid",
        "celerybeat-schedule.db",
        "app.py~",
        ".app.py.swp",
        ".app.py.reconcile-new-0123456789abcdef",
    ],
)
def test_what_is_written_beside_the_code_does_not_count(tmp_path: Path, path: str) -> None:
    put(tmp_path, path)

    assert set() == names(tmp_path)


def test_a_package_counts_whatever_its_name(tmp_path: Path) -> None:
    put(tmp_path, "releases/__init__.py", "logs/models.py")

    assert {"releases/__init__.py"} == names(tmp_path)


def test_paths_that_are_excluded_do_not_count(tmp_path: Path) -> None:
    put(tmp_path, "app.py", "media/a.py", "instance/state.json")

    assert {"app.py"} == names(
        tmp_path, excluded=(f"{tmp_path}/media", f"{tmp_path}/instance/state.json")
    ) - {"x"}


def test_of_assets_only_manifests_count(tmp_path: Path) -> None:
    put(tmp_path, "static/app.css", "static/js/app.js", "static/.vite/manifest.json")

    assert {"static/.vite/manifest.json"} == names(tmp_path, assets=(f"{tmp_path}/static",))


def test_a_link_counts_by_its_target_and_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path, "v1/app.py")
    (tmp_path / "current").symlink_to("v1")
    (tmp_path / "secret").symlink_to("/etc/shadow")

    found = read_code(CodeScope(str(tmp_path)), KnownCode(), str(tmp_path))

    assert {"v1/app.py", "current", "secret"} == set(found)
    assert ("link:v1", "link:/etc/shadow") == (found["current"].digest, found["secret"].digest)


def test_a_folder_behind_a_link_counts_with_where_that_leads(tmp_path: Path) -> None:
    put(tmp_path, "v1/app.py")
    (tmp_path / "current").symlink_to("v1")

    found = read_code(CodeScope(f"{tmp_path}/current"), KnownCode(), f"{tmp_path}/current")

    assert {"app.py", "."} == set(found)
    assert f"link:{tmp_path}/v1" == found["."].digest


def test_sockets_and_pipes_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "app.py")

    assert set() == names(tmp_path)


def test_of_an_environment_only_its_metadata_counts(tmp_path: Path) -> None:
    packages = f".venv/{PACKAGES}"
    metadata = {
        ".venv/pyvenv.cfg",
        f"{packages}/flask-3.0.0.dist-info/RECORD",
        f"{packages}/flask-3.0.0.dist-info/METADATA",
        f"{packages}/__editable__.shop.pth",
    }
    put(tmp_path, *metadata, f"{packages}/flask/app.py", ".venv/bin/python")

    assert metadata == names(tmp_path)


def test_a_folder_that_is_an_environment_itself_has_its_code_beside_it(tmp_path: Path) -> None:
    put(tmp_path, "pyvenv.cfg", f"{PACKAGES}/flask/app.py", "app.py")

    assert {"pyvenv.cfg", "app.py"} == names(tmp_path)


def test_the_environment_of_the_interpreter_counts_outside_of_the_folder(tmp_path: Path) -> None:
    put(tmp_path, "code/app.py", f"venv/{PACKAGES}/a-1.dist-info/RECORD", "venv/pyvenv.cfg")

    found = names(tmp_path / "code", environments=environment_of(f"{tmp_path}/venv/bin/python"))

    assert {
        "app.py",
        f"{tmp_path}/venv/pyvenv.cfg",
        f"{tmp_path}/venv/{PACKAGES}/a-1.dist-info/RECORD",
    } == found


@pytest.mark.parametrize("program", ["/usr/bin/python3", "/bin/sh", "python3"])
def test_the_system_is_no_environment(tmp_path: Path, program: str) -> None:
    put(tmp_path, "app.py")

    assert {"app.py"} == names(tmp_path, environments=environment_of(program))


def test_an_absent_folder_has_no_code(tmp_path: Path) -> None:
    assert set() == names(tmp_path / "none")


def test_a_file_with_the_known_signature_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "app.py", "b.py")
    scope = CodeScope(str(tmp_path))
    first = read_code(scope, KnownCode(), str(tmp_path))
    later = KnownCode(first, time.time_ns() + 10**9)
    put(tmp_path, "b.py", text="y")
    read: list[str] = []
    content = reading._content_digest
    monkeypatch.setattr(
        reading, "_content_digest", lambda fd, name: (read.append(name), content(fd, name))[1]
    )

    second = read_code(scope, later, str(tmp_path))

    assert ["b.py"] == read
    assert first["app.py"] == second["app.py"]
    assert first["b.py"].digest != second["b.py"].digest


def test_a_file_changed_within_a_tick_of_the_reading_is_read_again(tmp_path: Path) -> None:
    put(tmp_path, "app.py")
    scope = CodeScope(str(tmp_path))
    signature = read_code(scope, KnownCode(), str(tmp_path))["app.py"].signature
    wrong = {"app.py": CodeFile(signature, "sha256:old")}

    found = read_code(scope, KnownCode(wrong, time.time_ns()), str(tmp_path))

    assert "sha256:old" != found["app.py"].digest


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_FILES", 2)
    put(tmp_path, "a.py", "b.py", "c.py")

    with pytest.raises(OSError, match="more than 2 files"):
        names(tmp_path)


def test_a_planned_world_has_the_code_that_the_plan_will_leave(tmp_path: Path) -> None:
    put(tmp_path, "app.py", "old/a.py", "old/b.py", "config.py")
    host = PlannedHost(Host(HostSettings(state_dir=str(tmp_path / "state"))))
    host.files.plan(f"{tmp_path}/config.py", b"NEW")
    host.files.plan(f"{tmp_path}/old", ABSENT)
    host.files.plan(f"{tmp_path}/link", Link("app.py"))
    host.files.plan(f"{tmp_path}/app.log", b"left out")

    found = host.files.code(CodeScope(str(tmp_path)), KnownCode())

    put(tmp_path, "config.py", text="NEW")
    now = Host().files.code(CodeScope(str(tmp_path)), KnownCode())
    assert {"app.py", "config.py", "link"} == set(found)
    assert ("link:app.py", now["config.py"].digest) == (
        found["link"].digest,
        found["config.py"].digest,
    )


def test_an_environment_of_twenty_thousand_files_costs_less_than_50_ms(tmp_path: Path) -> None:
    packages = tmp_path / ".venv" / PACKAGES
    put(tmp_path, "app.py", ".venv/pyvenv.cfg")
    for number in range(200):
        put(packages, f"p{number}-1.dist-info/RECORD", f"p{number}-1.dist-info/METADATA")
        for name in ("a", "b", "c"):
            (packages / f"p{number}").mkdir(exist_ok=True)
            os.mkfifo(packages / f"p{number}" / name)
    scope = CodeScope(str(tmp_path))
    known = KnownCode(read_code(scope, KnownCode(), str(tmp_path)), time.time_ns() + 10**9)

    took = []
    for _ in range(3):
        began = process_time()
        read_code(scope, known, str(tmp_path))
        took.append(process_time() - began)

    assert min(took) < 0.05
