"""Nothing outside is changed while the web user swaps names under root's hands.

Each operation runs against an attacker who turns a directory into a symlink that
leads to root's files, and back, as fast as the machine allows. The same attacker
against a plain recursive chown shows that the test bites.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host, canary
from tests.attack.attacker import WEB, attacker, swap
from tests.support.disk import picture
from tests.support.recorder import recording
from tests.support.sync import sync
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

RULE = PermissionPolicy(WEB, WEB, 0o644, 0o755)
SHORT, LONG = 750, 36_000
SLOW_SHORT, SLOW_LONG = 100, 4_000
"""Runs of each operation at each pace."""
PACES = {"restless": 0, "resting": 3e-4}
"""How long the attacker may rest, in seconds: never, he wins nearly every turn; a little, more
operations find the real directory and have it taken away under their hands."""
CONTROL_RUNS = 20_000
WAIT_S = 120
"""For a machine so busy that one of the two hardly had a turn."""

Operation = Callable[[Host, Path, int], None]


@pytest.fixture
def media(public: Path) -> Path:
    """The web user's directory, with `album` in it and `decoy`, a symlink to root's files."""
    outside = public / "outside"
    outside.mkdir(mode=0o755)
    for name in ("photo.jpg", "shadow"):
        (outside / name).write_text("root's own")
        (outside / name).chmod(0o600)
    (outside / "drafts").mkdir()
    source = public / "source/album"
    source.mkdir(parents=True)
    (source / "photo.jpg").write_text("shipped")
    (source / "new.css").write_text("shipped too")
    album = public / "media/album"
    album.mkdir(parents=True)
    (album / "photo.jpg").write_text("a visitor's")
    (public / "media/decoy").symlink_to(outside)
    for path in (public / "media", album, album / "photo.jpg"):
        os.chown(path, WEB, WEB)
    return public / "media"


def set_meta_of_a_file(host: Host, media: Path, run: int) -> None:
    host.files.set_permissions(
        f"{media}/album/photo.jpg", uid=WEB, gid=WEB, mode=(0o600, 0o644)[run % 2]
    )


def set_meta_of_a_directory(host: Host, media: Path, run: int) -> None:
    host.files.set_permissions(f"{media}/album", uid=WEB, gid=WEB, mode=(0o700, 0o755)[run % 2])


def write(host: Host, media: Path, run: int) -> None:
    host.files.write(f"{media}/album/photo.jpg", b"%d" % run, uid=WEB, gid=WEB, mode=0o644)


def link(host: Host, media: Path, run: int) -> None:
    host.files.symlink(f"{media}/album/shadow", f"target{run}")


def unlink(host: Host, media: Path, run: int) -> None:
    host.files.unlink(f"{media}/album/photo.jpg")
    host.files.write(f"{media}/album/photo.jpg", b"x", uid=WEB, gid=WEB, mode=0o644)


def make_a_directory(host: Host, media: Path, run: int) -> None:
    host.files.mkdir(f"{media}/album/{run}", uid=WEB, gid=WEB, mode=0o755)


def remove_a_directory(host: Host, media: Path, run: int) -> None:
    with suppress(ReconcileError):
        host.files.mkdir(f"{media}/album/drafts", uid=WEB, gid=WEB, mode=0o755)
    host.files.rmdir(f"{media}/album/drafts")


def plant_a_canary(host: Host, media: Path, run: int) -> None:
    one = canary.Canary.new()
    try:
        canary.create(host, f"{media}/album", one, mode=0o644, writer=None)
        canary.remove(host, f"{media}/album", one, writer=None)
    except OSError as refused:
        raise ReconcileError(str(refused)) from refused


def fix_a_tree(host: Host, media: Path, run: int) -> None:
    rule = PermissionPolicy(WEB, WEB, (0o600, 0o644)[run % 2], 0o755)
    host.files.fix_permissions(str(media), rule, host.files.scan(str(media), rule).deviations)


def copy_assets(host: Host, media: Path, run: int) -> None:
    (media.parent / "source/album/photo.jpg").write_text(f"shipped {run}")
    sync(host, SyncRequest(str(media.parent / "source"), str(media), RULE, prune=True))


def withdraw_assets(host: Host, media: Path, run: int) -> None:
    with suppress(ReconcileError):
        copy_assets(host, media, run)
    host.files.remove_synced(str(media))


def take_back(host: Host, media: Path, run: int) -> None:
    recorder = recording(host)
    try:
        with suppress(ReconcileError):
            host.files.write(f"{media}/album/photo.jpg", b"x", uid=WEB, gid=WEB, mode=0o644)
            host.files.set_permissions(f"{media}/album/photo.jpg", uid=WEB, gid=WEB, mode=0o600)
        recorder.take_back(host)
    finally:
        host.recorder = None


OPERATIONS = (
    set_meta_of_a_file,
    set_meta_of_a_directory,
    write,
    link,
    unlink,
    make_a_directory,
    remove_a_directory,
    plant_a_canary,
    fix_a_tree,
    copy_assets,
    withdraw_assets,
    take_back,
)
SLOW = (copy_assets, withdraw_assets)
"""They flush the disk."""
operations = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
paces = pytest.mark.parametrize("rest_s", PACES.values(), ids=PACES)


@dataclass
class Outcome:
    """How often the operation was carried out, how often refused, and how often attacked in it."""

    done: int = 0
    refused: int = 0
    attacked: int = 0

    @property
    def runs(self) -> int:
        return self.done + self.refused

    def is_conclusive(self) -> bool:
        """A test whose operation never got through, or was hardly attacked, is blind."""
        return self.done > 0 and 100 * self.attacked >= self.runs


def got_through_and_was_refused(outcome: Outcome) -> bool:
    return outcome.done > 0 and outcome.refused > 0


def attack(
    host: Host,
    media: Path,
    operation: Operation,
    runs: int,
    act: Callable[[], None],
    *,
    rest_s: float = 0,
    until: Callable[[Outcome], bool] = Outcome.is_conclusive,
) -> Outcome:
    """So many `runs` against an attacker who does `act`, and more where they have to tell more."""
    outcome, deadline = Outcome(), time.monotonic() + WAIT_S
    with attacker(act, rest_s) as attacks:
        while outcome.runs < runs or not (until(outcome) or time.monotonic() > deadline):
            before = attacks.count
            try:
                operation(host, media, outcome.runs)
                outcome.done += 1
            except ReconcileError:
                outcome.refused += 1
            outcome.attacked += attacks.count > before
    return outcome


def directories(media: Path) -> Callable[[], None]:
    return swap(media / "album", media / "decoy")


@paces
@operations
def test_nothing_outside_is_changed(
    host: Host, media: Path, operation: Operation, rest_s: float
) -> None:
    runs = SLOW_SHORT if operation in SLOW else SHORT
    _held_against(host, media, operation, runs, rest_s)


@pytest.mark.nightly
@paces
@operations
def test_nothing_outside_is_changed_in_many_runs(
    host: Host, media: Path, operation: Operation, rest_s: float
) -> None:
    runs = SLOW_LONG if operation in SLOW else LONG
    _held_against(host, media, operation, runs, rest_s)


def _held_against(host: Host, media: Path, operation: Operation, runs: int, rest_s: float) -> None:
    outside = media.parent / "outside"
    before = picture(outside)

    outcome = attack(host, media, operation, runs, directories(media), rest_s=rest_s)

    TALLY["attacks: runs"] += outcome.runs
    TALLY["attacks: runs with names swapped while they ran"] += outcome.attacked
    TALLY["attacks: writes outside"] += before != picture(outside)
    assert before == picture(outside)
    assert outcome.runs >= runs
    assert outcome.is_conclusive(), outcome


def test_the_same_attacker_wins_against_a_recursive_chown(host: Host, media: Path) -> None:
    """The positive control: without it, the tests above could be blind."""
    outside = media.parent / "outside"
    before = picture(outside)

    def recursive_chown(host: Host, media: Path, run: int) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(media / "album"):
                os.chown(media / "album" / name, WEB, WEB)

    deadline, run = time.monotonic() + WAIT_S, 0
    with attacker(directories(media)):
        while before == picture(outside) and (run < CONTROL_RUNS or time.monotonic() < deadline):
            recursive_chown(host, media, run)
            run += 1

    assert before != picture(outside)


def test_the_attack_meets_both_the_real_directory_and_the_decoy(host: Host, media: Path) -> None:
    outcome = attack(
        host,
        media,
        set_meta_of_a_file,
        3_000,
        directories(media),
        until=got_through_and_was_refused,
    )

    assert outcome.done > 0
    assert outcome.refused > 0


class TestHardLinks:
    """A link to root's file, put into place while a tree is mended."""

    def test_no_inode_of_roots_is_given_away(self, host: Host, media: Path) -> None:
        secret = media.parent / "outside/shadow"
        # As where the kernel does not protect links: the attacker has one ready.
        os.link(secret, media / "decoy.hard")
        photo = media / "album.jpg"
        photo.write_text("a visitor's")
        os.chown(photo, WEB, WEB)
        before = secret.stat()

        def fix_both(host: Host, media: Path, run: int) -> None:
            fix_a_tree(host, media, run)
            host.files.set_permissions(str(photo), uid=WEB, gid=WEB, mode=0o644)

        outcome = attack(host, media, fix_both, SHORT, swap(photo, media / "decoy.hard"))

        after = secret.stat()
        assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)
        assert outcome.is_conclusive(), outcome
