"""The precompressed encodings this nginx can send, built in or by a loaded module.

Source: ngx_http_gzip_static_module; README of google/ngx_brotli and of tokers/zstd-nginx-module.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.types import Encoding

GZIP = "--with-http_gzip_static_module"
HTTP2 = "--with-http_v2_module"
THIRD: dict[Encoding, str] = {"br": "brotli", "zstd": "zstd"}
"""Encoding → the word that names the module's source folder in `nginx -V`."""
LOADED: dict[str, Encoding] = {
    "ngx_http_brotli_static_module.so": "br",
    "ngx_http_zstd_static_module.so": "zstd",
}


def static_encodings(build: Build, tree: ConfigTree) -> frozenset[Encoding]:
    """The encodings whose `*_static` directive this nginx supports with its loaded modules."""
    return frozenset((*_built_in(build), *_loaded(tree)))


def _built_in(build: Build) -> Iterator[Encoding]:
    if GZIP in build.arguments:
        yield "gzip"
    added = [one.partition("=")[2] for one in build.arguments if one.startswith("--add-module=")]
    for encoding, name in THIRD.items():
        if any(name in folder.rstrip("/").rpartition("/")[2] for folder in added):
            yield encoding


def _loaded(tree: ConfigTree) -> Iterator[Encoding]:
    for directive in tree.directives:
        if directive.name == "load_module" and directive.args:
            file = directive.args[0].rpartition("/")[2]
            if file in LOADED:
                yield LOADED[file]
