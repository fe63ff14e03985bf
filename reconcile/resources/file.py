"""A file with its whole content: a site's configuration, a key, an environment file."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, ClassVar, Literal, Self

from reconcile.engine.model import Action, Finding
from reconcile.engine.resource import Owner, Ref, Resource
from reconcile.filesystem.inode import Stat
from reconcile.nginx.render.render import without_config_token
from reconcile.resources.common import (
    folders_above,
    octal,
    owner_ids,
    ownership,
    refuse_unknown_owner,
    wrong_kind,
)
from reconcile.resources.metadata_effects import capability_finding, grants_told, mask_finding
from reconcile.system import Host

NEW_MODE = 0o644
USUAL = ("root:root 0644", "0644")
"""Owners and modes that a plan need not name: whoever expects another one looks for it."""


class File(Resource):
    """One regular file; where `content` is unmanaged it is never read.

    Where absent and unmanaged it is made as who applies, 0644. A `sensitive`
    content is shown as nothing but its digest.
    """

    kind: Literal["file"] = "file"
    path: str
    content: bytes | None = None
    user: str | None = None
    group: str | None = None
    mode: int | None = None
    sensitive: bool = False
    masked: str = ""
    """Observed: what the new mode will do to the access list."""
    loses_capabilities: bool = False
    """Observed: it has some, and will get new content."""

    order: ClassVar[int] = 20
    removal_order: ClassVar[int] = 65
    metadata_fields: ClassVar[frozenset[str]] = frozenset(
        {"path", "sensitive", "masked", "loses_capabilities"}
    )

    @property
    def name(self) -> str:
        return self.path

    @classmethod
    def from_name(cls, name: str) -> Self:
        return cls(path=name)

    def requires(self) -> frozenset[Ref]:
        return folders_above(self.path)

    def observe(self, host: Host) -> Self | None:
        refuse_unknown_owner(host, self.user, self.group)
        found, content = host.files.stat(self.path), None
        if found is not None and found.kind != "file":
            raise wrong_kind(self.path, found.kind, "file")
        if found is not None and self.content is not None:
            # Facts and content from one descriptor belong together.
            found, content = host.files.content(self.path) or (None, None)
        if found is None:
            return None
        seen = {
            "user": host.accounts.user_name(found.uid),
            "group": host.accounts.group_name(found.gid),
            "mode": found.mode,
            "content": content,
        }
        return self.model_copy(update={**seen, **self._side_effects(host, found, content)})

    def _side_effects(self, host: Host, found: Stat, content: bytes | None) -> dict[str, Any]:
        effects: dict[str, Any] = {}
        if self.mode not in (None, found.mode):
            grants = host.files.masked_grants(self.path, self.mode or 0)
            effects["masked"] = grants_told(host, grants)
        if content != self.content:
            effects["loses_capabilities"] = host.files.has_capabilities(self.path)
        return effects

    def findings(self) -> tuple[Finding, ...]:
        masked = (mask_finding(self.path, self.masked),) if self.masked else ()
        lost = (capability_finding(self.path),) if self.loses_capabilities else ()
        return (*masked, *lost)

    def as_created(self, applier: Owner) -> Self:  # noqa: ARG002
        return self.model_copy(update={"mode": NEW_MODE}) if self.mode is None else self

    def apply(self, host: Host, before: Self | None) -> None:
        uid, gid = owner_ids(host, self.user, self.group)
        mode = NEW_MODE if self.mode is None else self.mode
        if before is None or self.content != before.content:
            host.files.write(self.path, self.content or b"", uid=uid, gid=gid, mode=mode)
        else:
            host.files.set_permissions(self.path, uid=uid, gid=gid, mode=mode)

    def delete(self, host: Host) -> None:
        host.files.unlink(self.path)

    def summary(self, action: Action) -> str:
        owner = ownership(self.user, self.group, self.mode)
        return "" if action == "delete" or owner in USUAL else owner

    def legible(self, text: str) -> str:
        return without_config_token(text)

    def files_removed(self, after: Resource | None) -> int:
        return 1 if after is None else 0

    def sensitive_fields(self) -> frozenset[str]:
        return frozenset({"content"}) if self.sensitive else frozenset()

    def display(self) -> dict[str, Any]:
        shown = self.managed()
        if self.content is not None:
            shown["content"] = _digest(self.content) if self.sensitive else _told(self.content)
        if self.mode is not None:
            shown["mode"] = octal(self.mode)
        return shown


def _told(content: bytes) -> str:
    """The text, or for bytes that are no text their digest; never a lossy text."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _digest(content)


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
