"""The folder of a release: filled for the app's user, whose steps write to it, then root's.

It is complete once it is root's, open to others, and holds no `.incomplete`. Whatever a step
has left in it is taken over by descriptor: links are never followed, and what has a second name
elsewhere is replaced by a copy, so that nothing outside of the folder gets another owner.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from posixpath import dirname, join

from reconcile.filesystem.atomic_write import NEW_FILE, write_all
from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.fsync import sync_directory, sync_filesystem
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.mount import mount_points
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import chunks, names_in, open_file
from reconcile.filesystem.release.listing import (
    INCOMPLETE,
    ReleaseFile,
    ReleaseListing,
    is_program,
    refuse_changed,
)
from reconcile.filesystem.safe_path import (
    PIN,
    PIN_DIRECTORY,
    PinnedName,
    closing,
    pin_directory,
    pin_name,
)
from reconcile.filesystem.sync.source import Source, open_source
from reconcile.filesystem.walk import DEEPEST

FOLDER_MODE = 0o755
_UNFINISHED_MODE = 0o700
"""Of a folder that is about to get its `.incomplete`, or that is being removed with it."""
_FILE_MODE, _PROGRAM_MODE = 0o644, 0o755
_TEMPORARY = ".reconcile-unlinked"


def is_complete(path: str, uid: int) -> bool:
    """Whether the release at `path` has had all of its steps, and belongs to `uid`."""
    try:
        with pin_name(path) as at, at.pinned(PIN_DIRECTORY) as pin:
            found = os.fstat(pin)
            is_unfinished = stat.S_IMODE(found.st_mode) == _UNFINISHED_MODE
            return found.st_uid == uid and not is_unfinished and INCOMPLETE not in names_in(pin)
    except (FileNotFoundError, NotADirectoryError):
        return False


def fill(
    path: str, listing: ReleaseListing, uid: int, gid: int, guard: PlaceGuard = UNGUARDED
) -> None:
    """Create the release at `path` anew from its source, incomplete, for `uid` to work in.

    Errors: OSError, ChangedSincePlan where the source is not as it was listed.
    """
    remove(path, guard)
    with pin_name(path) as at:
        guard.refuse(at.dir_fd, path)
        os.mkdir(at.name, _UNFINISHED_MODE, dir_fd=at.dir_fd)
        sync_directory(at.dir_fd)
        with at.pinned(PIN_DIRECTORY) as pin:
            _create(pin, INCOMPLETE, 0o600)
            sync_directory(pin)
            _copy(pin, listing, guard)
            # The folder itself last: until then nobody else can change anything in it.
            _give_below(pin, uid, gid)
            os.chown(fd_path(pin), uid, gid)
            os.chmod(fd_path(pin), FOLDER_MODE)


def seal(path: str, uid: int, gid: int) -> None:
    """Make everything in the release root's, readable for `gid` and writable for nobody else.

    `uid` had worked in it. Durable when this returns, and complete only then.
    Errors: OSError; HostError for what its user could not have put there.
    """
    with pin_name(path) as at, at.pinned(PIN_DIRECTORY) as pin:
        # From the top down: once a directory is ours, no name in it can be exchanged.
        os.chown(fd_path(pin), os.geteuid(), gid)
        os.chmod(fd_path(pin), FOLDER_MODE)
        _take_over(pin, path, uid, gid, depth=0)
        # Thousands of small files: one flush of all is faster than one of each.
        sync_filesystem(pin)
        with suppress(FileNotFoundError):
            os.unlink(INCOMPLETE, dir_fd=pin)
        sync_directory(pin)


def remove(path: str, guard: PlaceGuard = UNGUARDED) -> None:
    """Remove the release at `path`, whoever owns what is in it; nothing to do where it is gone."""
    try:
        with pin_name(path) as at:
            if at.stat() is None:
                return
            with at.pinned(PIN_DIRECTORY) as pin:
                _refuse_data(pin, path, guard)
                # What is half removed is incomplete, whichever name goes first.
                os.chmod(fd_path(pin), _UNFINISHED_MODE)
                sync_directory(pin)
            shutil.rmtree(at.name, dir_fd=at.dir_fd)
            sync_directory(at.dir_fd)
    except FileNotFoundError:
        return


def _refuse_data(pin: int, path: str, guard: PlaceGuard) -> None:
    """Nothing is removed that other people's data leads to, or that is mounted there."""
    protected = sorted(guard.enter(pin, path).below)
    mounted = mount_points(path)
    if protected or mounted:
        inside = join(path, (*protected, *mounted)[0])
        raise HostError(
            f"the release {path} cannot be removed",
            f"{inside} is a mount" if mounted else f"a folder of uploads leads to {inside}",
            "Move that out of the release.",
        )


def _create(dir_fd: int, name: str, mode: int) -> None:
    os.close(os.open(name, NEW_FILE, mode, dir_fd=dir_fd))


