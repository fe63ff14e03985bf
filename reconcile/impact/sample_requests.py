"""A few requests for each location of a site, as visitors send them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from posixpath import basename

from reconcile.config.context import SiteContext
from reconcile.config.probes import Endpoint
from reconcile.config.site.listen_ports import endpoint, host_to_probe, main_endpoint
from reconcile.config.site.location import Location
from reconcile.config.site.probe import UploadProbeSettings
from reconcile.impact.planned_path_kinds import Samples
from reconcile.impact.response_diff import SampleRequest
from reconcile.nginx.model.listen import Address
from reconcile.nginx.model.sizes import DEFAULT_BODY_LIMIT
from reconcile.nginx.routing.request import Request

_DOTFILE = ".env"
_SAMPLE = "reconcile-sample.jpg"


def sample_requests(site: SiteContext, samples: Samples) -> Iterator[SampleRequest]:
    """Yield requests for each port, location, upload limit and bare address of a site."""
    main = main_endpoint(site)
    for listen in site.listens:
        yield _get_request(endpoint(site, listen), "/")
    for prefix, location in site.declared.locations.items():
        yield from _of_location(main, prefix, location, samples.get(location.dir, ()))
    for key in (*site.declared.redirects, *site.declared.proxied):
        yield _get_request(main, key)
    for name in site.declared.redirect_from:
        yield _get_request(replace(main, host=host_to_probe((name,))), "/")
    if site.upstream:
        yield from _uploads(site, main)
    yield from _by_address(site, main, samples)


def _of_location(
    at: Endpoint, prefix: str, location: Location, names: Sequence[str]
) -> Iterator[SampleRequest]:
    for name in names:
        yield _get_request(at, prefix + name)
    sample = f"{location.dir}/{_SAMPLE}"
    if location.role != "static" and not names:
        is_usual = location.role == "media"
        yield _get_request(at, prefix + _SAMPLE, sample, short=f"{prefix}*", is_usual=is_usual)
    # One address is enough: the files above show how the others answer.
    once = replace(at, addresses=at.addresses[:1])
    yield _get_request(once, prefix, is_usual=False)
    if prefix != "/":
        yield _get_request(once, prefix.rstrip("/"), is_usual=False)
        # An answer means that requests can leave the directory for its siblings.
        around = f"{prefix.rstrip('/')}../{basename(location.dir)}/{_SAMPLE}"
        yield _get_request(once, around, sample, is_usual=False)
    yield _get_request(once, prefix + _DOTFILE, f"{location.dir}/{_DOTFILE}", is_usual=False)


def _uploads(site: SiteContext, at: Endpoint) -> Iterator[SampleRequest]:
    """Send the largest allowed body, and one byte more."""
    limit = site.declared.max_upload
    limit = DEFAULT_BODY_LIMIT if limit is None else limit
    path = next((p.upload for p in site.declared.probes if isinstance(p, UploadProbeSettings)), "/")
    label = f"{path} with {_size(limit)}"
    for length, short in ((limit, label), (limit + 1, f"{label} and a byte")) if limit else ():
        sample = _get_request(at, path)
        requests = (replace(r, method="POST", body_length=length) for r in sample.requests[:1])
        note = f" with {length} bytes"
        yield replace(sample, requests=tuple(requests), note=note, short=short, is_usual=False)


def _size(count: int) -> str:
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if count % factor == 0:
            return f"{count // factor} {unit}"
    return f"{count} bytes"


def _by_address(site: SiteContext, at: Endpoint, samples: Samples) -> Iterator[SampleRequest]:
    """Request by address instead of name, as a monitor does."""
    named = ((prefix, samples.get(one.dir)) for prefix, one in site.declared.locations.items())
    for path in ["/", *(prefix + names[0] for prefix, names in named if names)][:2]:
        for address in at.addresses:
            here = Endpoint(at.scheme, _bracketed(address), at.port, (address,))
            yield _get_request(here, path, is_usual=False)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _get_request(
    at: Endpoint, path: str, *assumed_files: str, short: str = "", is_usual: bool = True
) -> SampleRequest:
    requests = (
        Request(path, at.host, Address(address, at.port), scheme=at.scheme, client=address)
        for address in at.addresses
    )
    note = " (if it exists)" if assumed_files else ""
    return SampleRequest(
        at.url(""), path, tuple(requests), frozenset(assumed_files), note, short, is_usual
    )
