"""Who may see a site or a location: by password, by address, or by both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reconcile.config.config_model import ConfigModel
from reconcile.config.copied_file import source_content
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.network import Network
from reconcile.config.fields.path_types import SourcePath
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.extra import extra_directives
from reconcile.config.site.listen_ports import main_endpoint
from reconcile.config.site.networks import check_networks
from reconcile.engine.digest import digest
from reconcile.engine.model import Declared
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.render.site_view import AccessView
from reconcile.resources.directory import Directory
from reconcile.resources.password_file import PasswordFile
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.file_location import FileLocation
    from reconcile.config.site.location import Location
    from reconcile.config.site.proxy_location import ProxyLocation
    from reconcile.config.site.site import Site

_DIRECTIVES = re.compile(r"allow|deny|satisfy|auth_\w+")
_HASH = re.compile(r"\$(?:apr1|1|2[abxy]|5|6|y|7|gy)\$.+|\{(?:SHA|SSHA)\}.+|[./0-9A-Za-z]{13}")
"""The forms that nginx and crypt(3) read. Source: ngx_http_auth_basic_module; crypt(5)."""


_CHALLENGE = (("WWW-Authenticate", 'Basic realm="Restricted"'),)


class Access(ConfigModel):
    """Who may in."""

    basic: SourcePath | None = Field(
        default=None, description="An htpasswd file; its users may access the site."
    )
    allow: tuple[Network, ...] = Field(
        default=(),
        description="Addresses and networks that are allowed.",
        examples=[["10.0.0.0/8"]],
    )
    satisfy: Literal["any", "all"] = Field(
        default="any", description="Whether a password or an address is enough, or both are needed."
    )


def check_access(
    loc: Loc, access: Access | None, extra: str, config: Config
) -> Iterator[Violation]:
    """It lets somebody in and keeps somebody out, and `extra` does not decide too."""
    if access is None:
        return
    here = (*loc, "access")
    if access.basic is None and not access.allow:
        yield Violation(here, "this access allows no one", "add basic or allow")
    yield from check_networks((*here, "allow"), access.allow, "", "remove it, or use access: null")
    for directive in _access_directives(extra):
        line = config.position_of(*loc, "extra").line
        message = f"`extra` has {directive.name} too (line {directive.line} of line {line})"
        yield Violation(here, message, "remove one of them")


def check_location_access(
    loc: Loc, location: Location | FileLocation | ProxyLocation, site: Site, config: Config
) -> Iterator[Violation]:
    """That of the location; where the site's holds, `extra` does not decide beside it either."""
    yield from check_access(loc, location.access, location.extra, config)
    if site.access is None or "access" in location.model_fields_set:
        return
    for directive in _access_directives(location.extra):
        line = config.position_of(*loc[:2], "access").line
        message = f"the site's `access` (line {line}) holds here, and `extra` has {directive.name}"
        yield Violation((*loc, "extra"), message, "use `access` for this location")


def _access_directives(extra: str) -> Iterator[Directive]:
    return (one for one in extra_directives(extra) if _DIRECTIVES.fullmatch(one.name))


def access_sources(site: Site) -> frozenset[str]:
    """The htpasswd files of the site and of its locations."""
    every = (site.access, *(one.access for one in site.all_locations.values()))
    return frozenset(one.basic for one in every if one and one.basic)


def access_view(
    site: SiteContext, access: Access | None, *, is_declared: bool
) -> AccessView | None:
    """What nginx's template is given; None for what the level around decides."""
    if access is None:
        return AccessView() if is_declared else None
    file = password_file(site, access.basic) if access.basic else None
    return AccessView(access.allow, file, access.satisfy)


def password_file(site: SiteContext, source: str) -> str:
    """Where nginx reads the copy of an htpasswd."""
    return f"{site.facts.passwords_dir}/{site.name}-{digest([source])[7:15]}"