def _copy(pin: int, listing: ReleaseListing, guard: PlaceGuard) -> None:
    made = {""}
    with open_source(listing.source, guard, refuse=True, copies_hidden=True) as source:
        for file in listing.files:
            _make_directories(pin, dirname(file.path), made)
            _copy_file(pin, source, file)


def _make_directories(pin: int, folder: str, made: set[str]) -> None:
    if folder in made:
        return
    _make_directories(pin, dirname(folder), made)
    os.mkdir(folder, 0o755, dir_fd=pin)
    made.add(folder)


def _copy_file(pin: int, source: Source, file: ReleaseFile) -> None:
    with source.open_file(file.source_path) as original:
        refuse_changed(source, file, original)
        mode = _PROGRAM_MODE if is_program(file, original) else _FILE_MODE
        with closing(os.open(file.path, NEW_FILE, 0o600, dir_fd=pin)) as copy:
            for chunk in chunks(original):
                write_all(copy, chunk)
            os.fchmod(copy, mode & ~0o007 if file.is_private else mode)
        refuse_changed(source, file, original)


def _give_below(pin: int, uid: int, gid: int) -> None:
    """Everything in the directory, which nobody else can write yet."""
    for name in names_in(pin):
        with closing(os.open(name, PIN, dir_fd=pin)) as fd:
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                _give_below(fd, uid, gid)
            if name != INCOMPLETE:
                os.chown(fd_path(fd), uid, gid)


def _take_over(pin: int, path: str, uid: int, gid: int, depth: int) -> None:
    """Everything in the directory, which is ours already."""
    if depth > DEEPEST:
        raise HostError(f"{path} is nested too deeply", f"more than {DEEPEST} folders")
    for name in names_in(pin):
        if depth or name != INCOMPLETE:
            _take_over_name(PinnedName(join(path, name), pin, name, "trusted"), uid, gid, depth)


def _take_over_name(at: PinnedName, uid: int, gid: int, depth: int) -> None:
    st = os.stat(at.name, dir_fd=at.dir_fd, follow_symlinks=False)
    if stat.S_ISLNK(st.st_mode):
        os.chown(at.name, os.geteuid(), gid, dir_fd=at.dir_fd, follow_symlinks=False)
    elif stat.S_ISDIR(st.st_mode):
        with at.pinned(PIN_DIRECTORY) as pin:
            _give_to_root(pin, st, gid)
            _take_over(pin, at.path, uid, gid, depth + 1)
    elif not stat.S_ISREG(st.st_mode):
        # Sockets and pipes of what a step ran.
        os.unlink(at.name, dir_fd=at.dir_fd)
    elif st.st_nlink > 1:
        _unlink_from_others(at, uid, gid)
    else:
        with at.pinned() as pin:
            _give_to_root(pin, st, gid)


def _give_to_root(pin: int, st: os.stat_result, gid: int) -> None:
    """Make it root's; the app's group may do what the app's user could, except write."""
    if (st.st_uid, st.st_gid) != (os.geteuid(), gid):
        os.chown(fd_path(pin), os.geteuid(), gid)
    mode = stat.S_IMODE(st.st_mode)
    sealed = 0o200 | mode & 0o505 | (mode & 0o500) >> 3
    if sealed != mode:
        os.chmod(fd_path(pin), sealed)


def _unlink_from_others(at: PinnedName, uid: int, gid: int) -> None:
    """Replace a name of a file that has others, such as in a cache, by a copy of the file."""
    with open_file(at) as fd:
        st = os.fstat(fd)
        if st.st_uid not in (uid, os.geteuid()):
            raise HostError(
                f"{at.path} is a hard link to a file of another user",
                "a step of the release made it",
                "Remove it in that step. Nothing was switched.",
            )
        with _temporary(at) as copy:
            for chunk in chunks(fd):
                write_all(copy, chunk)
            _give_to_root(copy, os.fstat(copy), gid)
            os.fchmod(copy, 0o200 | stat.S_IMODE(st.st_mode) & 0o505 | (st.st_mode & 0o500) >> 3)


@contextmanager
def _temporary(at: PinnedName) -> Iterator[int]:
    """A new file that takes the place of `at` at the end of the body."""
    with suppress(FileNotFoundError):
        os.unlink(_TEMPORARY, dir_fd=at.dir_fd)
    with closing(os.open(_TEMPORARY, NEW_FILE, 0o600, dir_fd=at.dir_fd)) as fd:
        yield fd
    os.rename(_TEMPORARY, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)


def names_of_releases(folder: str) -> list[str]:
    """The releases in `folder`, complete or not; none where it is absent."""
    try:
        with pin_directory(folder) as (pin, _):
            return sorted(names_in(pin))
    except FileNotFoundError:
        return []
