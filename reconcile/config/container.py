"""Containers behind the sites, and where their uploads have to be saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from reconcile.config.config_model import ConfigEntry
from reconcile.config.diagnostics import Violation, list_known
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.path_types import AbsolutePath, ReadablePath
from reconcile.config.site.location_key import Prefix

if TYPE_CHECKING:
    from reconcile.config.config import Config

ComposeService = Annotated[
    str,
    regex_str(
        r"[A-Za-z0-9._-]+",
        "the name of a service of a compose file",
        examples=("web",),
        limit=200,
    ),
]


class Container(ConfigEntry):
    """A service of a compose file; it is checked, never changed."""

    compose: ReadablePath = Field(description="The compose file.", examples=["./compose.yaml"])
    service: ComposeService = Field(description="The service that runs the app.")
    mounts: Annotated[dict[Prefix, AbsolutePath], Field(min_length=1)] = Field(
        description="The URL prefix of a location, and the directory inside the container where "
        "the app saves its files."
    )

    def check(self, loc: Loc, config: Config) -> Iterator[Violation]:
        """Each mount belongs to a location whose files the app saves."""
        saved = {
            prefix
            for site in config.sites.values()
            for prefix, location in site.locations.items()
            if location.role != "static"
        }
        for prefix in self.mounts:
            if prefix not in saved:
                yield Violation(
                    (*loc, "mounts", prefix),
                    f"no site has a media or private location {prefix}",
                    list_known(sorted(saved)),
                )
