"""TLS of a site: its certificate, by paths or from Let's Encrypt.

Source: RFC 8555, section 8.3; certbot's user guide, "Webroot" and "Renewing certificates".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import regex_str
from reconcile.config.fields.path_types import NginxPath
from reconcile.config.fields.quantities import SECONDS, Duration
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.probes import CertificateProbe, Expectation, HttpProbe
from reconcile.config.site.listen_ports import ListenAddress, endpoint, main_endpoint
from reconcile.engine.model import Declared, Finding
from reconcile.filesystem.path import is_inside
from reconcile.nginx.certbot import WEBROOT
from reconcile.nginx.render.site_view import CHALLENGES, TlsView
from reconcile.resources.directory import Directory
from reconcile.resources.file import File

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

CERTIFICATES = "/etc/letsencrypt/live"
"""Where certbot keeps the newest files of each certificate."""
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


class Hsts(ConfigModel):
    """How long and for which names browsers use HTTPS only."""

    max_age: Duration = Field(description="How long: 1y.")
    subdomains: bool = Field(default=False, description="For all subdomains as well.")
    preload: bool = Field(
        default=False,
        description="Browsers may ship the name in their own list; that is hard to undo.",
    )

    @property
    def header(self) -> str:
        """The value of the header. Source: RFC 6797, section 6.1; hstspreload.org."""
        words = (f"max-age={self.max_age}", "includeSubDomains", "preload")
        return "; ".join(compress(words, (True, self.subdomains, self.preload)))


# Pydantic adds the tag to the location of an error: it must not look like a key.
HSTS_AGE, HSTS_MAP = "(duration)", "(mapping)"


HstsChoice = Annotated[
    Annotated[Duration, Tag(HSTS_AGE)] | Annotated[Hsts, Tag(HSTS_MAP)],
    short_or_mapping(HSTS_AGE, HSTS_MAP, Hsts),
]


class Tls(ConfigModel):
    """The certificate, by paths or by its name at Let's Encrypt, and the redirect to HTTPS."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["certificate", "key"], "not": {"required": ["letsencrypt"]}},
                {
                    "required": ["letsencrypt"],
                    "properties": {"certificate": False, "key": False},
                },
            ]
        }
    )

    certificate: NginxPath | None = Field(
        default=None,
        description="The certificate chain, PEM.",
        examples=["/etc/ssl/example.com/fullchain.pem"],
    )
    key: NginxPath | None = Field(
        default=None,
        description="The private key, PEM; never shown.",
        examples=["/etc/ssl/example.com/privkey.pem"],
    )
    letsencrypt: CertificateName | None = Field(
        default=None,
        description="Instead of both: the name of a certificate that certbot obtains and renews "
        "(certonly --webroot).",
    )
    redirect: bool = Field(default=True, description="Redirect plain HTTP to HTTPS.")
    hsts: HstsChoice | None = Field(
        default=None, description="How long browsers use HTTPS only: 1y."
    )

    @property
    def hsts_header(self) -> str | None:
        """The value of Strict-Transport-Security, None where it is not sent."""
        if self.hsts is None:
            return None
        return self.hsts.header if isinstance(self.hsts, Hsts) else f"max-age={self.hsts}"

    @property
    def chain_path(self) -> str:
        """The certificate chain, by its path or certbot's."""
        return self.certificate or f"{CERTIFICATES}/{self.letsencrypt}/fullchain.pem"

    @property
    def key_path(self) -> str:
        """The private key, by its path or certbot's."""
        return self.key or f"{CERTIFICATES}/{self.letsencrypt}/privkey.pem"


def check_tls(loc: Loc, site: Site) -> Iterator[Violation]:
    """The site has one certificate, a key that is not served, and can get it if it has to."""
    if site.tls is None:
        return
    for key in ("certificate", "key"):
        path = getattr(site.tls, key)
        if site.tls.letsencrypt and path:
            message = f"use either `letsencrypt` or `{key}`"
            yield Violation((*loc, "tls", key), message, "remove one of them")
        if not site.tls.letsencrypt and not path:
            yield Violation((*loc, "tls", key), f'"{key}" is missing', "or set letsencrypt")
    for prefix, location in site.locations.items():
        if site.tls.key and is_inside(site.tls.key, location.dir):
            message = f"the private key is inside the directory that {prefix} serves"
            yield Violation((*loc, "tls", "key"), message, "store it elsewhere")
    if site.tls.letsencrypt:
        yield from _check_challenge(loc, site)
    yield from _check_hsts((*loc, "tls", "hsts"), site.tls.hsts)


def _check_hsts(loc: Loc, hsts: Hsts | int | None) -> Iterator[Violation]:
    """Browsers' lists accept a name with its subdomains, for a year. Source: hstspreload.org."""
    if isinstance(hsts, Hsts) and hsts.preload:
        if not hsts.subdomains:
            message = "preload covers all subdomains"
            yield Violation((*loc, "preload"), message, "add subdomains: true, or remove preload")
        if hsts.max_age < SECONDS["y"]:
            message = "preload needs a max_age of a year or more"
            yield Violation((*loc, "max_age"), message, "use 1y, or remove preload")


def _check_challenge(loc: Loc, site: Site) -> Iterator[Violation]:
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


def tls_view(tls: Tls) -> TlsView:
    """What nginx's template is given."""
    return TlsView(tls.chain_path, tls.key_path, tls.redirect, tls.hsts_header)


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
    certified = (*site.declared.served_names, *site.declared.redirect_from)
    names = " ".join(f"-d {name}" for name in dict.fromkeys(certified))
    yield Finding(
        "first-certificate",
        "note",
        f"{site.name} is served without TLS until certbot has the certificate {site.letsencrypt}.",
        (str(site.position_of("tls", "letsencrypt")),),
        fix=f"After the apply: certbot certonly --webroot -w {WEBROOT}"
        f" --cert-name {site.letsencrypt} {names} && reconcile apply",
    )


def tls_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """Plain ports redirect to HTTPS, and respond to Let's Encrypt."""
    for listen in _plain_listens(site) if site.tls and site.tls.redirect else ():
        location = (("Location", main_endpoint(site).url("/")),)
        expect = Expectation(frozenset({301}), headers=location)
        name = site.probe_name(f"port {listen.port} redirects to HTTPS")
        yield HttpProbe(name, site.name, endpoint(site, listen), "/", expect)
    for listen in _plain_listens(site) if site.letsencrypt else ():
        if listen.port == CHALLENGE_PORT:
            expect = Expectation(frozenset({404}), served_by="nginx")
            name = site.probe_name("nginx responds to Let's Encrypt")
            path = CHALLENGES + "reconcile-probe"
            yield HttpProbe(name, site.name, endpoint(site, listen), path, expect)


def certificate_probe(site: SiteContext) -> Iterator[CertificateProbe]:
    """Whether browsers accept the certificate, and for how long."""
    if site.tls:
        yield CertificateProbe(
            f"certificate:{site.name}",
            site.name,
            main_endpoint(site),
            (*site.declared.server_names, *site.declared.redirect_from),
            site.tls.chain_path,
        )


def _plain_listens(site: SiteContext) -> tuple[ListenAddress, ...]:
    return tuple(listen for listen in site.listens if not site.uses_tls(listen))
