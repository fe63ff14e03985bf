"""Compressed copies that are made of a site's files, but that its nginx does not send."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.expansion.scope import SiteScope
from reconcile.engine.model import Finding
from reconcile.filesystem.compress import Encoding

MODULES: dict[Encoding, str] = {
    "gzip": "ngx_http_gzip_static_module (apt install nginx has it)",
    "br": "ngx_http_brotli_static_module (apt install libnginx-mod-http-brotli-static)",
    "zstd": "ngx_http_zstd_static_module (a third party's, to be built for this nginx)",
}


def unsent(site: SiteScope) -> Iterator[Finding]:
    """One for each encoding of a location that needs a module which nginx does not have."""
    if site.site.adopted:
        return
    for prefix, location in site.site.locations.items():
        for encoding in location.precompress:
            if encoding not in site.facts.static_encodings:
                yield _finding(site, prefix, encoding)


def _finding(site: SiteScope, prefix: str, encoding: Encoding) -> Finding:
    place = site.scope.spec.place(*site.at("locations", prefix, "precompress"))
    return Finding(
        "precompressed-unsent",
        "note",
        f"{prefix} of {site.name} gets {encoding} copies of its files, but nginx does not send"
        " them: it lacks the module.",
        (str(place),),
        fix=f"Load {MODULES[encoding]}, then apply again; or take {encoding} out of precompress.",
    )
