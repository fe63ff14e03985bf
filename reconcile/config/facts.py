"""What the expansion has to know of the host: read once, then plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.system import ServiceManagerName

if TYPE_CHECKING:
    from reconcile.filesystem.compress import Encoding
    from reconcile.nginx.model.layout import Layout


@dataclass(frozen=True)
class HostFacts:
    """The host, as far as the meaning of the YAML depends on it.

    `has_boot` tells that a service can be enabled here.
    `user` and `group` are who applies, by name: root where `privileged`.
    `sources` holds the content of every path that `Spec.file_sources()` names.
    `certificates` are those of `Spec.certificate_names()` that certbot has got.
    `nginx_reads` are those of `Spec.file_paths()` that nginx reads as configuration.
    `static_encodings` are the encodings in which nginx can send files that lie there compressed.
    `serves_sites` tells that an earlier apply put sites into nginx, so that taking the last
    one out is made live too.
    """

    hostname: str
    nginx_config: str
    nginx_binary: str
    nginx_version: str
    layout: Layout
    worker_user: str
    service_manager: ServiceManagerName = "systemd"
    has_boot: bool = True
    ipv6: bool = True
    privileged: bool = True
    user: str = "root"
    group: str = "root"
    state_dir: str = "/var/lib/reconcile"
    unit_dir: str = "/etc/systemd/system"
    sources: Mapping[str, bytes] = field(default_factory=dict)
    serves_sites: bool = False
    certificates: frozenset[str] = frozenset()
    nginx_reads: frozenset[str] = frozenset()
    static_encodings: frozenset[Encoding] = frozenset()

    @property
    def runs_services(self) -> bool:
        return self.service_manager != "none"

    @property
    def has_services(self) -> bool:
        """Whether a service can be anything here: running, or enabled."""
        return self.runs_services or self.has_boot
