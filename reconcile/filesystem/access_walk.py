"""What an account can do along a path, whose symlinks are followed as the kernel does."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from itertools import islice
from posixpath import dirname, join

from reconcile.dataclass import dataclass
from reconcile.filesystem.access_check import EXECUTE, READ, WRITE, Account, access_facts, allows
from reconcile.filesystem.acl import AclEntry
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import components
from reconcile.filesystem.safe_path import MOST_SYMLINKS, PIN, PIN_DIRECTORY, closing, open_readable

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_STICKY = 0o1002
"""A directory in which everybody may create names, but only remove their own."""


@dataclass(frozen=True)
class AccessStep:
    """One component of a path, and what the account can do with it.

    `passable`: enter the directory, or follow the link; `readable`: read the file or
    list the directory; `writable`: write the file, or change names in the directory.
    """

    path: str
    stat: Stat
    passable: bool
    readable: bool
    writable: bool
    acl: tuple[AclEntry, ...] = ()


@dataclass(frozen=True)
class AccessWalk:
    """Every component from `/` to the path, as far as it exists.

    A symlink is followed by the components of its target.
    """

    steps: tuple[AccessStep, ...]
    complete: bool
    is_loop: bool = False
    """Whether its symlinks are more than the kernel follows."""

    @property
    def blocked(self) -> AccessStep | None:
        """The first directory above the path that denies access to the account."""
        above = self.steps[:-1] if self.complete else self.steps
        way = (step for step in above if step.stat.kind in ("directory", "symlink"))
        return next((step for step in way if not step.passable), None)

    @property
    def denied(self) -> tuple[AccessStep, ...]:
        """Every directory of the path, itself included, that denies access to the account."""
        folders = (step for step in self.steps if step.stat.kind == "directory")
        return tuple(step for step in folders if not step.passable)

    @property
    def last(self) -> AccessStep | None:
        """The path itself; None where it does not exist."""
        return self.steps[-1] if self.complete else None

    @property
    def can_read(self) -> bool:
        """Whether the account can read the file or list the directory."""
        return self.last is not None and self.blocked is None and self.last.readable

    @property
    def can_enter(self) -> bool:
        """Whether the account can enter the directory."""
        return self.last is not None and self.blocked is None and self.last.passable


def walk_as(path: str, account: Account, *, follow: bool = True) -> AccessWalk:
    """Check `/` and every component down to `path`, symlinks followed as the kernel does.

    `follow`: also a link at its end. It starts at the account's own root. Only names are opened,
    so a link redirects nothing.
    Errors: OSError where this process itself is denied.
    """
    with closing(os.open(account.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
        walker = _AccessWalker(account, root)
        try:
            steps = walker.walk(path, follow=follow)
            return AccessWalk(steps, complete=walker.complete, is_loop=walker.is_loop)
        except PermissionError:
            # What denies this process also denies the account, if a step shows that.
            if all(step.passable for step in walker.steps):
                raise
            return AccessWalk(tuple(walker.steps), complete=False)


def is_hidden_from(account: Account, path: str) -> bool:
    """Whether its sandbox puts something else, or nothing, where this process has `path`."""
    if account.root == "/":
        return False
    try:
        outside = os.stat(path)
    except OSError:
        return False
    with closing(os.open(account.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as root:
        try:
            with closing(_open_below(root, path)) as pin:
                return not os.path.samestat(outside, os.fstat(pin))
        except OSError:
            return True


def names_for(path: str, account: Account, most: int) -> list[str]:
    """At most `most` names in the directory at a physical path of the account's own root."""
    with (
        closing(os.open(account.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as root,
        closing(_open_below(root, path)) as pin,
        open_readable(pin) as folder,
        os.scandir(folder) as entries,
    ):
        return [entry.name for entry in islice(entries, most)]


def _open_below(root: int, path: str) -> int:
    """Pin a physical path below `root`; a component that became a link is refused."""
    here, names = os.dup(root), components(path)
    for number, name in enumerate(names):
        flags = PIN if number == len(names) - 1 else PIN_DIRECTORY
        with closing(here):
            here = os.open(name, flags, dir_fd=here)
    return here


class _AccessWalker:
    """Walks physical paths: a name is examined only below directories that are no links."""

    def __init__(self, account: Account, root: int) -> None:
        self._account = account
        self._root = root
        self._folder, self._fd = "", -1
        """The directory that was reached last, without a final slash, and its descriptor."""
        self.steps: list[AccessStep] = []
        self.complete = True
        self.is_loop = False
        self._links = 0

    def walk(self, path: str, *, follow: bool) -> tuple[AccessStep, ...]:
        """The steps to `path`; ends at the first one that does not exist."""
        try:
            return self._walk(path, follow=follow)
        finally:
            self._hold("", -1)

    def _walk(self, path: str, *, follow: bool) -> tuple[AccessStep, ...]:
        here, names = "/", components(path)[::-1]
        self._step(here)
        while names and self.complete:
            name = names.pop()
            if name == "..":
                here = dirname(here)
                continue
            target = self._step(join(here, name))
            if target is None or not (names or follow):
                here = join(here, name)
            else:
                names += reversed(components(target))
                here = "/" if target.startswith("/") else here
        if follow and self.complete and self.steps[-1].path != here:
            self._step(here)
        return tuple(self.steps)

    def _step(self, path: str) -> str | None:
        """Add the step; the target of a symlink, None for anything else."""
        try:
            fd = self._open(path)
        except OSError as error:
            if error.errno not in _MISSING:
                raise
            self.complete = False
            return None
        self._hold(path.rstrip("/"), fd)
        found = check_step(path, fd, self._account)
        if found.stat.kind != "symlink":
            self.steps.append(found)
            return None
        self.steps.append(self._restricted(found))
        return self._target(fd)

    def _open(self, path: str) -> int:
        """Pin a physical path, below the last one or from the root again."""
        folder, _, name = path.rpartition("/")
        if self._fd < 0 or folder != self._folder:
            return _open_below(self._root, path)
        return os.open(name, PIN, dir_fd=self._fd)

    def _hold(self, path: str, fd: int) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._folder, self._fd = path, fd

    def _target(self, link: int) -> str | None:
        self._links += 1
        if self._links > MOST_SYMLINKS:
            self.complete, self.is_loop = False, True
            return None
        return os.readlink("", dir_fd=link)

    def _restricted(self, link: AccessStep) -> AccessStep:
        """`link`, which the kernel may refuse to follow in a directory such as /tmp.

        Source: proc_sys_fs(5), protected_symlinks.
        """
        above = next((s.stat for s in self.steps if s.path == dirname(link.path)), None)
        is_shared = above is not None and above.mode & _STICKY == _STICKY
        if not is_shared or link.stat.uid in (self._account.uid, above.uid if above else -1):
            return link
        return replace(link, passable=not _protects_symlinks())


def _protects_symlinks() -> bool:
    try:
        with open("/proc/sys/fs/protected_symlinks") as setting:
            return setting.read().strip() == "1"
    except OSError:
        return False


def check_step(path: str, pin: int, account: Account) -> AccessStep:
    """What `account` can do with one pinned inode."""
    st, acl = access_facts(pin)
    passable, readable, writable = (
        allows(st, acl, account, want) for want in (EXECUTE, READ, WRITE)
    )
    return AccessStep(path, st, passable, readable, writable, acl)
