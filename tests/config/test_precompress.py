"""`precompress`: what it adds to a site, and where it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.config.host_facts import HostFacts
from reconcile.resources.assets import Assets
from reconcile.resources.file import File
from tests.support.host_facts import HOST, compile_text, desired
from tests.support.yaml_examples import SMALLEST

STATIC = "/static/: {role: static, "
ALL = SMALLEST.replace(STATIC, f"{STATIC}precompress: [zstd, gzip, br], ")
GZIP = replace(HOST, static_encodings=frozenset({"gzip"}))
EVERY = replace(HOST, static_encodings=frozenset({"gzip", "br", "zstd"}))


def configuration(text: str, host: HostFacts) -> str:
    file = desired(text, host)["file:/etc/nginx/sites-available/myapp.conf"]
    assert isinstance(file, File)
    assert file.content is not None
    return file.content.decode()


def test_the_copies_are_part_of_the_assets() -> None:
    assets = desired(ALL)["assets:/var/www/myapp/static"]

    assert isinstance(assets, Assets)
    assert ("zstd", "gzip", "br") == assets.precompress


@pytest.mark.parametrize(
    ("host", "sent"),
    [
        (HOST, []),
        (GZIP, ["gzip_static on;", "gzip_vary on;"]),
        (EVERY, ["gzip_static on;", "brotli_static on;", "zstd_static on;", "gzip_vary on;"]),
    ],
)
def test_nginx_is_configured_to_send_what_it_can(host: HostFacts, sent: list[str]) -> None:
    location = configuration(ALL, host).partition("location ^~ /static/")[2]
    lines = [line.strip() for line in location.splitlines()]

    assert sent == [line for line in lines if "_static on" in line or "gzip_vary" in line]


def test_without_it_the_configuration_has_no_compression() -> None:
    assert "_static on" not in configuration(SMALLEST, EVERY)


def test_an_encoding_that_nginx_cannot_send_is_a_note_with_a_fix() -> None:
    brotli, zstd = sorted(compile_text(ALL, GZIP).findings, key=lambda one: one.what)

    assert ("precompressed-unsent", "note") == (brotli.rule, brotli.severity)
    assert "nginx does not send the br files of /static/ of myapp" in brotli.what
    assert "libnginx-mod-http-brotli-static" in brotli.fix
    assert "the zstd files of /static/" in zstd.what
    assert () == compile_text(ALL, EVERY).findings == compile_text(SMALLEST, HOST).findings
