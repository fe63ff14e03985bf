"""Further paths on the host: a directory, a file or a link."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.config.models.owners import OwnerChoice
from reconcile.config.models.section import Section
from reconcile.config.values.paths import Path


class HostPath(Section):
    """A directory; with `source` or `content` a file, with `link` a symbolic link."""

    owner: OwnerChoice | None = Field(
        default=None, description="Who owns it: the name of an owner, or one described here."
    )
    source: Path | None = Field(
        default=None, description="The file whose content it has; makes it a file."
    )
    content: str | None = Field(
        default=None, description="The file's own text, in place of `source`; makes it a file."
    )
    sensitive: bool = Field(default=False, description="Never show the content in a plan.")
    link: Path | None = Field(default=None, description="Where it leads; makes it a link.")

    @property
    def form(self) -> Literal["directory", "file", "symlink"]:
        if self.link is not None:
            return "symlink"
        return "directory" if self.source is None and self.content is None else "file"
