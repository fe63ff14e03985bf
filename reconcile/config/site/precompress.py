"""Files that are stored compressed, for nginx to send."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.engine.model import Finding
from reconcile.types import Encoding

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext

ENCODING_MODULES: dict[Encoding, str] = {
    "gzip": "ngx_http_gzip_static_module (included in the nginx of Debian and Ubuntu)",
    "br": "ngx_http_brotli_static_module (apt install libnginx-mod-http-brotli-static)",
    "zstd": "ngx_http_zstd_static_module (third-party, to be built for this nginx)",
}


def find_unstatic_encodings(site: SiteContext) -> Iterator[Finding]:
    """A note for each encoding of a location that this nginx lacks the module for."""
    for prefix, location in site.declared.locations.items():
        for encoding in location.precompress:
            if encoding not in site.facts.static_encodings:
                position = site.position_of("locations", prefix, "precompress")
                yield Finding(
                    "precompressed-unsent",
                    "note",
                    f"nginx does not send the {encoding} files of {prefix} of {site.name}: it"
                    " lacks the module.",
                    (str(position),),
                    fix=f"Install {ENCODING_MODULES[encoding]}, then apply again; or remove"
                    f" {encoding} from `precompress`.",
                )
