"""Encryption of a site's connections: Mozilla's intermediate profile.

OCSP stapling is left out: Let's Encrypt runs no responder any more, and where there is none nginx
logs a warning at each reload. The curves are OpenSSL's own, so that a newer one adds hybrid
key exchange by itself. DHE is left out: it needs a file of parameters, and every client that
knows it knows ECDHE.

Source: Mozilla's Server Side TLS, version 5.7, "Intermediate"; nginx, ngx_http_ssl_module.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.render.site_view import SiteView

PROTOCOLS = ("TLSv1.2", "TLSv1.3")
_CIPHERS = (
    *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    *("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    *("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
)
"""Of TLS 1.2; those of 1.3 are all good. A client's order holds: it knows its hardware."""
_DIRECTIVES = (
    ("ssl_protocols", *PROTOCOLS),
    ("ssl_ciphers", ":".join(_CIPHERS)),
    ("ssl_prefer_server_ciphers", "off"),
    # The key of tickets is as old as nginx's last restart: who steals it reads what went before.
    ("ssl_session_tickets", "off"),
    ("ssl_session_timeout", "1d"),
    # nginx keeps the size that a zone has under its name, so the name holds the size.
    ("ssl_session_cache", "shared:reconcile_tls_10m:10m"),
)
DIRECTIVES = frozenset(name for name, *_ in _DIRECTIVES)


def tls_directives(site: SiteView, *, has_extra: bool) -> Iterator[tuple[str, ...]]:
    """The directives of a server block with TLS; `extra` wins, for the site's other servers too.

    The first server of an address decides for all: it must not be weaker than `extra` demands.
    """
    own = {
        one.name: (one.name, *one.args)
        for one in parse(site.extra.encode("utf-8", "surrogateescape"), "").directives
    }
    for words in _DIRECTIVES:
        if words[0] not in own or not has_extra:
            yield own.get(words[0], words)
