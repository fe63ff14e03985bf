"""TLS of a site."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from reconcile.config.models.section import Section
from reconcile.config.values.names import CertificateName
from reconcile.config.values.paths import NginxPath
from reconcile.config.values.units import Duration

LIVE = "/etc/letsencrypt/live"
"""Where certbot keeps the newest files of each certificate."""


class Tls(Section):
    """The certificate, by paths or by its name at Let's Encrypt, and what plain HTTP gets."""

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
        description="In place of both: the name of a certificate that certbot gets and renews "
        "(certonly --webroot).",
    )
    redirect: bool = Field(default=True, description="Send plain HTTP to HTTPS.")
    hsts: Duration | None = Field(
        default=None, description="How long browsers shall insist on HTTPS: 1y."
    )

    @property
    def chain_path(self) -> str:
        """The certificate chain, wherever it comes from."""
        return self.certificate or f"{LIVE}/{self.letsencrypt}/fullchain.pem"

    @property
    def key_path(self) -> str:
        return self.key or f"{LIVE}/{self.letsencrypt}/privkey.pem"
