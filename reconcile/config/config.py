"""The whole configuration file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import Literal

from pydantic import Field, PrivateAttr

from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES, CachePolicy
from reconcile.config.config_file import STANDARD_INPUT
from reconcile.config.config_model import ConfigEntry, ConfigModel
from reconcile.config.container import Container
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc, Mark, YamlNode
from reconcile.config.fields.identifiers import Name
from reconcile.config.fields.path_types import AbsolutePath
from reconcile.config.host_path import HostPath
from reconcile.config.host_section import HostSection
from reconcile.config.host_service import BackgroundService, ServiceKey
from reconcile.config.ignore_rule import IgnoreRule
from reconcile.config.outline import ConfigOutline
from reconcile.config.owner import BUILT_IN_OWNERS, OwnerEntry
from reconcile.config.site.app_release import excluded_of
from reconcile.config.site.listen_ports import check_listens
from reconcile.config.site.location_directories import check_directories
from reconcile.config.site.release_places import check_release_places
from reconcile.config.site.site import Site
from reconcile.config.variables import Variables
from reconcile.engine.model import Position
from reconcile.system import HostSettings


class Config(ConfigModel):
    """The desired state of one host."""

    version: Literal[1] = Field(description="The version of this format.")
    scope: Name | None = Field(
        default=None,
        description="This file owns only its part of the host; other files have other scopes.",
        examples=["shop"],
    )
    vars: dict[Name, str | int | bool] = Field(
        default={},
        description="Variables, used in values as ${var.name}; --var name=value wins.",
        examples=[{"domain": "example.com", "workers": 3}],
    )
    host: HostSection = Field(
        default=HostSection.model_construct(),
        description="The host; detected where left out.",
    )
    owners: dict[Name, OwnerEntry] = Field(
        default={}, description="Owners by name; assets and uploads are built in."
    )
    cache_policies: dict[Name, CachePolicy] = Field(
        default={}, description="Cache-Control by name; week, day, hashed and none are built in."
    )
    paths: dict[AbsolutePath, HostPath] = Field(
        default={}, description="Other paths of the host, by absolute path."
    )
    sites: dict[Name, Site] = Field(default={}, description="The sites, by name.")
    services: dict[ServiceKey, BackgroundService] = Field(
        default={}, description="What runs beside the web process, by the name of its unit."
    )
    containers: tuple[Container, ...] = Field(
        default=(), description="Containers whose uploads the sites serve."
    )
    ignore: tuple[IgnoreRule, ...] = Field(
        default=(), description="Known differences that are not reported."
    )

    _file: str = PrivateAttr(default="reconcile.yaml")
    _document: YamlNode = PrivateAttr(default=YamlNode({}, Mark(1, 1)))
    _data: bytes = PrivateAttr(default=b"")
    _variables: Variables = PrivateAttr(default=Variables())
    _revision: str = PrivateAttr(default="")
    _packed: str = PrivateAttr(default="")

    def with_source(self, file: str, document: YamlNode, data: bytes) -> Config:
        """The same configuration, which knows the file it was read from."""
        config = self.model_copy()
        config._file, config._document, config._data = file, document, data
        return config

    def with_variables(self, variables: Variables) -> Config:
        """The same configuration, which knows the variables it was read with."""
        config = self.model_copy()
        config._variables = variables
        return config

    def with_packed_files(self, digest: str) -> Config:
        """The same configuration, whose sources are packed files with this digest."""
        config = self.model_copy()
        config._packed = digest
        return config

    @property
    def variables(self) -> Variables:
        """The variables in force."""
        return self._variables

    def known_as(self, file: str, revision: str) -> Config:
        """The same from a Git commit, in which people know the file as `file`."""
        config = self.model_copy()
        config._file, config._revision = file, revision
        return config

    @property
    def file(self) -> str:
        """The file, by the name it was opened with."""
        return self._file

    @property
    def digest(self) -> str:
        """`sha256:…` of the file's bytes, and of the variables and files that came with it."""
        given = {name: self._variables.values[name] for name in sorted(self._variables.given)}
        more = json.dumps(given).encode() if given else b""
        return f"sha256:{sha256(self._data + more + self._packed.encode()).hexdigest()}"

    @property
    def is_plain_file(self) -> bool:
        """Whether the file at `file` is all of it: no commit's, and not from standard input."""
        return not (self._revision or self._packed) and self._file != STANDARD_INPUT

    def host_settings(self) -> HostSettings:
        """The settings that a Host is opened with."""
        return replace(self.host.settings(), scope=self.scope or "")

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self._data

    def position_of(self, *loc: str | int) -> Position:
        """The position in the file of `position_of("sites", "shop", "tls")`."""
        return Position(self._file, *self._document.key_mark(loc), revision=self._revision)

    def entries(self) -> Iterator[tuple[Loc, ConfigEntry]]:
        """Every entry of every section with its location, in the order of the sections."""
        for section in type(self).model_fields:
            entries = getattr(self, section)
            if isinstance(entries, dict) and section != "vars":
                yield from (((section, name), entry) for name, entry in entries.items())
            elif isinstance(entries, tuple):
                yield from (((section, index), entry) for index, entry in enumerate(entries))

    def check(self) -> Iterator[Violation]:
        """Every rule that entries break, by themselves or together."""
        for loc, entry in self.entries():
            yield from entry.check(loc, self)
        yield from check_listens(self)
        yield from check_directories(self)
        yield from check_release_places(self)

    def all_owners(
        self, built_in: Mapping[str, OwnerEntry] = BUILT_IN_OWNERS
    ) -> dict[str, OwnerEntry]:
        """The file's owners over the built-in ones, merged by field."""
        merged = {
            name: built_in[name].model_copy(update=owner.model_dump(exclude_none=True))
            for name, owner in self.owners.items()
            if name in built_in
        }
        return {**built_in, **self.owners, **merged}

    def all_cache_policies(self) -> dict[str, CachePolicy]:
        """The file's cache policies over the built-in ones."""
        return BUILT_IN_CACHE_POLICIES | self.cache_policies

    @cached_property
    def owner_names(self) -> tuple[str, ...]:
        """The names of all owners, also of those that are invalid."""
        return self._names_in("owners", BUILT_IN_OWNERS)

    @cached_property
    def cache_policy_names(self) -> tuple[str, ...]:
        """The names of all cache policies, also of those that are invalid."""
        return self._names_in("cache_policies", BUILT_IN_CACHE_POLICIES)

    def _names_in(self, section: str, built_in: Mapping[str, object]) -> tuple[str, ...]:
        node = self._document.child(section)
        return tuple(sorted({*built_in, *(node.keys if node else ())}))

    def outline(self) -> ConfigOutline:
        """What it asks of its host before it is compiled."""
        paths, sites = self.paths.items(), self.sites.items()
        return ConfigOutline(
            file=self.file,
            digest=self.digest,
            settings=self.host_settings(),
            sites=frozenset(self.sites),
            worker_user=self.host.nginx.user,
            links={path: entry.link for path, entry in paths if entry.link is not None},
            contents={path: entry.content for path, entry in paths if entry.content is not None},
            copies={path: entry.source for path, entry in paths if entry.source},
            file_sources=self.file_sources(),
            readable_paths=self.readable_paths(),
            certificates=self.certificate_names(),
            obtained_certificates=self.obtained_certificates(),
            release_sources={
                name: (site.app.release.source, excluded_of(site))
                for name, site in sites
                if site.app and site.app.release
            },
        )

    def file_sources(self) -> tuple[str, ...]:
        """Every file whose content is copied: HostFacts.sources has to contain them."""
        sources = {path.source for path in self.paths.values() if path.source}
        return tuple(sorted(sources.union(*(site.file_sources() for site in self.sites.values()))))

    def readable_paths(self) -> frozenset[str]:
        """Every path that is a file or a link: HostFacts.nginx_reads names those nginx reads."""
        return frozenset(path for path, entry in self.paths.items() if entry.form != "directory")

    def obtained_certificates(self) -> dict[str, str]:
        """Site → certificate, of those that an apply has certbot obtain."""
        found = ((name, site.tls.certbot) for name, site in self.sites.items() if site.tls)
        return {name: certbot.name for name, certbot in found if certbot and certbot.run}

    def certificate_names(self) -> tuple[str, ...]:
        """Every certificate of certbot: HostFacts.certificates has to name those that exist."""
        names = (site.tls.certbot_name for site in self.sites.values() if site.tls)
        return tuple(sorted({name for name in names if name}))
