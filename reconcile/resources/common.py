"""What all kinds that are paths share: owners, modes, directories above."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from posixpath import dirname
from typing import TYPE_CHECKING

from reconcile.engine.model import Change, Changes
from reconcile.engine.resource import Ref, Resource
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inode import FileKind, Ownership
from reconcile.filesystem.path import ancestors, relative_to
from reconcile.filesystem.scan_result import Examples, OwnedExamples
from reconcile.system import Host
from reconcile.system.accounts import Accounts
from reconcile.system.services.service_undo import record_unit_file
from reconcile.system.services.unit_files import is_unit_file, unit_of
from reconcile.wording import counted, first_few

if TYPE_CHECKING:
    from reconcile.filesystem.release.unfetched import Unfetched
    from reconcile.filesystem.sync.source import NotCopied

MAX_EXAMPLES = 5
"""Paths named in a line of the plan."""

PRIVATE_SOURCE = "private-source"
"""The rule of a finding about a source that must not be published."""

ARTICLES: dict[FileKind, str] = {
    "file": "a file",
    "directory": "a directory",
    "symlink": "a symlink",
    "other": "neither a file nor a directory",
}


def octal(mode: int) -> str:
    """A mode as it is written in the YAML: "0644"."""
    return f"{mode:04o}"


def ownership(user: str | None, group: str | None, mode: int | None = None) -> str:
    """Owner and mode, such as "www-data:www-data 0755"; of each only what is managed."""
    owner = f"{user or ''}:{group or ''}" if user or group else ""
    return " ".join(part for part in (owner, "" if mode is None else octal(mode)) if part)


def folders_above(path: str) -> frozenset[Ref]:
    """The directory resources above `path`."""
    return frozenset(Ref("directory", folder) for folder in ancestors(path))


def owner_ids(host: Host, user: str | None, group: str | None) -> tuple[int, int]:
    """uid and gid; those of who applies where no name is given. Errors: UnknownAccount."""
    me = host.accounts.current
    uid = me.uid if user is None else host.accounts.user(user).uid
    gid = me.gid if group is None else host.accounts.group(group)
    return uid, gid


def excluded_below(root: str, paths: Iterable[str]) -> frozenset[str]:
    """Those of `paths` that are below `root`, relative to it."""
    found = (relative_to(path, root) for path in paths)
    return frozenset(path for path in found if path is not None)


def owner_and_mode_change(before: tuple[str, int], after: tuple[str, int]) -> str:
    """`owner root:root -> www-data:www-data, mode 0600 -> 0644`, without what stays."""
    owner = f"owner {before[0]} -> {after[0]}" if before[0] != after[0] else ""
    mode = f"mode {octal(before[1])} -> {octal(after[1])}" if before[1] != after[1] else ""
    return ", ".join(filter(None, (owner, mode)))


def skipped_note(examples: Examples, noun: str, place: str, why: str) -> Iterator[str]:
    """`3 files in /a were skipped: …`, if any were; `{was}`, `{is}` in `why` agree."""
    if examples.count:
        verbs = {"was": "was", "is": "is"} if examples.count == 1 else {"was": "were", "is": "are"}
        names = first_few(examples.paths, MAX_EXAMPLES, examples.count)
        yield f"{counted(examples.count, noun)} in {place} {why.format(**verbs)}: {names}"


def unfetched_notes(source: str, found: Unfetched) -> Iterator[str]:
    """A note for each kind of content that a release of the source lacks."""
    if found.pointers:
        pointers = f"{counted(len(found.pointers), 'file')} in {source}"
        names = first_few(found.pointers, MAX_EXAMPLES)
        yield f"{pointers} only with the pointer of Git LFS, run `git lfs pull` there: {names}"
    if found.submodules:
        modules = f"{counted(len(found.submodules), 'submodule')} in {source}"
        names = first_few(found.submodules, MAX_EXAMPLES)
        yield f"{modules} not checked out, run `git submodule update --init` there: {names}"


def owners_of(folder: str, examples: OwnedExamples) -> tuple[str, ...]:
    """The first few, each with its owner."""
    names = Accounts()
    return tuple(
        f"{folder}/{path} belongs to {names.user_name(examples.owners[path])}"
        for path in examples.paths[:MAX_EXAMPLES]
        if path in examples.owners
    )


def refuse_unknown_owner(host: Host, user: str | None, group: str | None) -> None:
    """Make an owner without an account fail the plan, not the apply. Errors: UnknownAccount."""
    owner_ids(host, user, group)


def refuse_giving(host: Host, resource: Resource, changes: Sequence[Change]) -> None:
    """Refuse a change of owner or mode that the disk would refuse. Errors: HostError."""
    change = Changes.of(changes).by_ref.get(resource.ref)
    if change is not None and change.before and _gives(change):
        host.files.refuse_giving(change.ref.name, _planned_ownership(host, change))


def _planned_ownership(host: Host, change: Change) -> Ownership:
    names = ("user", "group", "mode")
    user, group, mode = (
        getattr(change.after, name) or getattr(change.before, name) for name in names
    )
    return Ownership(*owner_ids(host, user, group), mode or 0)


def refuse_missing_folder(host: Host, resource: Resource, changes: Sequence[Change]) -> None:
    """Refuse to create what lies in a directory that is not selected. Errors: HostError."""
    folder = resource.name if resource.writes_inside else dirname(resource.name)
    change = Changes.of(changes).by_ref.get(resource.ref)
    if change is None or change.before is not None:
        return
    if host.files.is_planned(folder) or host.files.stat(folder, follow=True):
        return
    raise HostError(
        what=f"{resource.name} cannot be created",
        why=f"its directory {folder} does not exist, and is not selected",
        fix=f"Select directory:{folder} too. Nothing was changed.",
    )


def _gives(change: Change) -> bool:
    """Whether the inode stays, and its owner or mode does not."""
    names = {field.name for field in change.fields}
    return change.after is not None and "content" not in names and bool(names)


@contextmanager
def unit_files_read_again(host: Host, path: str) -> Iterator[None]:
    """Have the service manager read `path` again after the body, if it is a unit file."""
    if not is_unit_file(path):
        yield
        return
    record_unit_file(host, unit_of(path))
    yield
    host.services.daemon_reload()


def wrong_kind(path: str, there: FileKind, wanted: FileKind) -> HostError:
    """The error for something else at `path`, which reconcile must not remove."""
    return HostError(
        what=f"{path} is {ARTICLES[there]}, but the configuration declares {ARTICLES[wanted]}",
        why="reconcile did not create it, so it is not replaced",
        fix=f"Move {path} away, or declare another path.",
    )


def left_out_notes(source: str, out: NotCopied) -> Iterator[str]:
    """A note for each kind of thing in the source that no release gets."""
    yield from skipped_note(
        out.outside, "symlink", source, "{was} not copied: target outside of the source"
    )
    yield from skipped_note(
        out.special, "path", source, "{was} not copied: neither a file nor a directory"
    )
    yield from skipped_note(
        out.private,
        "file",
        source,
        "{was} not copied: a user who may have put it there cannot read it",
    )
    yield from skipped_note(
        out.protected, "folder", source, "{was} not copied: users' data is protected"
    )
    yield from skipped_note(
        out.foreign, "file", source, "{was} not copied: hard-linked, and owned by another user"
    )
