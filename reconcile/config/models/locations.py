"""A URL path and the directory it is served from."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from reconcile.config.models.owners import Owner, OwnerChoice
from reconcile.config.models.section import Section
from reconcile.config.values.names import Name
from reconcile.config.values.paths import NginxPath, Path
from reconcile.filesystem.compress import Encoding
from reconcile.nginx.render.site_view import Role

DEFAULT_OWNER: dict[Role, str] = {"static": "assets", "media": "uploads", "private": "uploads"}
# A private file's cache header is the app's: nginx passes it on with X-Accel-Redirect.
DEFAULT_CACHE: dict[Role, str | None] = {"static": "week", "media": "day", "private": None}


class Location(Section):
    """What of the site is files."""

    role: Role = Field(
        description="static: shipped with the app. media: what users uploaded, never changed or "
        "removed. private: only for the app to hand out by X-Accel-Redirect."
    )
    dir: NginxPath = Field(description="The directory on the host.")
    source: Path | None = Field(
        default=None, description="The folder whose files are copied to dir at every apply."
    )
    owner: OwnerChoice | None = Field(
        default=None,
        description="Who owns the files: assets for static, uploads for media and private.",
        examples=["assets", "uploads"],
    )
    cache: Name | None = Field(
        default=None,
        description="The cache policy: week for static, day for media.",
        examples=["week", "day", "hashed", "none"],
    )
    prune: bool = Field(default=False, description="Remove files that the source does not have.")
    precompress: tuple[Encoding, ...] = Field(
        default=(),
        description="Encodings in which compressed copies are made beside the files, for nginx to "
        "send. br and zstd need reconcile-host[compress], and a module of nginx's.",
        examples=[["gzip"], ["gzip", "br"]],
    )

    @property
    def owner_or_default(self) -> OwnerChoice:
        return self.owner or DEFAULT_OWNER[self.role]

    def owner_among(self, owners: Mapping[str, Owner]) -> Owner:
        """Who owns what is here: what its owner leaves out is as the role has it by default."""
        choice = self.owner_or_default
        chosen = choice if isinstance(choice, Owner) else owners[choice]
        default = owners[DEFAULT_OWNER[self.role]]
        return default.model_copy(update=chosen.model_dump(exclude_none=True))

    @property
    def cache_or_default(self) -> str | None:
        return self.cache or DEFAULT_CACHE[self.role]
