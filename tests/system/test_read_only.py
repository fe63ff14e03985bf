"""Where a command only looks, nothing can be written, whatever it runs."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

from reconcile.filesystem.place import locate
from reconcile.nginx.routing import pcre
from reconcile.system import read_only as where
from tests.support.denied_calls import WITHOUT_THE_CALL, WITHOUT_THE_CAPABILITY
from tests.support.needs_root import needs_root

pytestmark = pytest.mark.process

Result = TypeVar("Result")


def read_only(read: Callable[[], Result]) -> Result:
    """On this machine the kernel is never to refuse."""
    return where.run_read_only(read, pytest.fail)


@pytest.mark.parametrize("folder", ["/etc", "/tmp", "/dev/shm", "/run", "/root"])
def test_no_file_can_be_made_there(folder: str) -> None:
    path = Path(folder, "reconcile-was-here")

    with pytest.raises(OSError, match="Read-only") as refused:
        read_only(lambda: path.write_text("x"))

    assert errno.EROFS == refused.value.errno
    assert not path.exists()


def test_a_directory_lies_at_the_same_place_there(tmp_path: Path) -> None:
    outside = locate(str(tmp_path))

    assert outside.places == read_only(lambda: locate(str(tmp_path))).places
    assert outside.places[0].path.endswith(str(tmp_path).rpartition("/")[2])


def test_a_regex_matches_there(tmp_path: Path) -> None:
    regex = pcre.compiled("^/static/")

    assert read_only(lambda: regex.search("/static/app.css"))


@needs_root("mounts")
def test_the_kernels_answers_about_labels_can_be_asked_for_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, below = tmp_path / "selinuxfs", tmp_path / "selinuxfs/disk"
    answers.mkdir()
    for point in (answers, below):
        point.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", point], check=True)
    monkeypatch.setattr(where, "SELINUXFS", str(answers))

    def ask() -> None:
        (answers / "access").write_text("may it?")
        with pytest.raises(OSError, match="Read-only"):
            (below / "file").write_text("x")

    read_only(ask)

    for point in (below, answers):
        subprocess.run(["umount", point], check=True)


CHANGES = {
    "chmod": lambda path: os.chmod(path, 0o600),
    "chown": lambda path: os.chown(path, 33, 33),
    "rename": lambda path: os.rename(path, path.with_name("other")),
    "unlink": os.unlink,
    "link": lambda path: os.link(path, path.with_name("other")),
    "symlink": lambda path: os.symlink(path, path.with_name("other")),
    "mkdir": lambda path: os.mkdir(path.with_name("other")),
    "truncate": lambda path: os.truncate(path, 0),
    "utime": lambda path: os.utime(path, (0, 0)),
    "setxattr": lambda path: os.setxattr(path, "user.x", b"x"),
    "open": lambda path: os.open(path, os.O_WRONLY),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_file_can_be_changed_there(tmp_path: Path, change: str) -> None:
    path = tmp_path / "file"
    path.write_text("as it was")
    before = path.stat()

    with pytest.raises(OSError, match="Read-only"):
        read_only(lambda: CHANGES[change](path))

    assert (before, "as it was", ["file"]) == (path.stat(), path.read_text(), os.listdir(tmp_path))


def test_it_binds_the_programs_and_threads_that_are_started_there(tmp_path: Path) -> None:
    def read() -> tuple[int, type[BaseException] | None]:
        with ThreadPoolExecutor() as pool:
            thread = pool.submit((tmp_path / "thread").mkdir).exception()
        program = subprocess.run(["/bin/mkdir", tmp_path / "program"], stderr=subprocess.DEVNULL)
        return program.returncode, type(thread)

    assert (1, OSError) == read_only(read)
    assert [] == os.listdir(tmp_path)


def test_it_binds_no_other_process(tmp_path: Path) -> None:
    read_only(lambda: None)

    (tmp_path / "file").write_text("x")
    subprocess.run(["/bin/mkdir", tmp_path / "folder"], check=True)

    assert ["file", "folder"] == sorted(os.listdir(tmp_path))


def test_sockets_and_devices_work_as_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()

        def read() -> None:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "socket"))
            Path("/dev/null").write_text("x")

        read_only(read)


def test_results_are_returned_and_errors_are_raised() -> None:
    assert 7 == read_only(lambda: 7)
    with pytest.raises(ZeroDivisionError):
        read_only(lambda: 1 // 0)


SCRIPT = """
import os, sys
from reconcile.system.read_only import run_read_only
os.setuid(int(sys.argv[1]))
print("read", run_read_only(lambda: "all", lambda why: print("refused:", why)))
"""


@pytest.mark.parametrize(
    ("refusing", "why"),
    [
        (WITHOUT_THE_CAPABILITY, "CAP_SYS_ADMIN is missing"),
        (WITHOUT_THE_CALL, "the kernel is older than Linux 5.12"),
    ],
    ids=["as in a container", "as on an old kernel"],
)
def test_a_refused_view_is_reported_and_the_command_runs_all_the_same(
    refusing: list[str], why: str
) -> None:
    done = subprocess.run(
        [*refusing, sys.executable, "-c", SCRIPT, "0"], capture_output=True, text=True
    )

    refused, result = done.stdout.splitlines()
    assert refused.startswith(f"refused: {why}")
    assert "read all" == result


def test_a_user_without_write_access_gets_no_warning() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, "33"], capture_output=True, text=True)

    assert "read all\n" == done.stdout, done.stderr