def compile_access(site: SiteContext) -> Iterator[Declared]:
    """A copy of each htpasswd that nginx's workers can read, and nobody else.

    Errors: ReconcileError where nginx could not read it.
    """
    facts = site.facts
    folder, users = facts.passwords_dir, (facts.worker_user,)
    for loc, access in _accesses(site):
        if access.basic is None:
            continue
        content = source_content(site.context, access.basic, site.loc(*loc, "basic"))
        _refuse_unreadable(site, content, site.loc(*loc, "basic"))
        file = PasswordFile(
            path=password_file(site, access.basic),
            content=content,
            user=facts.user,
            group=facts.worker_group if facts.privileged else facts.group,
            mode=0o640,
            sensitive=True,
        )
        yield site.declare(file, *loc, "basic")
        yield from site.context.parent_directories(folder, site.loc(*loc), (site.name,), users)
        directory = Directory(
            path=folder, user=facts.user, group=facts.group, mode=0o755, enterable_by=users
        )
        yield site.declare(directory, *loc, "basic")


def _accesses(site: SiteContext) -> Iterator[tuple[tuple[str, ...], Access]]:
    """Each access with its location below the site."""
    if site.declared.access:
        yield ("access",), site.declared.access
    for key, location in site.declared.all_locations.items():
        if location.access:
            yield ("locations", key, "access"), location.access


def _refuse_unreadable(site: SiteContext, content: bytes, loc: Loc) -> None:
    place = site.context.config.position_of(*loc)
    lines = list(enumerate(content.decode("utf-8", "replace").splitlines(), start=1))
    users = [(number, line) for number, line in lines if line.strip() and line[0] != "#"]
    for number, line in users:
        if not _is_user(line):
            raise ReconcileError(
                what=f"nginx cannot read line {number} of the htpasswd of {site.name}",
                why=f"it has to be NAME:HASH, and {{PLAIN}} is no hash ({place})",
                fix="Create it with `htpasswd -B` or `openssl passwd -6`. Nothing was changed.",
            )
    if not users:
        raise ReconcileError(
            what=f"No one could log in: the htpasswd of {site.name} has no user",
            why=f"it has {counted(len(lines), 'line')}, none of them NAME:HASH ({place})",
            fix="Add a user with `htpasswd -B FILE NAME`. Nothing was changed.",
        )


def _is_user(line: str) -> bool:
    """Whether nginx and a person read it alike: a space or a mark before a name is a part of it."""
    name, colon, hashed = line.partition(":")
    is_plain = bool(name) and name == name.strip("\ufeff \t")
    return bool(colon) and is_plain and bool(_HASH.fullmatch(hashed.partition(":")[0]))


def access_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """Whoever has no password and no such address is denied; who has one is let in."""
    for loc, access in _accesses(site):
        path = loc[1] if loc[0] == "locations" else "/"
        location = site.declared.locations.get(path)
        if (location and location.role == "private") or _lets_probes_in(site, access):
            continue
        denials = _denials(access)
        expect = Expectation(denials, headers=_CHALLENGE if denials == {401} else ())
        yield site.http_probe(f"{path} denies access", path, expect)
        if denials == {401}:
            admitted = Expectation(not_status=denials)
            probe = site.http_probe(f"{path} takes a password", path, admitted)
            yield replace(probe, logs_in=True)


def _lets_probes_in(site: SiteContext, access: Access) -> bool:
    addresses = [ip_address(address) for address in main_endpoint(site).addresses]
    networks = [ip_network(network) for network in access.allow]
    is_allowed = any(address in network for address in addresses for network in networks)
    return is_allowed and (access.satisfy == "any" or access.basic is None)


def _denials(access: Access) -> frozenset[int]:
    """401 asks for a password; where both are needed, the address is asked for first."""
    if not access.basic:
        return frozenset({403})
    is_either = access.satisfy == "any" or not access.allow
    return frozenset({401}) if is_either else frozenset({401, 403})
