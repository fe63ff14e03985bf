"""A file with its whole content, such as a site's configuration or an environment file."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from posixpath import dirname
from typing import Any, ClassVar, Literal, Self

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.engine.model import Action, Change, Finding
from reconcile.engine.resource import Owner, Ref, Resource
from reconcile.filesystem.files import LIMIT
from reconcile.filesystem.free_space import NewFile, NewFiles
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.planned_entry import Entry
from reconcile.nginx.render.site_config import is_managed, without_config_token
from reconcile.resources.common import (
    PRIVATE_SOURCE,
    folders_above,
    octal,
    owner_ids,
    ownership,
    refuse_giving,
    refuse_missing_folder,
    refuse_unknown_owner,
    unit_files_read_again,
    wrong_kind,
)
from reconcile.resources.metadata_effects import acl_finding, capability_finding, describe_grants
from reconcile.resources.unit_paths import removal_rank_of
from reconcile.system import Host
from reconcile.system.probe_login import without_login

NEW_MODE = 0o644
TOO_LARGE = "larger than what is written"
USUAL = ("root:root 0644", "0644")
"""Owners and modes that are too common to be shown in a plan."""


@dataclass(frozen=True, kw_only=True)
class File(Resource):
    """One regular file; where `content` is unmanaged it is never read.

    Where absent, unmanaged fields default to who applies and 0644. Of a `sensitive`
    content only the digest is shown.
    """

    kind: Literal["file"] = "file"
    path: str
    content: bytes | None = None
    user: str | None = None
    group: str | None = None
    mode: int | None = None
    sensitive: bool = False
    masked: str = ""
    """Observed: how the new mode will change what the ACL grants."""
    loses_capabilities: bool = False
    """Observed: it has capabilities, and will get new content."""
    declared: bool = True
    private_source: tuple[str, str] | None = None
    """The source that must not be published, and its owner."""
    identity: str | None = None
    """Observed: what it holds, where that is changed or removed."""
    inode: Stat | None = None
    """Observed: what gets another owner or mode."""

    order: ClassVar[int] = 20
    removal_order: ClassVar[int] = 98
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {
            *("path", "sensitive", "masked", "loses_capabilities"),
            *("declared", "content_digest", "identity", "inode", "private_source", "needs"),
        }
    )

    needs: tuple[str, ...] = ()
    """Refs, as text, of what has to be in place before."""
    content_digest: str = ""
    """Observed where it is not declared: of the content, which is then not shown."""

    form: ClassVar[str] = "file"
    is_name_removed: ClassVar[bool] = True
    sets_permissions: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        """The file at a path, with everything unmanaged, for its removal."""
        return cls(path=name, declared=False)

    @property
    def removal_rank(self) -> int:
        """See `removal_rank_of`."""
        return removal_rank_of(self.path, self.removal_order)

    def withheld(self) -> Finding | None:
        """A source that somebody who cannot read it can have moved there."""
        if self.private_source is None:
            return None
        source, owner = self.private_source
        return Finding(
            PRIVATE_SOURCE,
            "warning",
            f"{source} is not published as {self.path}: a user who may have moved it there cannot"
            " read it",
            (f"{source} belongs to {owner}",),
            f"If it may be public: chmod o+r {shlex.quote(source)}. If not, move it away.",
        )

    def planned_entry(self) -> Entry | None:
        """The content."""
        return self.content

    def claims(self, path: str, host: Host) -> bool:  # noqa: ARG002
        """Its path."""
        return path == self.path

    def requires(self) -> frozenset[Ref]:
        """The directories above it, and what its content leads to."""
        return folders_above(self.path) | {*map(Ref.parse, self.needs)}

    def observe(self, host: Host) -> Self | None:
        """The file as it is; None where absent. Errors: HostError."""
        refuse_unknown_owner(host, self.user, self.group)
        found, content = host.files.stat(self.path), None
        if found is not None and found.kind != "file":
            if not self.declared:
                return None
            raise wrong_kind(self.path, found.kind, "file")
        if found is not None and self.content is not None:
            # Facts and content from one descriptor belong together.
            found, content = host.files.content(self.path) or (None, None)
        if found is None:
            return None
        fields: dict[str, Any] = {
            "user": host.accounts.user_name(found.uid),
            "group": host.accounts.group_name(found.gid),
            "mode": found.mode,
            "content": content,
            "identity": self._identity(host, content),
            "inode": found,
        }
        if not self.declared:
            fields["content_digest"] = self._removal_digest(host, found)
        return replace(self, **fields, **self._side_effects(host, found, content))

    def _removal_digest(self, host: Host, found: Stat) -> str:
        """ "" where the file says at its top that changes by hand are lost, as nginx's do."""
        if found.size > LIMIT:
            return TOO_LARGE
        _, content = host.files.content(self.path) or (None, b"")
        # What others added is theirs; our own login is not.
        return "" if is_managed(content) else digest(without_login(content))

    def is_as_written(self, written: Mapping[str, str]) -> bool:
        """Whether it has the content that was written, or says that reconcile manages it."""
        return not self.content_digest or written.get("content") in (None, self.content_digest)

    def _identity(self, host: Host, content: bytes | None) -> str | None:
        if not self.declared:
            return host.files.identity(self.path)
        return None if content is None else _digest(content)

    def _side_effects(self, host: Host, found: Stat, content: bytes | None) -> dict[str, Any]:
        effects: dict[str, Any] = {}
        if self.mode not in (None, found.mode):
            grants = host.files.masked_grants(self.path, self.mode or 0)
            effects["masked"] = describe_grants(host, grants)
        if content != self.content:
            effects["loses_capabilities"] = host.files.has_capabilities(self.path)
        return effects

    def findings(self) -> tuple[Finding, ...]:
        """Side effects of the change."""
        masked = (acl_finding(self.path, self.masked),) if self.masked else ()
        lost = (capability_finding(self.path),) if self.loses_capabilities else ()
        return (*masked, *lost)

    def as_created(self, applier: Owner) -> Self:  # noqa: ARG002
        """The same with the mode that a new file gets."""
        return replace(self, mode=NEW_MODE) if self.mode is None else self

    def preflight(self, host: Host, changes: Sequence[Change]) -> Sequence[str]:
        """Refuse an owner that must not be given, a missing directory. Errors: HostError."""
        refuse_giving(host, self, changes)
        refuse_missing_folder(host, self, changes)
        return ()

    def apply(self, host: Host, before: Self | None) -> None:
        """Write the content, or only set owner and mode where it is equal."""
        with unit_files_read_again(host, self.path):
            self._write(host, before)

    def _write(self, host: Host, before: Self | None) -> None:
        uid, gid = owner_ids(host, self.user, self.group)
        mode = NEW_MODE if self.mode is None else self.mode
        if before is None or self.differs_in_content(before):
            expected = "" if before is None else before.identity
            data = self.file_data(host)
            host.files.write(self.path, data, uid=uid, gid=gid, mode=mode, expected=expected)
        else:
            host.files.set_permissions(
                self.path, uid=uid, gid=gid, mode=mode, expected=before.inode
            )

    def new_files(self, host: Host, before: Self | None) -> NewFiles | None:  # noqa: ARG002
        """Its content, where that changes."""
        if not self.differs_in_content(before):
            return None
        return NewFiles(dirname(self.path), (NewFile(len(self.content or b"")),))

    def file_data(self, host: Host) -> bytes:  # noqa: ARG002
        """What is written."""
        return self.content or b""

    def differs_in_content(self, before: File | None) -> bool:
        """Whether it has to be written."""
        return before is None or self.content != before.content

    def delete(self, host: Host) -> None:
        """Remove it."""
        with unit_files_read_again(host, self.path):
            host.files.unlink(self.path, self.identity)

    def summary(self, action: Action) -> str:
        """Owner and mode, unless they are common ones."""
        owner = ownership(self.user, self.group, self.mode)
        return "" if action == "delete" or owner in USUAL else owner

    def legible(self, text: str) -> str:
        """The content without the token that only reconcile reads."""
        return without_config_token(text)

    def removed_text(self, host: Host) -> str | None:
        """What nginx's configuration had; of another file it is not known whether it is secret."""
        _, content = host.files.content(self.path) or (None, b"")
        return content.decode("utf-8", "replace") if is_managed(content) else None

    def files_removed(self, after: Resource | None) -> int:
        """1 for a removal."""
        return 1 if after is None else 0

    def sensitive_fields(self) -> frozenset[str]:
        """The content where it is `sensitive`."""
        return frozenset({"content"}) if self.sensitive else frozenset()

    def display(self) -> dict[str, Any]:
        """The managed fields as text; the digest of a sensitive or binary content."""
        shown = self.managed()
        if self.content is not None:
            shown["content"] = (
                _digest(self.content) if self.sensitive else _text_or_digest(self.content)
            )
        if self.mode is not None:
            shown["mode"] = octal(self.mode)
        return shown


def _text_or_digest(content: bytes) -> str:
    """The text, or the digest of bytes that are no text; never a lossy text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _digest(content)


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
