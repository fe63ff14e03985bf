"""Files that a key names in the folder of the configuration, and that are copied to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.config.document import Loc
from reconcile.errors import ReconcileError
from reconcile.resources.file import File

if TYPE_CHECKING:
    from reconcile.config.context import CompileContext


def copied_file(context: CompileContext, path: str, source: str, loc: Loc) -> File:
    """`source`, as `path` on the host, readable by everybody.

    Errors: ReconcileError where there is no such file.
    """
    facts = context.facts
    owner = facts.private_sources.get(source)
    return File(
        path=path,
        content=None if owner else source_content(context, source, loc),
        private_source=(source, owner) if owner else None,
        user=facts.user,
        group=facts.group,
        mode=0o644,
    )


def source_content(context: CompileContext, source: str, loc: Loc) -> bytes:
    """What the file contains. Errors: ReconcileError where there is no such file."""
    content = context.facts.sources.get(source)
    if content is None:
        raise ReconcileError(
            what=f"{source} does not exist",
            why=f"{'.'.join(map(str, loc))} names it ({context.config.position_of(*loc)})",
            fix="Create the file, or correct the key. Nothing was changed.",
        )
    return content
