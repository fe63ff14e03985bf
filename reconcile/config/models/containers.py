"""Containers that stand behind the sites: where their uploads have to land."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconcile.config.models.section import Section
from reconcile.config.values.names import ComposeService
from reconcile.config.values.paths import AbsolutePath, Path
from reconcile.config.values.requests import Prefix


class Container(Section):
    """A service of a compose file. It is looked at, never changed."""

    compose: Path = Field(description="The compose file.", examples=["./compose.yaml"])
    service: ComposeService = Field(description="The service that runs the app.")
    mounts: Annotated[dict[Prefix, AbsolutePath], Field(min_length=1)] = Field(
        description="URL prefix of a location, and the directory inside the container that it "
        "is saved in."
    )
