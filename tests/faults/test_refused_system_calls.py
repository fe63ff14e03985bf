"""A whole `reconcile apply` whose calls the kernel refuses: told in plain words, old or new.

Thrown by strace at the real system calls, and for real: a full disk, no inodes, a disk
mounted read-only, an immutable directory, too few descriptors.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import REASONS
from tests.support.command import COMMAND
from tests.support.disk import picture
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

YAML = """
version: 1
host:
  nginx: {{config: {box}/nginx/nginx.conf}}
  service_manager: none
  state_dir: {box}/state
sites:
  shop:
    server_names: [shop.example]
    listen: [{port}]
    app: {{upstream: "http://127.0.0.1:9"}}
    locations:
      /static/: {{role: static, dir: {box}/root/static, source: {box}/app}}
paths:
  {box}/root/env: {{owner: {{user: root, group: www-data, files: "0640"}}, source: {box}/secret}}
  {box}/root/current: {{link: {box}/{target}}}
"""
APPLY = (*COMMAND, "apply", "--auto-approve", "--no-verify")
# With a lock of its own: waiting for that of another test would change what is counted.
ALONE = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh")
CALLS = (
    *("openat", "mkdirat", "write", "fsync", "fchmod", "fchmodat", "fchown", "fchownat"),
    *("linkat", "symlinkat", "renameat", "unlinkat", "ftruncate", "pwrite64"),
    *("read", "pread64", "getdents64", "newfstatat", "readlinkat", "copy_file_range"),
)
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EPERM", "EMFILE", "EINTR")
INSIDE = re.compile(r"^(?P<call>\w+)\(.*/box/(root|state|nginx)/")
# A call that fails gives no new descriptor, so no path of it: what it was called on tells.
ELSEWHERE = re.compile(r"^\w+\(\d+<(?![^>]*/box)")
ENDS = {0, 1, 3}
FEWEST = 6
"""Descriptors with which Python itself still starts."""


@dataclass(frozen=True)
class Box:
    """A host that is only files: a site applied, and another wish written down."""

    folder: Path

    def wish(self, port: int, target: str, text: str) -> None:
        filled = YAML.format(box=self.folder, port=port, target=target)
        (self.folder / "reconcile.yaml").write_text(filled)
        (self.folder / "secret").write_text(f"KEY={text}\n")
        (self.folder / "app/site.css").write_text(f"body {{ {text} }}\n")

    def apply(self, *under: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ALONE, *under, *APPLY],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def counted(self) -> dict[str, tuple[object, ...]]:
        """What is the host's; not our own memory."""
        found = {**picture(self.folder / "root", mtimes=False)}
        return {**found, **picture(self.folder / "nginx", mtimes=False)}


def built(folder: Path) -> Box:
    for name in ("nginx/conf.d", "app", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "nginx/nginx.conf").write_text(
        f"pid {folder}/nginx.pid;\nevents {{}}\nhttp {{ include conf.d/*.conf; }}\n"
    )
    (folder / "app/logo.svg").write_text("<svg/>")
    box = Box(folder)
    box.wish(8001, "root", "old")
    done = box.apply()
    assert 0 == done.returncode, done.stdout + done.stderr
    box.wish(8002, "app", "new")
    return box


def traced(box: Box, inject: str = "") -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """An apply under strace, and its calls that concern the host or our memory of it."""
    trace = box.folder.with_name("trace")
    options = ["-e", f"inject={inject}"] if inject else []
    wanted = ",".join("?" + call for call in CALLS)
    strace = ["strace", "-y", "-qq", "-s", "0", "-o", str(trace), "-e", f"trace={wanted}", *options]
    done = box.apply(*strace)
    return done, trace.read_text(errors="backslashreplace").splitlines()


def calls_of(lines: list[str]) -> Iterator[tuple[str, int]]:
    """Every call inside of the box, as strace counts it: the how manieth of its name."""
    counted: Counter[str] = Counter()
    for line in lines:
        name = line.partition("(")[0]
        counted[name] += 1
        if INSIDE.match(line):
            yield name, counted[name]


@dataclass(frozen=True)
class Change:
    """An apply that ends well: the old, the new, and the calls on the way."""

    box: Box
    copy: Path
    old: object
    new: object
    calls: tuple[tuple[str, int], ...]

    def begin(self) -> Box:
        shutil.rmtree(self.box.folder)
        copied(self.copy, self.box.folder)
        return self.box

    def refuse_half(self, where: str) -> None:
        """The old or the new now; the new, and nothing of ours beside it, after the next apply."""
        assert self.box.counted() in (self.old, self.new), where
        again = self.box.apply()
        assert 0 == again.returncode, where + again.stdout + again.stderr
        assert self.new == self.box.counted(), where
        assert [] == [*(self.box.folder / "state").glob("**/.*.reconcile-new-*")], where


def copied(old: Path, new: Path) -> Path:
    subprocess.run(["cp", "-a", old, new], check=True)
    return new


