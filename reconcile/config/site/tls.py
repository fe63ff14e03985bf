"""TLS of a site: its certificate, by paths or from Let's Encrypt.

Source: RFC 8555, section 8.3; certbot's user guide, "Webroot" and "Renewing certificates".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import compress
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.path_types import NginxPath
from reconcile.config.fields.quantities import SECONDS, Duration
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.probes import CertificateProbe, Expectation, HttpProbe
from reconcile.config.site.letsencrypt import (
    LetsEncrypt,
    LetsEncryptChoice,
    challenge_probes,
    check_challenge,
)
from reconcile.config.site.listen_ports import endpoint, main_endpoint, plain_listens
from reconcile.filesystem.path import is_inside
from reconcile.nginx.certbot import chain_path, key_path
from reconcile.nginx.render.site_view import TlsView

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site


class Hsts(ConfigModel):
    """How long and for which names browsers use HTTPS only."""

    max_age: Duration = Field(description="How long: 1y.")
    subdomains: bool = Field(default=False, description="For all subdomains as well.")
    preload: bool = Field(
        default=False,
        description="Let browsers include the name in their preload lists; that is hard to undo.",
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
    letsencrypt: LetsEncryptChoice | None = Field(
        default=None,
        description="Instead of both: the name of a certificate that certbot obtains and renews "
        "(certonly --webroot); with `run: true` an apply has certbot obtain it.",
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
    def certbot(self) -> LetsEncrypt | None:
        """The certificate of certbot's, None where it is given by paths."""
        given = self.letsencrypt
        return LetsEncrypt(name=given) if isinstance(given, str) else given

    @property
    def certbot_name(self) -> str:
        """Its name there, "" for none."""
        return self.certbot.name if self.certbot else ""

    @property
    def chain_path(self) -> str:
        """The certificate chain, by its path or certbot's."""
        return self.certificate or chain_path(self.certbot_name)

    @property
    def key_path(self) -> str:
        """The private key, by its path or certbot's."""
        return self.key or key_path(self.certbot_name)


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
        yield from check_challenge(loc, site)
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


def tls_view(tls: Tls) -> TlsView:
    """What nginx's template is given."""
    return TlsView(tls.chain_path, tls.key_path, tls.redirect, tls.hsts_header)


def tls_probes(site: SiteContext) -> Iterator[HttpProbe]:
    """Plain ports redirect to HTTPS, and respond to Let's Encrypt."""
    for listen in plain_listens(site) if site.tls and site.tls.redirect else ():
        location = (("Location", main_endpoint(site).url("/")),)
        expect = Expectation(frozenset({301}), headers=location)
        name = site.probe_name(f"port {listen.port} redirects to HTTPS")
        yield HttpProbe(name, site.name, endpoint(site, listen), "/", expect)
    yield from challenge_probes(site)


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
