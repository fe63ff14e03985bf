"""What compiling a configuration depends on: the file, the host, and the site at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from reconcile.config.config import Config
from reconcile.config.document import Loc
from reconcile.config.host_facts import HostFacts
from reconcile.config.owner import BUILT_IN_OWNERS, OwnerChoice, OwnerEntry, ResolvedOwner
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.app import App
from reconcile.config.site.gunicorn import Gunicorn
from reconcile.config.site.listen_ports import ListenAddress, main_endpoint
from reconcile.config.site.location import Location
from reconcile.config.site.nginx_file import site_view
from reconcile.config.site.release_id import id_in
from reconcile.config.site.release_placeholder import with_release
from reconcile.config.site.site import Site
from reconcile.config.site.tls import Tls
from reconcile.dataclass import dataclass
from reconcile.engine.model import Declared, Position
from reconcile.engine.resource import Resource
from reconcile.filesystem.path import ancestors_top_down
from reconcile.nginx.render.site_config import render_site
from reconcile.nginx.render.site_view import SiteView
from reconcile.resources.directory import Directory
from reconcile.types import LocationRole

Render = Callable[[SiteView, str], bytes]


@dataclass(frozen=True)
class CompileContext:
    """A configuration, the host it is for, and the renderer of nginx's files."""

    config: Config
    facts: HostFacts
    render: Render = render_site

    @cached_property
    def sites(self) -> dict[str, SiteContext]:
        """The sites by name."""
        return {
            name: SiteContext(self, name, with_release(site, name, id_in(self.facts, name, site)))
            for name, site in self.config.sites.items()
        }

    @cached_property
    def owners(self) -> dict[str, OwnerEntry]:
        """Every owner by name; the defaults of a user without root are that user's own."""
        if self.facts.privileged:
            return self.config.all_owners()
        user = {"user": self.facts.user, "group": self.facts.group}
        built_in = {name: one.model_copy(update=user) for name, one in BUILT_IN_OWNERS.items()}
        return self.config.all_owners(built_in)

    def resolve_owner(self, choice: OwnerChoice) -> OwnerEntry:
        """The owner of that name, or the inline one."""
        return choice if isinstance(choice, OwnerEntry) else self.owners[choice]

    def declare(self, resource: Resource, loc: Loc, sites: tuple[str, ...] = ()) -> Declared:
        """The resource, as declared by the value at `loc`."""
        return Declared(resource, sites, (self.config.position_of(*loc),))

    def parent_directories(
        self, path: str, loc: Loc, sites: tuple[str, ...] = (), users: tuple[str, ...] = ()
    ) -> Iterator[Declared]:
        """Every directory above `path` but `/`, traversable by `users`."""
        for above in ancestors_top_down(path):
            yield self.declare(Directory(path=above, enterable_by=users or None), loc, sites)


@dataclass(frozen=True)
class SiteContext:
    """One site of a configuration, with everything resolved for its host."""

    context: CompileContext
    name: str
    declared: Site

    @property
    def facts(self) -> HostFacts:
        """The host."""
        return self.context.facts

    @property
    def nginx_file(self) -> str:
        """The nginx file of the site: the adopted one, or the generated one."""
        return self.declared.adopted or self.facts.layout.file_path(self.name)

    @cached_property
    def nginx_content(self) -> bytes:
        """The content of the generated nginx file."""
        return self.context.render(self.view, self.facts.nginx_version)

    @cached_property
    def view(self) -> SiteView:
        """What nginx's template is given."""
        return site_view(self)

    @property
    def app(self) -> App:
        """The app, an empty one where there is none."""
        return self.declared.app or App()

    @property
    def gunicorn(self) -> Gunicorn | None:
        """The managed Gunicorn, if any."""
        return self.app.gunicorn

    @property
    def service(self) -> str | None:
        """The unit that runs the app."""
        return self.app.unit_name(self.name)

    @property
    def upstream(self) -> str | None:
        """Where the app listens, as for proxy_pass and Gunicorn's bind."""
        if self.app.upstream is None and self.service and self.gunicorn:
            folder = "/run" if self.facts.privileged else self.facts.state_dir
            return f"unix:{folder}/{self.service.removesuffix('.service')}.sock"
        return next(iter(self.app.upstreams), None)

    @property
    def app_user(self) -> str | None:
        """The user that runs the app; by default the owner of uploads."""
        if self.app.user:
            return self.app.user
        owner = self.uploads_owner
        return owner.user if owner else self.context.owners["uploads"].user

    @property
    def uploads_owner(self) -> ResolvedOwner | None:
        """The owner of what the app writes, None where it writes nothing."""
        written = (*self.by_role("media"), *self.by_role("private"))
        return self.owner_of(written[0][1]) if written else None

    @property
    def letsencrypt(self) -> str | None:
        """The name of certbot's certificate that a generated file uses."""
        tls = self.declared.tls
        return tls.certbot_name or None if tls and not self.declared.adopted else None

    @property
    def awaits_certificate(self) -> bool:
        """Whether certbot has not obtained it yet, so that nginx cannot start with it."""
        return self.letsencrypt is not None and self.letsencrypt not in self.facts.certificates

    @property
    def obtains_certificate(self) -> bool:
        """Whether an apply has certbot obtain it."""
        tls = self.declared.tls
        wants = bool(tls and tls.certbot and tls.certbot.run)
        return wants and self.letsencrypt is not None and self.facts.runs_services

    @property
    def tls(self) -> Tls | None:
        """TLS as it can be used now, None while there is no certificate.

        Until certbot has obtained one, that is with the one that the site had before.
        """
        if not self.awaits_certificate:
            return self.declared.tls
        former = self.facts.former_certificates.get(self.name)
        if former is None or self.declared.tls is None:
            return None
        paths = {"certificate": former[0], "key": former[1], "letsencrypt": None}
        return self.declared.tls.model_copy(update=paths)

    @property
    def pages_dir(self) -> str:
        """The directory of the site's pages for errors."""
        return f"{self.facts.pages_dir}/{self.name}"

    @property
    def listens(self) -> tuple[ListenAddress, ...]:
        """The ports that can be used now."""
        declared = self.declared
        return tuple(one for one in declared.listens if self.tls or not declared.uses_tls(one))

    def uses_tls(self, listen: ListenAddress) -> bool:
        """Whether the port uses TLS now."""
        return self.tls is not None and self.declared.uses_tls(listen)

    def owner_of(self, location: Location) -> ResolvedOwner:
        """The owner of a location's files."""
        return location.resolve_owner(self.context.owners)

    def by_role(self, role: LocationRole) -> tuple[tuple[str, Location], ...]:
        """Prefix and location of each location of that role."""
        return tuple(item for item in self.declared.locations.items() if item[1].role == role)

    def declare(self, resource: Resource, *loc: str) -> Declared:
        """The resource, as declared by the value at `loc` of this site."""
        return self.context.declare(resource, self.loc(*loc), (self.name,))

    def loc(self, *loc: str) -> Loc:
        """The location in the file of a key of this site."""
        return ("sites", self.name, *loc)

    def position_of(self, *loc: str) -> Position:
        """The position in the file of a key of this site."""
        return self.context.config.position_of(*self.loc(*loc))

    def http_probe(self, what: str, path: str, expect: Expectation) -> HttpProbe:
        """A probe of `path`, sent to the site's main port."""
        return HttpProbe(self.probe_name(what), self.name, main_endpoint(self), path, expect)

    def probe_name(self, what: str) -> str:
        """The name of a probe: the site, and what the probe proves."""
        return f"probe:{self.name} {what}"
