"""What every part of an expansion is given: the file, the facts, and whose part it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from reconcile.config.facts import HostFacts
from reconcile.config.models import owners
from reconcile.config.models.app import App, Gunicorn
from reconcile.config.models.locations import Location
from reconcile.config.models.owners import Owner, OwnerChoice
from reconcile.config.models.sites import Site
from reconcile.config.models.spec import Spec
from reconcile.config.models.tls import Tls
from reconcile.config.nodes import Loc
from reconcile.config.tree import ancestors
from reconcile.config.values.hosts import ListenOn
from reconcile.dataclass import dataclass
from reconcile.engine.model import Declared
from reconcile.nginx.render.site_view import Role
from reconcile.resources import registry


@dataclass(frozen=True)
class Scope:
    """A file on a host."""

    spec: Spec
    facts: HostFacts

    @cached_property
    def owners(self) -> dict[str, Owner]:
        """Every owner by name; who is not root cannot give files away unless told to."""
        if self.facts.privileged:
            return self.spec.all_owners()
        me = {"user": self.facts.user, "group": self.facts.group}
        built_in = {name: owner.model_copy(update=me) for name, owner in owners.BUILT_IN.items()}
        return self.spec.all_owners(built_in)

    def owner(self, choice: OwnerChoice) -> Owner:
        return choice if isinstance(choice, Owner) else self.owners[choice]

    def declare(self, kind: str, loc: Loc, sites: tuple[str, ...] = (), **fields: Any) -> Declared:
        """A resource of that kind, wanted by what stands at `loc`."""
        return Declared(registry.load(kind)(**fields), sites, (self.spec.place(*loc),))

    def way(
        self, path: str, loc: Loc, sites: tuple[str, ...] = (), *users: str
    ) -> Iterator[Declared]:
        """Every directory above `path`, and that `users` can pass through it."""
        for above in ancestors(path):
            yield self.declare("directory", loc, sites, path=above, enterable_by=users or None)


@dataclass(frozen=True)
class SiteScope:
    """One site of a file on a host."""

    scope: Scope
    name: str
    site: Site

    @property
    def facts(self) -> HostFacts:
        return self.scope.facts

    @property
    def file(self) -> str:
        """The nginx file that serves it: one written by hand, or else ours."""
        return self.site.adopted or self.facts.layout.file_path(self.name)

    @property
    def app(self) -> App:
        return self.site.app or App()

    @property
    def gunicorn(self) -> Gunicorn | None:
        return self.app.gunicorn

    @property
    def service(self) -> str | None:
        """The unit that runs the app."""
        if self.app.service is None and self.gunicorn:
            return f"gunicorn-{self.name}.service"
        return self.app.service

    @property
    def upstream(self) -> str | None:
        """Where the app listens, as nginx's proxy_pass and Gunicorn's bind take it."""
        if self.app.upstream is None and self.service and self.gunicorn:
            folder = "/run" if self.facts.privileged else self.facts.state_dir
            return f"unix:{folder}/{self.service.removesuffix('.service')}.sock"
        return self.app.upstream

    @property
    def app_user(self) -> str | None:
        """Who the app runs as: who is said to, else who owns what is uploaded."""
        if self.app.user:
            return self.app.user
        owner = self.uploads_owner
        return owner.user if owner else self.scope.owners["uploads"].user

    @property
    def uploads_owner(self) -> Owner | None:
        """The owner of what the app writes, None where it writes nothing."""
        written = (*self.by_role("media"), *self.by_role("private"))
        return self.owner_of(written[0][1]) if written else None

    @property
    def letsencrypt(self) -> str | None:
        """The name of the certificate that certbot keeps for a file of ours."""
        return self.site.tls.letsencrypt if self.site.tls and not self.site.adopted else None

    @property
    def awaits_certificate(self) -> bool:
        """Whether certbot has still to get it: nginx cannot start without, nor certbot do so."""
        return self.letsencrypt is not None and self.letsencrypt not in self.facts.certificates

    @property
    def tls(self) -> Tls | None:
        """How TLS is spoken now, None where there is nothing yet to speak it with."""
        return None if self.awaits_certificate else self.site.tls

    @property
    def listens(self) -> tuple[ListenOn, ...]:
        """What is listened on now."""
        return tuple(one for one in self.site.listens if self.tls or not self.site.speaks_tls(one))

    def speaks_tls(self, listen: ListenOn) -> bool:
        return self.tls is not None and self.site.speaks_tls(listen)

    def owner_of(self, location: Location) -> Owner:
        return location.owner_among(self.scope.owners)

    def by_role(self, role: Role) -> tuple[tuple[str, Location], ...]:
        """Prefix and location of that role."""
        return tuple(item for item in self.site.locations.items() if item[1].role == role)

    def declare(self, kind: str, *loc: str, **fields: Any) -> Declared:
        return self.scope.declare(kind, self.at(*loc), (self.name,), **fields)

    def at(self, *loc: str) -> Loc:
        return ("sites", self.name, *loc)
