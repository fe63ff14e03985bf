"""A real file, asked for by HTTP on every address of its server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.doctor.http_requests import reachable_listens, send_request
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.request_builder import build_request, local_address
from reconcile.doctor.rule import RuleResult, error
from reconcile.filesystem.inventory import Item
from reconcile.nginx.model.listen import Listen
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.uri import escaped
from reconcile.system.http import HttpAnswer
from reconcile.verify.evaluate import is_from_nginx

PREFERRED = "health.txt"
_REFUSALS = (301, 302, 303, 307, 401, 403, 429)
MEANS = {
    404: "the mapping is wrong, or another server or location answers",
    403: "permissions are in the way",
    301: "nginx sends visitors elsewhere",
    502: "the app answers for this, and cannot be reached",
}


def probe_mapping(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Ask for one file of a location; a folder without a fit file gives nothing to ask for."""
    name = sample_file(inspection, mapping.path) if mapping.prefix.endswith("/") else ""
    if not name or mapping.is_internal or inspection.running is None:
        return
    uri = mapping.prefix + escaped(name)
    for listen in reachable_listens(inspection, mapping.server):
        answer = send_request(inspection, mapping.server, listen, uri, host=mapping.host)
        if answer.error == "no_such_family" or _is_redirected_to_tls(listen, answer):
            continue
        is_wrong = answer.error or answer.status != 200 or not is_from_nginx(answer)
        if is_wrong and not _is_meant(inspection, mapping, listen, uri, answer.status):
            yield _told(mapping, name, uri, listen, answer)


def _is_meant(
    inspection: HostInspection, mapping: LocationMapping, listen: Listen, uri: str, status: int
) -> bool:
    """Whether the configuration says itself that visitors from here get something else.

    Errors: Indeterminate where it may, and a module decides that is not simulated.
    """
    host = mapping.host or inspection.requests.visitor_host(mapping.server, listen)
    asked = replace(build_request(uri, listen, host), client=local_address(listen).host)
    answer = inspection.router.route(asked, inspection.disk).answer
    if answer.kind == "unknown" and status in _REFUSALS:
        raise Indeterminate(f"{uri} is answered {status}: {answer.reason}")
    refused = answer.kind == "error" and answer.reason.startswith(("deny ", "auth_basic "))
    return refused or answer.kind in ("redirect", "return")


def sample_file(inspection: HostInspection, folder: str) -> str:
    """A plain file below `folder` that visitors may have, "" where there is none."""
    found = inspection.inventory(folder)
    if found is None:
        return ""
    fit = [item.path for item in found.of_kind("file") if _is_fit(item)]
    return PREFERRED if PREFERRED in fit else min(fit, key=len, default="")


def _is_fit(item: Item) -> bool:
    return not any(part.startswith(".") for part in item.path.split("/"))


def _is_redirected_to_tls(listen: Listen, answer: HttpAnswer) -> bool:
    location = "".join(answer.values("Location"))
    return answer.status in (301, 308) and not listen.ssl and location.startswith("https://")


def _told(
    mapping: LocationMapping, name: str, uri: str, listen: Listen, answer: HttpAnswer
) -> RuleResult:
    means = MEANS.get(answer.status, "the app answered, not nginx" if answer.status else "")
    shown = f"no answer ({answer.detail})" if answer.error else f"{answer.status}"
    return error(
        f"{uri} of {mapping.server.names[0]} is answered {shown} on {listen.address}: {means}.",
        f"{mapping.path}/{name} is there",
        f"GET {uri}, Host: {mapping.server.names[0]}, to {listen.address}: {shown}",
        mapping.evidence,
        fix="See the other findings of this location first; then its path: namei -l"
        f" {mapping.path}/{name}",
    )
