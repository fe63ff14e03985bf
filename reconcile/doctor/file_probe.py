"""Request a real file over HTTP, on every address of its server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.doctor.denial_causes import denial_cause
from reconcile.doctor.http_requests import reachable_listens, send_request
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.request_builder import build_request
from reconcile.doctor.rule import RuleResult, caused, error
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import to_raw
from reconcile.nginx.model.listen import Listen
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.content import ADMITTING
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.uri import escaped
from reconcile.system.http import HttpAnswer
from reconcile.verify.evaluate import is_from_nginx

PREFERRED = "health.txt"
_DENIALS = (301, 302, 303, 307, 401, 403, 429)
_REFUSALS = (401, 403, 410, 429, 444, 503)
"""What `return` is written with to refuse a request on purpose; 404 is a miss as well."""
_CAUSES = {
    404: "the mapping is wrong, or another server or location answers",
    403: "permissions deny access",
    301: "nginx redirects visitors",
    502: "the app should answer this, and cannot be reached",
}


def probe_mapping(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    """Request one file of a location; without a suitable file, nothing is requested.

    Errors: Indeterminate where the response may be intended.
    """
    name = sample_file(inspection, mapping.path) if mapping.prefix.endswith("/") else ""
    if not name or mapping.is_internal or inspection.nginx.running is None:
        return
    uri = mapping.prefix + escaped(name)
    for listen in reachable_listens(inspection, mapping.server):
        answer = send_request(inspection, mapping.server, listen, uri, host=mapping.host)
        if answer.error == "no_such_family" or _is_redirected_to_tls(listen, answer):
            continue
        # Without its own ETag, nginx's answer is like any other.
        is_known = is_from_nginx(answer) or mapping.scope.argument("etag", "on") == "off"
        is_wrong = answer.error or answer.status != 200 or not is_known
        if is_wrong and not _is_intended(inspection, mapping, listen, uri, answer.status):
            yield _wrong_answer(inspection, mapping, name, uri, listen, answer)


def _is_intended(
    inspection: HostInspection, mapping: LocationMapping, listen: Listen, uri: str, status: int
) -> bool:
    """Whether the configuration itself denies or redirects requests from this machine.

    Errors: Indeterminate where a module that is not simulated may do so.
    """
    nginx = inspection.nginx
    host = mapping.host or nginx.requests.visitor_host(mapping.server, listen)
    request = replace(build_request(uri, listen, host), client=listen.address.local.host)
    answer = nginx.predict(request).answer
    if answer.kind == "unknown" and status in _DENIALS:
        raise Indeterminate(f"{uri} returns {status}: {answer.reason}")
    is_denied = answer.kind == "error" and answer.reason.startswith(("deny ", "auth_basic "))
    is_refused = answer.reason == "return" and answer.status in _REFUSALS
    # A page of its own for the denial hides the directive that denies.
    is_asked = status == 401 and answer.status == status
    is_admitted = answer.reason.removesuffix(" decides") in ADMITTING and status in _DENIALS
    is_other = answer.kind in ("redirect", "return")
    return is_denied or is_refused or is_asked or is_admitted or is_other


def sample_file(inspection: HostInspection, folder: str) -> str:
    """A file below `folder` that visitors may request; "" where there is none."""
    found = inspection.inventory(folder)
    if found is None:
        return ""
    visible = [item.path for item in found.of_kind("file") if not item.is_hidden]
    return PREFERRED if PREFERRED in visible else min(visible, key=len, default="")


def _is_redirected_to_tls(listen: Listen, answer: HttpAnswer) -> bool:
    location = "".join(answer.values("Location"))
    return answer.status in (301, 308) and not listen.ssl and location.startswith("https://")


def _forbidden_link(inspection: HostInspection, mapping: LocationMapping, name: str) -> str:
    """The directive that forbids a link on the way to the file, "" where none does."""
    path = f"{mapping.path}/{name}"
    written = mapping.scope.inherited("disable_symlinks")
    if not written or written[0].args[0] == "off" or inspection.real_path(path) == path:
        return ""
    return f"disable_symlinks ({written[0].place}) forbids a link on the way, {path} has one"


def _unlinked(inspection: HostInspection, mapping: LocationMapping) -> str:
    """The edit that serves a folder without the link that leads to it, where links are denied."""
    real = inspection.real_path(mapping.path)
    is_denied = mapping.scope.argument("disable_symlinks", "off") != "off"
    return mapping.edit_to(real) if is_denied and real != mapping.path else ""


def _rewrites(
    inspection: HostInspection, mapping: LocationMapping, uri: str, listen: Listen
) -> list[Directive]:
    """What turns the path of this request into another one."""
    host = mapping.host or inspection.nginx.requests.visitor_host(mapping.server, listen)
    route = inspection.nginx.predict(build_request(uri, listen, host))
    if route.path in ("", mapping.prefix + sample_file(inspection, mapping.path)):
        return []
    levels = mapping.scope.outward()
    every = (one for level in levels for one in level.own.get("rewrite", ()))
    return [one for one in every if _is_matched(one, uri)]


def _is_matched(rewrite: Directive, uri: str) -> bool:
    pattern = pcre.compiled(to_raw(rewrite.args[0]))
    return pattern is not None and pattern.search(to_raw(uri)) is not None


def _wrong_answer(
    inspection: HostInspection,
    mapping: LocationMapping,
    name: str,
    uri: str,
    listen: Listen,
    answer: HttpAnswer,
) -> RuleResult:
    cause = _CAUSES.get(answer.status, "the app answered, not nginx" if answer.status else "")
    rewrites = _rewrites(inspection, mapping, uri, listen) if answer.status else []
    if rewrites:
        cause = f"{rewrites[0].name} (at {rewrites[0].place}) changes its path first"
    cause = _forbidden_link(inspection, mapping, name) or cause
    result = f"no answer ({answer.detail})" if answer.error else f"{answer.status}"
    found = error(
        f"{uri} of {mapping.server.names[0]} returns {result} on {listen.address}: {cause}.",
        f"{mapping.path}/{name} exists",
        f"GET {uri}, Host: {mapping.server.names[0]}, to {listen.address}: {result}",
        mapping.evidence,
        *(f"{one.place}: {' '.join((one.name, *one.args))};" for one in rewrites),
        fix=f"{rewrites[0].place}: narrow this rewrite so that it leaves {mapping.prefix} alone,"
        " then reload nginx."
        if rewrites
        else _unlinked(inspection, mapping)
        or "See the other findings for this location first, then check its path: namei -l"
        f" {mapping.path}/{name}",
    )
    denied = denial_cause(inspection, f"{mapping.path}/{name}") if answer.status == 403 else ""
    return caused(found, denied, is_symptom=True)