@pytest.fixture(scope="module")
def change(tmp_path_factory: pytest.TempPathFactory) -> Change:
    """Found out once; every test begins it again."""
    box = built(tmp_path_factory.mktemp("refused") / "box")
    old, copy = box.counted(), copied(box.folder, box.folder.with_name("copy"))
    done, lines = traced(box)
    assert 0 == done.returncode, done.stdout + done.stderr
    return Change(box, copy, old, box.counted(), tuple(calls_of(lines)))


def thrown(
    change: Change, error: str, name: str, number: int
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """An apply in which that call fails, and all its calls.

    Which call has that number depends on what else runs on the machine, since an apply looks at
    processes: where it was none inside of the box, the nearest that is fails in the next try.
    """
    for _ in range(5):
        done, lines = traced(change.begin(), f"{name}:error={error}:when={number}")
        if any("(INJ" in line and not ELSEWHERE.match(line) for line in lines):
            break
        inside = [made for call, made in calls_of(lines) if call == name] or [number]
        number = min(inside, key=lambda made, wanted=number: abs(made - wanted))
    return done, lines


def reported(done: subprocess.CompletedProcess[str], number: int) -> bool:
    """In our words; of nginx's files in those that nginx has."""
    output = done.stdout + done.stderr
    return REASONS[number] in output or os.strerror(number) in output


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("step", [1500, pytest.param(7, marks=pytest.mark.nightly)])
def test_a_system_call_that_fails_is_reported_and_leaves_the_old_or_the_new(
    change: Change, error: str, step: int
) -> None:
    """Each error at others of the calls; at night every call fails, each with one of them."""
    assert len(change.calls) > 100

    for name, number in change.calls[step * ERRORS.index(error) // len(ERRORS) :: step]:
        done, lines = thrown(change, error, name, number)

        where = f"{error} at {name} {number}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert [name] == [line.partition("(")[0] for line in lines if "(INJ" in line], where
        TALLY["faults at a system call of an apply"] += 1
        assert "Traceback" not in done.stderr + done.stdout, where
        assert done.returncode in ENDS, where
        assert done.returncode == 0 or reported(done, getattr(errno, error)), where
        change.refuse_half(where)


def fill(disk: Path) -> None:
    free = os.statvfs(disk)
    (disk / "filling").write_bytes(bytes(free.f_bavail * free.f_frsize))


def use_all_inodes(disk: Path) -> None:
    (disk / "filling").mkdir()
    for number in range(os.statvfs(disk).f_ffree):
        (disk / f"filling/{number}").touch()


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


def fix(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    subprocess.run(["rm", "-rf", disk / "filling"], check=True)


def refused(box: Box, old: object, done: subprocess.CompletedProcess[str], why: str) -> None:
    """It was told why, the old is there, and an apply ends well once the cause is gone."""
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert done.returncode in ENDS - {0}, output
    assert why in output
    assert old == box.counted()
    again = box.apply()
    assert 0 == again.returncode, again.stdout + again.stderr
    assert old != box.counted()


class TestForReal:
    """What strace says once, a disk says again and again."""

    @pytest.fixture(params=["root", "state"])
    def disk(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
        """A small disk that holds what is applied, or our own memory of it."""
        disk = tmp_path / "box" / request.param
        disk.mkdir(parents=True)
        options = "size=2m,nr_inodes=500,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True)
        yield disk
        subprocess.run(["umount", disk], check=True)

    @pytest.mark.parametrize(
        ("hinder", "error"),
        [(fill, errno.ENOSPC), (use_all_inodes, errno.ENOSPC), (make_read_only, errno.EROFS)],
        ids=["no space", "no inodes", "mounted read-only"],
    )
    def test_a_full_disk_is_reported_and_leaves_the_old(
        self, disk: Path, hinder: Callable[[Path], None], error: int
    ) -> None:
        box = built(disk.parent)
        old = box.counted()

        hinder(disk)
        done = box.apply()
        fix(disk)

        is_planned = disk.name == "root" and error == errno.ENOSPC
        refused(box, old, done, "is too full for this plan" if is_planned else REASONS[error])

    def test_an_immutable_directory_is_reported_and_leaves_the_old(self, change: Change) -> None:
        box = change.begin()
        root = box.folder / "root"

        subprocess.run(["chattr", "+i", root], check=True)
        try:
            done = box.apply()
        finally:
            subprocess.run(["chattr", "-i", root], check=True)

        refused(box, change.old, done, f"{root} is immutable")

    def test_too_few_descriptors_are_reported_and_leave_the_old(self, change: Change) -> None:
        """Two more at a time, until there are enough."""
        for descriptors in count(FEWEST, 2):
            box = change.begin()
            done = box.apply("prlimit", f"--nofile={descriptors}")
            if done.returncode == 0:
                break
            refused(box, change.old, done, REASONS[errno.EMFILE])

        assert descriptors > FEWEST
        assert change.new == box.counted()
