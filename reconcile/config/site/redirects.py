"""Redirects of a site: of whole host names, of prefixes, and of single URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.config.fields.network import HOST_IN_URL, parse_server_name
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.extra import extra_directives, place_in_extra
from reconcile.config.site.listen_ports import endpoint, host_to_probe
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.render.redirection import name_redirect
from reconcile.nginx.render.site_config import CONFIG_TOKEN_PATH
from reconcile.nginx.render.site_view import CHALLENGES, RedirectView
from reconcile.nginx.routing.uri import normalise

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

_SEGMENT = r"[A-Za-z0-9_~@+,:=!&'()*-][A-Za-z0-9_~@+,:=!&'()*.-]*"
_KEY = rf"/(?:{_SEGMENT}/)*(?:{_SEGMENT})?"
_PATH = r"/(?:[!#%-.0-:=?-\[\]^_a-z|~][!#%-:=?-\[\]^_a-z|~]*)?"
_ABSOLUTE = rf"(https?)://([A-Za-z0-9.-]{{1,253}})(?::([1-9][0-9]{{0,4}}))?({_PATH})?"
_WRITTEN = _ABSOLUTE.replace("([A-Za-z0-9.-]{1,253})", f"({HOST_IN_URL})")
_LIMIT = 1000


def parse_redirect_key(value: Any) -> str:
    """A URL path; with a slash at its end a prefix."""
    key = require_str(value, "a URL path")
    if not re.fullmatch(_KEY, key, re.ASCII) or len(key) > 255:
        hint = "begin it with /, and write it without query and percent encoding"
        raise InvalidValue(f"{quote_text(key)} is not a path to redirect", hint)
    return key


def parse_redirect_target(value: Any) -> str:
    """A path of this site, or a whole http or https URL."""
    target = require_str(value, "the target of a redirect")
    absolute = re.fullmatch(_WRITTEN, target, re.ASCII)
    if len(target) > _LIMIT:
        raise InvalidValue(f"a target is longer than {_LIMIT} characters")
    if not absolute and not re.fullmatch(_PATH, target, re.ASCII):
        hint = 'use "/new/" or "https://example.com/", percent-encoded'
        raise InvalidValue(f"{quote_text(target)} is not the target of a redirect", hint)
    if not absolute:
        return target
    scheme, host, port, path = absolute.groups()
    name = parse_server_name(host)
    return f"{scheme}://{host if host.isascii() else name}{f':{port}' if port else ''}{path or '/'}"


RedirectKey = Annotated[
    str,
    FieldType(
        parse_redirect_key,
        {"type": "string", "pattern": f"^{_KEY}$", "maxLength": 255, "examples": ["/old/", "/a"]},
    ),
]
RedirectTarget = Annotated[
    str,
    FieldType(
        parse_redirect_target,
        {
            "type": "string",
            "pattern": f"^(?:{_WRITTEN}|{_PATH})$",
            "maxLength": _LIMIT,
            "examples": ["/new/", "https://shop.example.com/"],
        },
    ),
]


class Redirect(ConfigModel):
    """Where a redirect leads, and with which status."""

    to: RedirectTarget = Field(description="The target: a path of the site, or a URL.")
    status: Literal[301, 302, 303, 307, 308] = Field(
        default=301, description="301 and 308 are permanent; 307 and 308 keep the method."
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
TARGET, MAPPING = "(target)", "(mapping)"


RedirectChoice = Annotated[
    Annotated[RedirectTarget, Tag(TARGET)] | Annotated[Redirect, Tag(MAPPING)],
    short_or_mapping(TARGET, MAPPING, Redirect),
]


def resolve_redirect(choice: str | Redirect) -> Redirect:
    """The redirect, its status filled in."""
    return choice if isinstance(choice, Redirect) else Redirect.model_construct(to=choice)


def check_redirects(loc: Loc, name: str, site: Site, config: Config) -> Iterator[Violation]:
    """Each URL has one meaning, each redirect an end, and each name another target."""
    yield from _check_names((*loc, "redirect_from"), site)
    for key, choice in site.redirects.items():
        here = (*loc, "redirects", key)
        clashes = tuple(_check_key(here, key, site, config))
        yield from clashes
        target = resolve_redirect(choice).to
        if key.endswith("/") and (not target.endswith("/") or "?" in target or "#" in target):
            message = f"{key} keeps what follows it, so its target has to end with a slash"
            path = re.split(r"[?#]", target)[0].rstrip("/")
            yield Violation(here, message, f"use {path}/, or redirect {key.rstrip('/') or '/x'}")
            continue
        through = None if clashes else _loop(name, key, config)
        if through is not None:
            yield Violation(here, f"{key} leads back to itself{through}")


def _check_names(here: Loc, site: Site) -> Iterator[Violation]:
    first = site.server_names[0] if site.server_names else ""
    if site.redirect_from and ("*" in first or first == "_"):
        message = f"these names would be redirected to {first}, which is not a host name"
        yield Violation(here, message, "put a plain name first in server_names")
    for index, name in enumerate(site.redirect_from):
        if name in site.server_names:
            message = f"{name} is a name of the site itself"
            yield Violation((*here, index), message, "remove it from one of the lists")
        elif name in site.redirect_from[:index]:
            message = f"duplicate host name {name}"
            yield Violation((*here, index), message, is_independent=True)


def _check_key(here: Loc, key: str, site: Site, config: Config) -> Iterator[Violation]:
    site_loc = here[:2]
    for prefix in (key, f"{key}/"):
        if prefix in site.all_locations:
            line = config.position_of(*site_loc, "locations", prefix).line
            message = f"{key} belongs to the location {prefix} (line {line})"
            yield Violation(here, message, "remove one of them")
    if key == "/" and site.app:
        yield Violation(here, "the location / belongs to the app", "redirect a longer path")
    if key == CONFIG_TOKEN_PATH or key.startswith(CHALLENGES) or CHALLENGES.rstrip("/") == key:
        yield Violation(here, f"{key} is reserved")
    for directive in extra_directives(site.extra):
        if _is_location(directive, key):
            place = place_in_extra(config, site_loc, directive)
            yield Violation(here, f"`extra` has a location {key} too ({place})")


def _is_location(directive: Directive, key: str) -> bool:
    """Whether nginx would refuse it beside the location of the redirect."""
    if directive.name != "location":
        return False
    is_exact = directive.args[0] == "="
    path = directive.args[-1].removeprefix("=") if len(directive.args) == 1 else directive.args[-1]
    is_exact |= len(directive.args) == 1 and directive.args[0].startswith("=")
    is_regex = directive.args[0].startswith("~")
    return path == key and not is_regex and is_exact != key.endswith("/")


def _loop(name: str, key: str, config: Config) -> str | None:
    """Through which others a request comes back to the redirect, None where it does not."""
    for tail in ("", "x") if key.endswith("/") else ("",):
        used: list[tuple[str, str]] = []
        at: tuple[str, str] | None = (name, key + tail)
        while at and (rule := _rule(config.sites[at[0]], at[1])):
            if (at[0], rule) in used:
                others = [other for site, other in used if (site, other) != (name, key)]
                return f" through {', '.join(others)}" if others else ""
            used.append((at[0], rule))
            target = resolve_redirect(config.sites[at[0]].redirects[rule]).to
            at = _arrival(at[0], target + at[1].removeprefix(rule), config)
    return None


def _rule(site: Site, path: str) -> str | None:
    """The redirect that nginx chooses for a path, None where it is not redirected."""
    if path in site.redirects and not path.endswith("/"):
        return path
    if path in site.all_locations and not path.endswith("/"):
        return None
    prefixes = (key for key in (*site.redirects, *site.all_locations) if key.endswith("/"))
    longest = max((key for key in prefixes if path.startswith(key)), key=len, default=None)
    return longest if longest in site.redirects else None


def _arrival(name: str, target: str, config: Config) -> tuple[str, str] | None:
    """The site of this file and the path that a target leads to, None for another host."""
    absolute = re.fullmatch(_ABSOLUTE, target, re.ASCII)
    if not absolute:
        return _at(name, target)
    scheme, host, port, path = absolute.groups()
    number = int(port) if port else {"http": 80, "https": 443}[scheme]
    for _ in range(len(config.sites) + 1):
        if found := _serving(host.lower(), number, config):
            return _at(found, path or "/")
        onward = [one for one in config.sites.values() if host.lower() in one.redirect_from]
        if not onward:
            return None
        host = onward[0].server_names[0]
        number = 443 if onward[0].tls and onward[0].tls.redirect else number
    return None


def _at(name: str, path: str) -> tuple[str, str] | None:
    """The path as nginx decodes it, None where it answers 400."""
    requested = normalise(path)
    return (name, requested.path) if requested else None


def _serving(host: str, port: int, config: Config) -> str | None:
    """The site that answers for that name; a wildcard is behind every plain name."""
    listening = {
        name: site
        for name, site in config.sites.items()
        if any(listen.port == port for listen in site.listens)
    }
    above = [f"*.{host.split('.', count)[count]}" for count in range(1, host.count(".") + 1)]
    for wanted in (host, *above):
        for name, site in listening.items():
            if wanted in site.served_names:
                return name
    return None


def redirect_views(site: Site) -> tuple[RedirectView, ...]:
    """What nginx's template is given."""
    found = ((key, resolve_redirect(choice)) for key, choice in site.redirects.items())
    return tuple(RedirectView(key, redirect.to, redirect.status) for key, redirect in found)


def redirect_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """Each redirect leads where it should, with what it keeps."""
    for key, choice in site.declared.redirects.items():
        redirect = resolve_redirect(choice)
        kept = "reconcile-probe?a=b" if key.endswith("/") else ""
        yield site.http_probe(
            f"{key} is redirected", key + kept, _leads_to(redirect.to + kept, redirect.status)
        )
    for listen in site.listens:
        for name in site.declared.redirect_from:
            host = host_to_probe((name,))
            at = replace(endpoint(site, listen), host=host)
            target = name_redirect(site.view, listen.port, tls=site.uses_tls(listen))
            what = f"{name} on port {listen.port} is redirected"
            expect = _leads_to(f"{target}/reconcile-probe?a=b", 301)
            path = "/reconcile-probe?a=b"
            yield HttpProbe(site.probe_name(what), site.name, at, path, expect)


def _leads_to(target: str, status: int) -> Expectation:
    return Expectation(frozenset({status}), headers=(("Location", target),), served_by="nginx")
