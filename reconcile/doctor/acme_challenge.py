"""Whether the challenge of a certificate's renewal reaches the folder that certbot writes it to.

An authority asks for it on port 80, and follows redirects. Source: RFC 8555, section 8.3; certbot's
renewal configuration files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.doctor import certificates as tls
from reconcile.doctor.rule import Inconclusive, RuleResult, caused, warning
from reconcile.errors import ReconcileError
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.render.site_view import CHALLENGES
from reconcile.nginx.routing.url import parse_url

if TYPE_CHECKING:
    from reconcile.doctor.certificates import CertificateKeyPair
    from reconcile.doctor.inspection import HostInspection
    from reconcile.nginx.routing.servers import Server

RENEWAL = "/etc/letsencrypt/renewal"
SAMPLE = "reconcile-sample"
_LIVE = re.compile(r"/etc/letsencrypt/live/([^/]+)/")
_SETTING = re.compile(r"^\s*([\w.*-]+)\s*=\s*(.*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Renewal:
    """How certbot renews a certificate: `webroots` maps names to folders."""

    path: str
    authenticator: str
    webroots: dict[str, str]


def renewal_of(inspection: HostInspection, certificate: str) -> Renewal | None:
    """The renewal of a certificate of certbot's; None for another, or where none is written."""
    live = _LIVE.match(certificate)
    path = f"{RENEWAL}/{live[1]}.conf" if live else ""
    found = inspection.host.files.content(path) if live else None
    if found is None:
        return None
    text, _, folders = found[1].decode("utf-8", "replace").partition("[[webroot_map]]")
    settings, by_name = dict(_SETTING.findall(text)), dict(_SETTING.findall(folders))
    common = settings.get("webroot_path", "").strip(", ").split(",")[0]
    names = {name: folder for name, folder in by_name.items() if folder.startswith("/")}
    webroots = names or ({"": common} if common.startswith("/") else {})
    return Renewal(path, settings.get("authenticator", ""), webroots)


def check_challenges(inspection: HostInspection, pair: CertificateKeyPair) -> Iterator[RuleResult]:
    """Yield a warning for each name whose challenge nginx answers from elsewhere."""
    renewal = renewal_of(inspection, pair.certificate)
    if renewal is None or renewal.authenticator != "webroot":
        return
    for name in tls.browser_names(pair.server.names):
        server = _plain_server(inspection, name)
        folder = renewal.webroots.get(name) or renewal.webroots.get("")
        answer = _answer(inspection, name, folder) if folder else ""
        if answer is None:
            yield Inconclusive(f"the challenge of {name}", "its answer cannot be predicted")
        elif folder and answer:
            yield caused(
                warning(
                    f"{pair.certificate} cannot be renewed: certbot writes the challenge of {name}"
                    f" to {folder}, and {answer}.",
                    f"{renewal.path}: webroot {folder}",
                    f"http://{name}{CHALLENGES}… is asked on port 80",
                    fix=_fix(server, name, folder),
                ),
                f"challenge {folder} {server.place if server else name}",
            )


def _answer(inspection: HostInspection, name: str, folder: str) -> str | None:
    """Who answers the challenge in place of the folder, "" where it does; None where unknown."""
    wanted = f"{folder.rstrip('/')}{CHALLENGES}{SAMPLE}"
    disk = inspection.nginx.disk_with(wanted)
    url = f"http://{name}{CHALLENGES}{SAMPLE}"
    for _ in range(3):
        try:
            route = inspection.nginx.predict(parse_url(url), disk)
        except ReconcileError:
            return None
        answer = route.answer
        if answer.kind == "unknown":
            return None
        if answer.kind == "file":
            return "" if answer.path == wanted else f"nginx sends {answer.path}"
        if answer.status == 404 and answer.path:
            return f"nginx looks for it at {answer.path}"
        if answer.kind == "pass":
            return "nginx passes it to the app"
        target = answer.target or ""
        if answer.kind != "redirect" or not target.endswith(f"{CHALLENGES}{SAMPLE}"):
            return f"nginx answers {answer.status}"
        url = target if "://" in target else f"http://{name}{target}"
    return "nginx redirects it in a loop"


def _plain_server(inspection: HostInspection, name: str) -> Server | None:
    """The server block that gets a name's requests on port 80."""
    try:
        return inspection.nginx.predict(parse_url(f"http://{name}/")).server
    except ReconcileError:
        return None


def _fix(server: Server | None, name: str, folder: str) -> str:
    if server is None:
        return f"Add a server block that listens on port 80 for {name}, and answers from {folder}."
    block = f"location ^~ {CHALLENGES} {{ root {folder}; }}"
    present = next(
        (one for one in server.scope.locations if from_raw(one.name) == CHALLENGES), None
    )
    if present is None:
        return f"{server.place}: add {block}"
    return f"{present.directive.place}: make it {block}"
