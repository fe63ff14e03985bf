"""A YAML from standard input: its sources are packed with it, or there are none."""

from __future__ import annotations

import re

import pytest

from reconcile.config.config import Config
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.fields.field_type import ParseContext
from reconcile.config.load import load_bytes

PACKED = ParseContext("/private", "packed")
NONE = ParseContext("/", "none")
SITE = "version: 1\nsites:\n  a:\n    server_names: [a.test]\n    app: {upstream: 'http://127.0.0.1:1'}\n"
KEYS = {
    "paths": "version: 1\npaths: {/etc/a: {source: %s}}\n",
    "location": SITE + "    locations: {/s/: {role: static, dir: /srv/s, source: %s}}\n",
    "password file": SITE + "    access: {basic: %s}\n",
    "maintenance page": SITE + "    maintenance: {page: %s}\n",
    "error page": SITE + "    error_pages: {404: %s}\n",
    "compose": SITE
    + "    locations: {/m/: {role: media, dir: /srv/m}}\n"
    + "containers: [{compose: %s, service: a, mounts: {/m/: /app}}]\n",
}


def load(text: str, context: ParseContext) -> Config:
    return load_bytes(text.encode(), "<stdin>", context=context)


@pytest.mark.parametrize("text", KEYS.values(), ids=KEYS)
def test_a_source_is_a_name_in_the_archive(text: str) -> None:
    assert "/private/x/a.html" in repr(load(text % "./x/a.html", PACKED))


@pytest.mark.parametrize("source", ["../x.html", "a/../../x.html", "..", "/private/../x.html"])
@pytest.mark.parametrize("text", KEYS.values(), ids=KEYS)
def test_a_source_outside_of_the_archive_is_refused(text: str, source: str) -> None:
    with pytest.raises(ConfigErrors, match=r"<stdin>:\d+:\d+: .*(not a path within|not normal)"):
        load(text % source, PACKED)


@pytest.mark.parametrize("text", KEYS.values(), ids=KEYS)
def test_without_an_archive_no_source_may_be_named(text: str) -> None:
    with pytest.raises(ConfigErrors, match=re.escape("add --files TAR")):
        load(text % "./x.html", NONE)


@pytest.mark.parametrize("context", [PACKED, NONE], ids=["packed", "none"])
def test_a_path_of_the_host_is_absolute(context: ParseContext) -> None:
    with pytest.raises(ConfigErrors, match="begin it with /"):
        load("version: 1\npaths: {/etc/a: {link: ./b}}\n", context)
    with pytest.raises(ConfigErrors, match="begin it with /"):
        load("version: 1\nhost: {state_dir: state}\n", context)

    assert load("version: 1\npaths: {/etc/a: {link: /b}}\n", context)


def test_the_packed_files_are_a_part_of_the_digest() -> None:
    config = load("version: 1\n", PACKED)

    digests = {config.digest, *(config.with_packed_files(f"sha256:{n}").digest for n in "01")}

    assert 3 == len(digests)
