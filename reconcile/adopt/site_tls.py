"""TLS of a hand-written site: its certificate, redirect and HSTS."""

from __future__ import annotations

import re
from posixpath import join
from typing import Any

from reconcile.adopt.cache_headers import format_duration
from reconcile.adopt.draft import Draft
from reconcile.adopt.server_groups import ServerGroup
from reconcile.adopt.upstream_app import NoFiles, RequestFactory
from reconcile.config.document import Loc
from reconcile.nginx.certbot import CERTIFICATES
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_HSTS = re.compile(
    r"max-age=(\d{1,9})(; includeSubDomains)?(; preload)?(.*)", re.ASCII | re.IGNORECASE
)
_CERTBOT_CHAIN = re.compile(rf"{CERTIFICATES}/([^/]+)/fullchain\.pem")


def adopt_tls(
    group: ServerGroup, draft: Draft, site: str, router: Router, *, is_managed: bool
) -> bool:
    """Set `tls` where the site uses it; False where it does and the YAML cannot express it."""
    server, at = group.main.server, ("sites", site, "tls")
    if not group.main.uses_tls:
        return True
    paths = {key: _path(server, name) for key, name in _NAMES.items()}
    if None in paths.values():
        what = "the certificate is not a file, so the site is left out"
        draft.add_note(server.place, what, at=("sites", site))
        return False
    tls: dict[str, Any] = dict(paths)
    if is_managed and any(one.name == CHALLENGES for one in _locations(group)):
        found = _CERTBOT_CHAIN.fullmatch(str(paths["certificate"]))
        tls = {"letsencrypt": found[1]} if found else tls
    if not _redirects(group, router):
        tls["redirect"] = False
    draft.sites[site]["tls"] = tls
    _hsts(server, tls, draft, at)
    if len(server.scope.inherited("ssl_certificate")) > 1:
        draft.add_note(
            server.place, "the site has several certificates; only the first is used", at=at
        )
    return True


_NAMES = {"certificate": "ssl_certificate", "key": "ssl_certificate_key"}


def _path(server: Server, name: str) -> str | None:
    found = server.scope.inherited(name)
    written = found[0].args[0] if found and found[0].args else "$"
    if "$" in written or written.startswith(("data:", "engine:")):
        return None
    return join(server.scope.tree.prefix, written)


def _locations(group: ServerGroup) -> list[Any]:
    members = (group.main, *group.others)
    return [one for block in members for one in block.server.scope.locations]


def _redirects(group: ServerGroup, router: Router) -> bool:
    """Whether every plain HTTP port of the site redirects to HTTPS."""
    requests = RequestFactory(router)
    plain = [
        block.server
        for block in (group.main, *group.others)
        if any(not listen.ssl for listen in block.server.listens)
    ]
    return bool(plain) and all(_leads_to_https(server, router, requests) for server in plain)


def _leads_to_https(server: Server, router: Router, requests: RequestFactory) -> bool:
    request = requests.build(server, "/")
    if request is None or request.scheme == "https":
        return False
    answer = router.route(request, NoFiles()).answer
    return answer.kind == "redirect" and (answer.target or "").startswith("https://")


def hsts_of(server: Server) -> Directive | None:
    """The server's Strict-Transport-Security header."""
    for directive in server.scope.own.get("add_header", []):
        if directive.args[0].lower() == "strict-transport-security":
            return directive
    return None


def _hsts(server: Server, tls: dict[str, Any], draft: Draft, at: Loc) -> None:
    directive = hsts_of(server)
    found = _HSTS.fullmatch(directive.args[1]) if directive else None
    if directive is None:
        return
    if found is None:
        draft.add_note(directive.place, "Strict-Transport-Security has no plain max-age", at=at)
        return
    age = format_duration(int(found[1]))
    more = {"subdomains": found[2], "preload": found[3]}
    tls["hsts"] = {"max_age": age} | {key: True for key, text in more.items() if text}
    if not any(more.values()):
        tls["hsts"] = age
    if found[4]:
        draft.add_note(directive.place, f"only the adopted file has {found[4].strip('; ')}", at=at)
