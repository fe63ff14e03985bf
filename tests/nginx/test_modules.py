"""Which ready-made compressed files an nginx can send, by what it says of itself."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.modules import static_encodings
from tests.support.real_nginx import overlay

GZIP = "--with-http_gzip_static_module"
CASES = {
    ("", ""): set(),
    (f"{GZIP} --with-http_ssl_module", ""): {"gzip"},
    ("--add-module=/build/ngx_brotli", ""): {"br"},
    (f"{GZIP} --add-module=/b/ngx_brotli/ --add-module=/b/zstd-nginx-module", ""): {
        *("gzip", "br", "zstd")
    },
    ("--add-dynamic-module=/build/ngx_brotli", ""): set(),
    ("--add-module=/home/brotli/headers-more", ""): set(),
    (GZIP, "load_module modules/ngx_http_brotli_static_module.so;"): {"gzip", "br"},
    ("", "load_module /usr/lib/nginx/modules/ngx_http_zstd_static_module.so;"): {"zstd"},
    ("", "load_module modules/ngx_http_brotli_filter_module.so;"): set(),
}


@pytest.mark.parametrize(("said", "sent"), CASES.items())
def test_it_is_built_in_or_loaded(said: tuple[str, str], sent: set[str]) -> None:
    arguments, configuration = said
    build = Build.parse(f"nginx version: nginx/1.22.1\nconfigure arguments: {arguments}\n")
    tree = load("/n/nginx.conf", overlay({"/n/nginx.conf": configuration.encode()}))

    assert sent == static_encodings(build, tree)
