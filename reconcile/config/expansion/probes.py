"""What a site has to answer: each location by itself, the app, and what the file asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from reconcile.config.checks.tls import CHALLENGE_PORT
from reconcile.config.expansion.locations import HEALTH_CONTENT, HEALTH_FILE
from reconcile.config.expansion.nginx import cache_control
from reconcile.config.expansion.scope import SiteScope
from reconcile.config.models import probes as written
from reconcile.config.models.locations import Location
from reconcile.config.probes import (
    Endpoint,
    Expectation,
    HttpProbe,
    Probe,
    Server,
    UploadDirectoryProbe,
    UploadProbe,
)
from reconcile.config.values.hosts import ListenOn
from reconcile.nginx.render.site_view import CHALLENGES

# An app that answers for itself, and cannot do what it is there for.
SERVER_ERRORS = frozenset(range(500, 600))
# What nginx answers for an app that is not there, or does not answer.
BAD_GATEWAY = frozenset({502, 504})
NEW_FILE_MODE = 0o644


def expand_probes(site: SiteScope) -> Iterator[Probe]:
    if site.site.adopted:
        yield from _app(site, served_by=None)
    else:
        yield from _promised(site)
    for probe in site.site.probes:
        yield _declared(site, probe)


def _promised(site: SiteScope) -> Iterator[Probe]:
    """What a file of ours always holds; one that was adopted promises nothing of the kind."""
    yield from _redirect(site)
    yield from _challenge(site)
    yield from _app(site, served_by="app")
    for prefix, location in site.site.locations.items():
        yield from _location(site, prefix, location)


def _app(site: SiteScope, served_by: Server | None) -> Iterator[Probe]:
    if site.upstream:
        well = Expectation(not_status=SERVER_ERRORS, served_by=served_by)
        answered = Expectation(not_status=BAD_GATEWAY, served_by=served_by)
        yield replace(_http(site, "the app answers", "/", well), minimum=answered)


def endpoint(site: SiteScope) -> Endpoint:
    """Where visitors end up: the first port that speaks TLS, else the first."""
    ports = site.listens
    return endpoint_on(site, next(filter(site.speaks_tls, ports), ports[0]))


def endpoint_on(site: SiteScope, listen: ListenOn) -> Endpoint:
    """Where one of its ports is asked."""
    scheme = "https" if site.speaks_tls(listen) else "http"
    return Endpoint(scheme, _host(site), listen.port, _addresses(site, listen))  # type: ignore[arg-type]  # both are schemes


def _host(site: SiteScope) -> str:
    """A name that the site answers to; for a wildcard any name below it."""
    names = site.site.server_names
    plain = next((name for name in names if not name.startswith("*.")), None)
    return plain or "reconcile-probe" + names[0].removeprefix("*")


def _addresses(site: SiteScope, listen: ListenOn) -> tuple[str, ...]:
    if listen.address:
        return (listen.address.strip("[]"),)
    return ("127.0.0.1", "::1") if site.facts.ipv6 else ("127.0.0.1",)


def _redirect(site: SiteScope) -> Iterator[Probe]:
    if not site.tls or not site.tls.redirect:
        return
    secure = endpoint(site)
    expect = Expectation(frozenset({301}), headers=(("Location", secure.url("/")),))
    for listen in _plain(site):
        what = f"port {listen.port} leads to HTTPS"
        yield HttpProbe(_name(site, what), site.name, endpoint_on(site, listen), "/", expect)


def _challenge(site: SiteScope) -> Iterator[Probe]:
    """That nobody but nginx, from certbot's folder, answers to Let's Encrypt."""
    by_nginx = Expectation(frozenset({404}), served_by="nginx")
    for listen in _plain(site) if site.letsencrypt else ():
        if listen.port == CHALLENGE_PORT:
            name, at = _name(site, "Let's Encrypt finds its proofs"), endpoint_on(site, listen)
            yield HttpProbe(name, site.name, at, CHALLENGES + "reconcile-probe", by_nginx)


def _plain(site: SiteScope) -> Iterator[ListenOn]:
    return (listen for listen in site.listens if not site.speaks_tls(listen))


def _location(site: SiteScope, prefix: str, location: Location) -> Iterator[Probe]:
    by_nginx = Expectation(frozenset({404}), served_by="nginx")
    if location.role == "private":
        yield _http(site, f"{prefix} is closed to visitors", prefix, by_nginx)
        return
    if prefix != "/":
        redirect = Expectation(frozenset({301}), served_by="nginx")
        yield _http(site, f"{prefix} without its slash leads there", prefix.rstrip("/"), redirect)
    yield _http(site, f"{prefix} hides dotfiles", f"{prefix}.reconcile-probe", by_nginx)
    if location.role == "static":
        yield _health(site, prefix, location)
    else:
        yield _canary(site, prefix, location)


def _served(site: SiteScope, location: Location, body: str | None = None) -> Expectation:
    header = cache_control(site, location)
    headers = (("Cache-Control", header),) if header else ()
    return Expectation(frozenset({200}), headers=headers, body=body, served_by="nginx")


def _health(site: SiteScope, prefix: str, location: Location) -> Probe:
    # A health file of the source's own may say anything.
    body = None if location.source else HEALTH_CONTENT.decode()
    what = f"{prefix} serves files"
    return _http(site, what, prefix + HEALTH_FILE, _served(site, location, body))


def _canary(site: SiteScope, prefix: str, location: Location) -> Probe:
    owner = site.owner_of(location)
    return UploadDirectoryProbe(
        name=_name(site, f"{prefix} serves what the app saves"),
        site=site.name,
        endpoint=endpoint(site),
        prefix=prefix,
        dir=location.dir,
        writer=(site.app_user or owner.user) if site.facts.privileged else None,
        mode=NEW_FILE_MODE if owner.files is None else owner.files,
        expect=_served(site, location),
    )


def _declared(site: SiteScope, probe: written.GetProbe | written.UploadProbe) -> Probe:
    if isinstance(probe, written.GetProbe):
        return _http(site, f"GET {probe.get}", probe.get, _expectation(probe.expect))
    prefix, folder = _lands(site, probe.then_get)
    return UploadProbe(
        name=_name(site, f"POST {probe.upload}"),
        site=site.name,
        endpoint=endpoint(site),
        path=probe.upload,
        field=probe.field,
        then_get=probe.then_get,
        dir=folder,
        prefix=prefix,
    )


def _expectation(expect: written.Expect) -> Expectation:
    return Expectation(
        frozenset({expect.status}),
        headers=tuple(expect.headers.items()),
        body=expect.body,
        served_by=expect.served_by,
    )


def _lands(site: SiteScope, then_get: str) -> tuple[str | None, str | None]:
    """Prefix and directory of the media location that serves `then_get`."""
    fitting = [item for item in site.by_role("media") if then_get.startswith(item[0])]
    if not fitting:
        return None, None
    prefix, location = max(fitting, key=lambda item: len(item[0]))
    return prefix, location.dir


def _http(site: SiteScope, what: str, path: str, expect: Expectation) -> HttpProbe:
    return HttpProbe(_name(site, what), site.name, endpoint(site), path, expect)


def _name(site: SiteScope, what: str) -> str:
    return f"probe:{site.name} {what}"
