"""A site: host names, an app and its files."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reconcile.config.models.app import App
from reconcile.config.models.locations import Location
from reconcile.config.models.probes import SiteProbe
from reconcile.config.models.section import Section
from reconcile.config.models.tls import Tls
from reconcile.config.values.hosts import ListenOn, ListenValue, ServerName
from reconcile.config.values.paths import AbsolutePath
from reconcile.config.values.requests import Prefix
from reconcile.config.values.units import Size


class Site(Section):
    """What nginx answers for these names."""

    server_names: Annotated[tuple[ServerName, ...], Field(min_length=1)] = Field(
        description="The host names that the site answers to."
    )
    listen: Annotated[tuple[ListenValue, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="The ports, on v4 and v6: 80, and 443 with tls, where left out. "
        '"8443 ssl" speaks TLS on another port.',
    )
    default_server: bool = Field(
        default=False, description="Answer also to names that no other site has."
    )
    tls: Tls | None = Field(default=None, description="The certificate, for HTTPS.")
    max_upload: Size | None = Field(
        default=None, description="The largest request body; nginx takes 1MB where left out."
    )
    app: App | None = Field(default=None, description="Who answers what is no file.")
    locations: dict[Prefix, Location] = Field(
        default={}, description="URL paths that are served from directories."
    )
    extra: str = Field(default="", description="Further nginx directives for the server block.")
    adopted: AbsolutePath | None = Field(
        default=None,
        description="The Nginx file, written by hand, that serves this site: as long as it is "
        "named here nothing is rendered in its place.",
        examples=["/etc/nginx/sites-available/myapp"],
    )
    probes: tuple[SiteProbe, ...] = Field(
        default=(), description="Questions to ask after every apply."
    )

    @property
    def listens(self) -> tuple[ListenOn, ...]:
        """What is listened on, the defaults filled in."""
        ports = (80, 443) if self.tls else (80,)
        return self.listen or tuple(ListenOn("", port) for port in ports)

    def speaks_tls(self, listen: ListenOn) -> bool:
        """Whether a port of this site is for HTTPS."""
        return self.tls is not None and (listen.ssl or listen.port == 443)
