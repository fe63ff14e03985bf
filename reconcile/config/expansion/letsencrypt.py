"""A certificate of Let's Encrypt: how certbot proves the names, and how nginx learns of a new one.

Source: RFC 8555, section 8.3; certbot's user guide, "Webroot" and "Renewing certificates".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from reconcile.config.expansion.scope import SiteScope
from reconcile.engine.model import Declared, Finding
from reconcile.nginx.certbot import WEBROOT

HOOK = "/etc/letsencrypt/renewal-hooks/deploy/reconcile-nginx"


def expand_letsencrypt(site: SiteScope) -> Iterator[Declared]:
    """The folder that certbot answers from, and the hook that it runs after a renewal."""
    if not site.letsencrypt:
        return
    at, facts = ("tls", "letsencrypt"), site.facts
    for path, users in ((WEBROOT, (facts.worker_user,)), (HOOK, ())):
        yield from site.scope.way(path, site.at(*at), (site.name,), *users)
    owner = {"user": facts.user, "group": facts.group, "mode": 0o755}
    yield site.declare(
        "directory", *at, path=WEBROOT, enterable_by=(facts.worker_user,), protected=True, **owner
    )
    yield site.declare("file", *at, path=HOOK, content=hook(site), **owner)


def hook(site: SiteScope) -> bytes:
    """nginx's own signal: unlike `systemctl reload` it fails where the configuration is bad."""
    command = shlex.join((site.facts.nginx_binary, "-c", site.facts.nginx_config, "-s", "reload"))
    why = "# Managed by reconcile: nginx takes up the new certificate."
    # certbot passes on what a hook says, and nginx says a word about every signal.
    run = f'said=$({command} 2>&1) || {{ echo "$said" >&2; exit 1; }}'
    return f"#!/bin/sh\n{why}\n{run}\n".encode("utf-8", "surrogateescape")


def first_certificate(site: SiteScope) -> Iterator[Finding]:
    """What is left to do where certbot has not got the certificate yet."""
    if not site.awaits_certificate:
        return
    names = " ".join(f"-d {name}" for name in site.site.server_names)
    yield Finding(
        "first-certificate",
        "note",
        f"{site.name} is served without TLS: certbot has no certificate {site.letsencrypt} yet.",
        (str(site.scope.spec.place(*site.at("tls", "letsencrypt"))),),
        fix=f"After the apply: certbot certonly --webroot -w {WEBROOT}"
        f" --cert-name {site.letsencrypt} {names} && reconcile apply",
    )
