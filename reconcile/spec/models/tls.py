"""TLS of a site."""

from __future__ import annotations

from pydantic import Field

from reconcile.spec.models.section import Section
from reconcile.spec.values.paths import NginxPath
from reconcile.spec.values.units import Duration


class Tls(Section):
    """The certificate, and what visitors without TLS get."""

    certificate: NginxPath = Field(
        description="The certificate chain, PEM.", examples=["/etc/ssl/example.com/fullchain.pem"]
    )
    key: NginxPath = Field(
        description="The private key, PEM; never read, never shown.",
        examples=["/etc/ssl/example.com/privkey.pem"],
    )
    redirect: bool = Field(default=True, description="Send plain HTTP to HTTPS.")
    hsts: Duration | None = Field(
        default=None, description="How long browsers shall insist on HTTPS: 1y."
    )
