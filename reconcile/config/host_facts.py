"""What the configuration depends on, as read from the host once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.nginx.model.media_types import AddedTypes
from reconcile.system import ServiceManagerName

if TYPE_CHECKING:
    from reconcile.nginx.model.layout import Layout
    from reconcile.types import Encoding


@dataclass(frozen=True)
class SourceFacts:
    """The source of a release: the digest of its contents, and how many files it has.

    `left_out` are notes on what of it no release gets.
    """

    digest: str
    files: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostFacts:
    """The host, as far as the meaning of the configuration depends on it.

    `has_boot`: services can be enabled. `user` and `group` are those of the apply, by name: root
    where `privileged`. `sources`: path → content, for each path of `ConfigOutline.file_sources`.
    `release_sources`: site → the source of its app's release.
    `private_sources`: path → owner, for those that must not be published.
    `certificates`: those of `ConfigOutline.certificates` that certbot has obtained.
    `former_certificates`: site → certificate and key that its file names until then.
    `certbot_timer`: the host has certbot's timer.
    `nginx_reads`: those of `ConfigOutline.readable_paths` that nginx reads as configuration.
    `nginx_files`: every file of its configuration, by each name that leads to it.
    `static_encodings`: those in which nginx can send precompressed files.
    `http2`: nginx was built with it. `resolvers`: the name servers of /etc/resolv.conf, as nginx
    writes them; `local_names`: the names of /etc/hosts.
    `serves_sites`: an earlier apply configured sites, so nginx has to reload after the last one
    is removed.
    `other_files`: those of configurations of other scopes.
    `added_types`: those that browsers need and that nginx lacks.
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
    pages_dir: str = "/var/www/reconcile-pages"
    passwords_dir: str = "/etc/nginx/reconcile-passwords"
    worker_group: str = "www-data"
    sources: Mapping[str, bytes] = field(default_factory=dict)
    private_sources: Mapping[str, str] = field(default_factory=dict)
    release_sources: Mapping[str, SourceFacts] = field(default_factory=dict)
    serves_sites: bool = False
    other_files: frozenset[str] = frozenset()
    certificates: frozenset[str] = frozenset()
    former_certificates: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    certbot_timer: bool = False
    nginx_reads: frozenset[str] = frozenset()
    nginx_files: frozenset[str] = frozenset()
    static_encodings: frozenset[Encoding] = frozenset()
    added_types: AddedTypes = AddedTypes()
    http2: bool = True
    resolvers: tuple[str, ...] = ()
    local_names: frozenset[str] = frozenset()

    @property
    def runs_services(self) -> bool:
        """Whether services can be started."""
        return self.service_manager != "none"

    @property
    def has_services(self) -> bool:
        """Whether services can be started or enabled."""
        return self.runs_services or self.has_boot
