"""What `certbot --nginx` leaves in files that it edits, and how to part the two."""

from __future__ import annotations

import re

from reconcile.dataclass import dataclass

WEBROOT = "/var/www/letsencrypt"
_MARK = b"managed by Certbot"
_NAME = re.compile(rb"/etc/letsencrypt/live/([^/\s;]+)/")


@dataclass(frozen=True)
class CertbotEdits:
    """The lines that certbot has marked as its own, and the certificate's name."""

    lines: tuple[int, ...]
    name: str

    @property
    def summary(self) -> str:
        return f"{len(self.lines)} lines are marked as managed by Certbot"

    @property
    def suggested_fix(self) -> str:
        """How to keep HTTPS: the challenge is answered from the webroot only after the apply."""
        return (
            f"Declare tls: {{letsencrypt: {self.name}}}, then: reconcile apply; then have certbot"
            f" leave the file alone from now on: certbot certonly --webroot -w {WEBROOT}"
            f" --cert-name {self.name} --force-renewal"
        )


def find_edits(data: bytes) -> CertbotEdits | None:
    """What certbot has written into a configuration file; None where it has not."""
    lines = tuple(n for n, line in enumerate(data.splitlines(), 1) if _MARK in line)
    found = _NAME.search(data)
    return (
        CertbotEdits(lines, found[1].decode("utf-8", "replace") if found else "NAME")
        if lines
        else None
    )
