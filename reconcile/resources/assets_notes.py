"""What of a source is not copied, and what of a copy is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.engine.model import Finding
from reconcile.filesystem.sync.source import NotCopied
from reconcile.filesystem.sync.sync_diff import SyncDiff, TooManyFiles
from reconcile.filesystem.walk import DEEPEST
from reconcile.resources.common import PRIVATE_SOURCE, owners_of, skipped_note

if TYPE_CHECKING:
    from reconcile.resources.assets import Assets


def private_findings(wanted: Assets, out: NotCopied) -> Iterator[Finding]:
    """A warning for each file that somebody who cannot read it can have moved there."""
    private = out.private
    notes = skipped_note(
        private,
        "file",
        wanted.source,
        "{was} not published: a user who may have moved it there cannot read it",
    )
    for note in notes:
        yield Finding(
            PRIVATE_SOURCE,
            "warning",
            note,
            owners_of(wanted.source, private),
            "If it may be public: chmod o+r FILE. If not, move it out of the source.",
        )


def too_many_finding(wanted: Assets, error: TooManyFiles) -> Finding:
    """The warning for a source that is too large to be compared."""
    what = f"{wanted.path} is left as it is: {error.what}"
    return Finding("source-too-large", "warning", what, (error.why,), error.fix)


def skipped_notes(wanted: Assets, found: SyncDiff) -> Iterator[str]:
    """A line for each kind of path that is neither copied nor compared, and why."""
    root, source, out = wanted.path, wanted.source, found.not_copied
    yield from skipped_note(
        found.kept, "file", root, "{is} not in the source; kept because prune is off"
    )
    yield from skipped_note(
        found.skipped,
        "file",
        root,
        "{was} skipped: hard-linked, or owned by another user where somebody else can write",
    )
    yield from skipped_note(
        out.outside,
        "symlink",
        source,
        "{was} not copied: target outside of the source, or behind another symlink",
    )
    yield from skipped_note(
        out.special, "path", source, "{was} not copied: neither a file nor a directory"
    )
    yield from skipped_note(
        found.mounts, "directory", root, "{was} not compared: it, or its original, is another mount"
    )
    for too_deep, where, verb in (
        (out.too_deep, source, "copied"),
        (found.too_deep, root, "compared"),
    ):
        yield from skipped_note(
            too_deep,
            "directory",
            where,
            f"{{was}} not {verb}: more than {DEEPEST} levels deep; remove what made them",
        )
    yield from skipped_note(
        out.protected, "folder", source, "{was} not copied: users' data is protected"
    )
    yield from skipped_note(
        out.foreign, "file", source, "{was} not copied: hard-linked, and owned by another user"
    )
