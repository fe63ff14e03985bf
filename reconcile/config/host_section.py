"""The `host` section: settings that replace what is detected."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.fields.identifiers import UserName
from reconcile.config.fields.path_types import NginxPath, Path
from reconcile.system import HostSettings


class NginxSettings(ConfigModel):
    """Where nginx is installed, and the user of its workers."""

    config: NginxPath = Field(
        default="/etc/nginx/nginx.conf", description="The file that nginx is started with."
    )
    binary: Path = Field(default="/usr/sbin/nginx", description="The nginx program.")
    user: UserName | None = Field(
        default=None,
        description="The user of nginx's workers; detected from its configuration by default.",
    )


class HostSection(ConfigModel):
    """The host, as far as it is not detected."""

    nginx: NginxSettings = Field(
        default=NginxSettings.model_construct(), description="The nginx installation."
    )
    service_manager: Literal["systemd", "process", "none"] = Field(
        default="systemd",
        description="systemd; process, a sandbox without root; or none, for building an image.",
    )
    state_dir: Path = Field(
        default="/var/lib/reconcile", description="Where the ledger and the journal are stored."
    )

    def settings(self) -> HostSettings:
        """The settings that a Host is opened with."""
        return HostSettings(
            service_manager=self.service_manager,
            state_dir=self.state_dir,
            nginx_config=self.nginx.config,
            nginx_binary=self.nginx.binary,
        )
