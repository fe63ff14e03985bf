"""A certificate of Let's Encrypt, which certbot obtains and renews.

Source: RFC 8555, section 8.3; certbot's user guide, "Webroot" and "Renewing certificates".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.probes import Expectation, HttpProbe
from reconcile.config.site.listen_ports import endpoint, plain_listens
from reconcile.engine.model import Declared, Finding
from reconcile.nginx.certbot import CERTBOT_TIMER, WEBROOT
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.resources.certificate import Certificate
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.service import Service

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

RENEWAL_HOOK = "/etc/letsencrypt/renewal-hooks/deploy/reconcile-nginx"
CHALLENGE_PORT = 80

_NAMES = ("server_names", "redirect_from")

CertificateName = Annotated[
    str,
    regex_str(
        r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*",
        "the name of a certificate",
        hint="`certbot certificates` lists them",
        examples=("example.com",),
        limit=200,
    ),
]


Email = Annotated[
    str,
    regex_str(
        r"[A-Za-z0-9][A-Za-z0-9._%+-]*@[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9][A-Za-z0-9-]*)+",
        "an email address",
        examples=("admin@example.com",),
        limit=254,
    ),
]


class LetsEncrypt(ConfigModel):
    """A certificate of certbot's, and who asks for it."""

    name: CertificateName = Field(description="The name of the certificate at certbot.")
    email: Email | None = Field(
        default=None, description="The contact for Let's Encrypt; none registers without a contact."
    )
    run: bool = Field(
        default=False,
        description="An apply runs certbot where the certificate is missing or lacks a name, and "
        "agrees to the authority's terms of service.",
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
_SHORT, _MAPPING = "(name)", "(mapping)"
LetsEncryptChoice = Annotated[
    Annotated[CertificateName, Tag(_SHORT)] | Annotated[LetsEncrypt, Tag(_MAPPING)],
    short_or_mapping(_SHORT, _MAPPING, LetsEncrypt),
]


def check_challenge(loc: Loc, site: Site) -> Iterator[Violation]:
    """Let's Encrypt connects to port 80, and certifies no wildcard. Source: RFC 8555, 8.3."""
    if all(listen.port != CHALLENGE_PORT or site.uses_tls(listen) for listen in site.listens):
        yield Violation(
            (*loc, "tls", "letsencrypt"),
            "Let's Encrypt connects to port 80, where this site does not listen",
            "add 80 to listen",
        )
    names = ((key, *item) for key in _NAMES for item in enumerate(getattr(site, key)))
    for key, index, name in names:
        if name.startswith("*.") or "." not in name:
            yield Violation(
                (*loc, key, index),
                f"Let's Encrypt cannot certify {name} over HTTP",
                "use `certificate` and `key` instead",
            )


def compile_letsencrypt(site: SiteContext) -> Iterator[Declared]:
    """The folder that proves the names to Let's Encrypt, and the hook that certbot runs."""
    if not site.letsencrypt:
        return
    facts = site.facts
    loc = site.loc("tls", "letsencrypt")
    for path, users in ((WEBROOT, (facts.worker_user,)), (RENEWAL_HOOK, ())):
        yield from site.context.parent_directories(path, loc, (site.name,), users)
    webroot = Directory(
        path=WEBROOT,
        user=facts.user,
        group=facts.group,
        mode=0o755,
        enterable_by=(facts.worker_user,),
        protected=True,
    )
    hook = File(
        path=RENEWAL_HOOK,
        user=facts.user,
        group=facts.group,
        mode=0o755,
        content=renewal_hook(site),
    )
    for resource in (webroot, hook):
        yield site.declare(resource, "tls", "letsencrypt")
    if site.obtains_certificate:
        yield site.declare(_certificate(site), "tls", "letsencrypt")
        if facts.certbot_timer:
            timer = Service(unit=CERTBOT_TIMER, enabled=facts.has_boot or None, active=True)
            yield site.declare(timer, "tls", "letsencrypt")


def _certificate(site: SiteContext) -> Certificate:
    certbot = site.declared.tls and site.declared.tls.certbot
    challenged = [one for one in plain_listens(site) if one.port == CHALLENGE_PORT]
    return Certificate(
        certificate=site.letsencrypt or "",
        names=_certified_names(site),
        email=certbot.email if certbot else None,
        address=endpoint(site, challenged[0]).addresses[0],
        nginx_config=site.facts.nginx_config,
    )


def _certified_names(site: SiteContext) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*site.declared.served_names, *site.declared.redirect_from)))


def renewal_hook(site: SiteContext) -> bytes:
    """A script that reloads nginx; unlike `systemctl reload`, it fails on a bad configuration."""
    command = shlex.join((site.facts.nginx_binary, "-c", site.facts.nginx_config, "-s", "reload"))
    comment = "# Managed by reconcile: nginx loads the new certificate."
    # certbot shows what a hook prints, and nginx prints a line for every signal.
    run = f'output=$({command} 2>&1) || {{ echo "$output" >&2; exit 1; }}'
    return f"#!/bin/sh\n{comment}\n{run}\n".encode("utf-8", "surrogateescape")


def warn_certificate_missing(site: SiteContext) -> Iterator[Finding]:
    """The command that obtains a certificate, until there is one."""
    if not site.awaits_certificate:
        return
    if site.obtains_certificate:
        yield Finding(
            "first-certificate",
            "note",
            f"certbot obtains the certificate {site.letsencrypt} during the apply, which then turns"
            f" TLS on for {site.name}. If it fails, everything is rolled back.",
            (str(site.position_of("tls", "letsencrypt")),),
        )
        return
    names = " ".join(f"-d {name}" for name in _certified_names(site))
    yield Finding(
        "first-certificate",
        "note",
        f"{site.name} is served without TLS until certbot has the certificate {site.letsencrypt}.",
        (str(site.position_of("tls", "letsencrypt")),),
        fix=f"After the apply: certbot certonly --webroot -w {WEBROOT}"
        f" --cert-name {site.letsencrypt} {names} && reconcile apply",
    )


def challenge_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """nginx itself responds to Let's Encrypt."""
    for listen in plain_listens(site) if site.letsencrypt else ():
        if listen.port == CHALLENGE_PORT:
            expect = Expectation(frozenset({404}), served_by="nginx")
            name = site.probe_name("nginx responds to Let's Encrypt")
            path = CHALLENGES + "reconcile-probe"
            yield HttpProbe(name, site.name, endpoint(site, listen), path, expect)
