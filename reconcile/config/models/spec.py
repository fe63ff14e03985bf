"""The whole file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, PrivateAttr

from reconcile.config.diagnostics import Mark
from reconcile.config.models.caches import BUILT_IN as BUILT_IN_POLICIES
from reconcile.config.models.caches import CachePolicy
from reconcile.config.models.containers import Container
from reconcile.config.models.host import HostSection
from reconcile.config.models.ignore import IgnoreRule
from reconcile.config.models.owners import BUILT_IN as BUILT_IN_OWNERS
from reconcile.config.models.owners import Owner
from reconcile.config.models.paths import HostPath
from reconcile.config.models.section import Section
from reconcile.config.models.sites import Site
from reconcile.config.nodes import Node, key_mark
from reconcile.config.values.names import Name
from reconcile.config.values.paths import AbsolutePath
from reconcile.engine.model import Position


class Spec(Section):
    """What shall be true of one host."""

    version: Literal[1] = Field(description="The version of this format.")
    host: HostSection = Field(
        default=HostSection.model_construct(),
        description="The machine; read off it where left out.",
    )
    owners: dict[Name, Owner] = Field(
        default={}, description="Who owns what, by name; assets and uploads are built in."
    )
    cache_policies: dict[Name, CachePolicy] = Field(
        default={}, description="Cache-Control by name; week, day, hashed and none are built in."
    )
    paths: dict[AbsolutePath, HostPath] = Field(
        default={}, description="Further host paths, keyed by absolute path."
    )
    sites: dict[Name, Site] = Field(default={}, description="The sites, by name.")
    containers: tuple[Container, ...] = Field(
        default=(), description="Containers whose uploads the sites serve."
    )
    ignore: tuple[IgnoreRule, ...] = Field(
        default=(), description="Differences that are known and may stay."
    )

    _file: str = PrivateAttr(default="reconcile.yaml")
    _root: Node = PrivateAttr(default=Node({}, Mark(1, 1)))
    _data: bytes = PrivateAttr(default=b"")

    def come_from(self, file: str, root: Node, data: bytes) -> Spec:
        """The same, knowing where it was read."""
        known = self.model_copy()
        known._file, known._root, known._data = file, root, data
        return known

    @property
    def file(self) -> str:
        """The file as it was named."""
        return self._file

    @property
    def digest(self) -> str:
        """`sha256:…` of the file's bytes."""
        from hashlib import sha256

        return f"sha256:{sha256(self._data).hexdigest()}"

    def place(self, *loc: str | int) -> Position:
        """Where the file says what stands at `loc`: `place("sites", "shop", "tls")`."""
        return Position(self._file, *key_mark(self._root, loc))

    def all_owners(self, built_in: Mapping[str, Owner] = BUILT_IN_OWNERS) -> dict[str, Owner]:
        """The file's owners over the built-in ones, field by field."""
        merged = {
            name: built_in[name].model_copy(update=owner.model_dump(exclude_none=True))
            for name, owner in self.owners.items()
            if name in built_in
        }
        return {**built_in, **self.owners, **merged}

    def all_cache_policies(self) -> dict[str, CachePolicy]:
        return BUILT_IN_POLICIES | self.cache_policies

    def file_sources(self) -> tuple[str, ...]:
        """Every file whose content `paths` asks for: HostFacts.sources has to hold them."""
        return tuple(sorted({path.source for path in self.paths.values() if path.source}))

    def file_paths(self) -> frozenset[str]:
        """Every path that is to be a file: HostFacts.nginx_reads has to name nginx's own."""
        return frozenset(path for path, entry in self.paths.items() if entry.form == "file")

    def certificate_names(self) -> tuple[str, ...]:
        """Every certificate of certbot's: HostFacts.certificates has to name those that exist."""
        said = (site.tls.letsencrypt for site in self.sites.values() if site.tls)
        return tuple(sorted({name for name in said if name}))
