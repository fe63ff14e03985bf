"""Edits that `certbot --nginx` makes in configuration files."""

from __future__ import annotations

import re

from reconcile.dataclass import dataclass

WEBROOT = "/var/www/letsencrypt"
CERTBOT_TIMER = "certbot.timer"
CERTIFICATES = "/etc/letsencrypt/live"
"""Where certbot keeps the newest files of each certificate."""
_MARK = b"managed by Certbot"
_NAME = rb"/etc/letsencrypt/live/([^/\s;]+)/"


@dataclass(frozen=True)
class CertbotEdits:
    """The lines marked as managed by certbot, and the certificate's name."""

    lines: tuple[int, ...]
    name: str

    @property
    def summary(self) -> str:
        """The number of marked lines, in words."""
        """How many lines certbot manages."""
        return f"{len(self.lines)} lines are marked as managed by Certbot"

    @property
    def suggested_fix(self) -> str:
        """How to keep HTTPS; the webroot answers challenges only after the apply."""
        return (
            f"Declare tls: {{letsencrypt: {self.name}}}, run reconcile apply, then stop certbot"
            f" from editing the file: certbot certonly --webroot -w {WEBROOT}"
            f" --cert-name {self.name} --force-renewal"
        )


def chain_path(name: str) -> str:
    """The newest certificate chain of that name."""
    return f"{CERTIFICATES}/{name}/fullchain.pem"


def key_path(name: str) -> str:
    """Its private key."""
    return f"{CERTIFICATES}/{name}/privkey.pem"


def find_edits(data: bytes) -> CertbotEdits | None:
    """Find certbot's edits in a configuration file; None where there are none."""
    lines = tuple(n for n, line in enumerate(data.splitlines(), 1) if _MARK in line)
    found = re.search(_NAME, data)
    return (
        CertbotEdits(lines, found[1].decode("utf-8", "replace") if found else "NAME")
        if lines
        else None
    )
