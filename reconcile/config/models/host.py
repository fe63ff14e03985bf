"""The `host` section: what differs from what the machine itself tells."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.config.models.section import Section
from reconcile.config.values.names import UserName
from reconcile.config.values.paths import NginxPath, Path
from reconcile.system import HostSettings


class Nginx(Section):
    """Where nginx is, and as whom its workers run."""

    config: NginxPath = Field(
        default="/etc/nginx/nginx.conf", description="The file nginx is started with."
    )
    binary: Path = Field(default="/usr/sbin/nginx", description="The nginx program.")
    user: UserName | None = Field(
        default=None,
        description="The user of nginx's workers; read off the configuration where left out.",
    )


class HostSection(Section):
    """The machine, where it cannot tell by itself."""

    nginx: Nginx = Field(default=Nginx.model_construct(), description="Where nginx is.")
    service_manager: Literal["systemd", "process", "none"] = Field(
        default="systemd",
        description="systemd, process (a sandbox of its own), or none (an image being built).",
    )
    state_dir: Path = Field(
        default="/var/lib/reconcile", description="Where the ledger and the journal are kept."
    )

    def settings(self) -> HostSettings:
        """The same, as the host takes it."""
        return HostSettings(
            service_manager=self.service_manager,
            state_dir=self.state_dir,
            nginx_config=self.nginx.config,
            nginx_binary=self.nginx.binary,
        )
