"""Any bytes are a configuration, or errors with positions."""

from __future__ import annotations

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.config.cache_policy import BUILT_IN_CACHE_POLICIES
from reconcile.config.config import Config
from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.load import load_bytes
from reconcile.engine.model import Position
from reconcile.errors import ReconcileError
from reconcile.system import HostSettings
from tests.support.yaml_examples import FILE, SMALLEST, WHOLE, load_text

TOKENS = [
    *"\n \t:-?[]{},&*!|>'\"%@`#~<=0179aäé\0\x1b\u2028\ufeff",
    "version: 1",
    "sites:",
    "\n  ",
    "null",
    "true",
    "0755",
    "<<: ",
    "*a",
    "&a ",
    "!!python/none ",
    "---\n",
    "...\n",
    "\\ud800",
    "\\UFFFFFFFF",
    "%YAML 1.1",
    '"',
    "{}",
    "[]",
    "- ",
    "? ",
]


def outcome(data: bytes) -> Config | ConfigErrors:
    try:
        return load_bytes(data, FILE)
    except ConfigErrors as errors:
        return errors


@settings(max_examples=400)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from(TOKENS), max_size=60).map("".join).map(str.encode),
    )
)
@example(b"? ? ? a")
@example(b"version: 1\nsites: {? {a: b}: c}")
@example(b"%TAG ! tag:x,2000:\n---\nversion: !x 1")
def test_any_bytes_are_a_configuration_or_refused(data: bytes) -> None:
    found = outcome(data)

    if isinstance(found, ConfigErrors):
        assert found.diagnostics
        assert all(error.line >= 1 and error.column >= 1 for error in found.diagnostics)
        assert str(found).encode()


@settings(max_examples=300)
@given(st.integers(0, 10**9))
def test_a_damaged_file_is_a_configuration_or_refused(seed: int) -> None:
    dice = random.Random(seed)
    text = WHOLE
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(text))
        text = text[:start] + dice.choice(TOKENS) + text[start + dice.randint(0, 12) :]

    found = outcome(text.encode())

    lines = text.split("\n")
    if isinstance(found, ConfigErrors):
        assert all(error.line <= len(lines) for error in found.diagnostics)


def test_the_smallest_file_is_a_whole_site() -> None:
    site = load_text(SMALLEST).sites["myapp"]

    assert ("example.com",) == site.server_names
    assert (80,) == tuple(listen.port for listen in site.listens)
    assert ["assets", "uploads"] == [
        location.effective_owner for location in site.locations.values()
    ]
    assert ["week", "day"] == [location.effective_cache for location in site.locations.values()]


def test_every_key_of_the_whole_file_arrives() -> None:
    whole = load_text(WHOLE)
    site = whole.sites["myapp"]

    assert HostSettings() == whole.host.settings()
    assert site.tls is not None
    assert 31_536_000 == site.tls.hsts
    assert 20 * 1024**2 == site.max_upload
    assert "gzip on;\n" == site.extra
    assert site.app is not None
    assert site.app.gunicorn is not None
    assert "app:app" == site.app.gunicorn.module
    assert ["static", "media", "private"] == [place.role for place in site.locations.values()]
    assert 2 == len(site.probes)
    assert ("/srv/app/app.env",) == whole.file_sources()
    assert BUILT_IN_CACHE_POLICIES == whole.cache_policies


def test_built_in_policies_equal_the_same_policies_written_out() -> None:
    headers = {name: policy.header for name, policy in BUILT_IN_CACHE_POLICIES.items()}

    assert {
        "week": "public, max-age=604800",
        "day": "public, max-age=86400",
        "hashed": "public, max-age=31536000, immutable",
        "none": "no-store",
    } == headers


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    location = load_text(SMALLEST).sites["myapp"].locations["/static/"]

    assert "/srv/app/app/static" == location.source


def test_an_owner_is_merged_over_the_built_in_one() -> None:
    owner = load_text("version: 1\nowners: {uploads: {user: flask}}").all_owners()["uploads"]

    assert ("flask", "www-data", 0o755, 0o644) == (owner.user, owner.group, owner.dirs, owner.files)


def test_every_key_has_a_position() -> None:
    whole = load_text(WHOLE)

    assert Position(FILE, 20, 3) == whole.position_of("sites", "myapp")
    assert Position(FILE, 24, 5) == whole.position_of("sites", "myapp", "tls")
    assert Position(FILE, 36, 7) == whole.position_of("sites", "myapp", "locations", "/static/")
    assert Position(FILE, 18, 3) == whole.position_of("paths", "/var/www/myapp/current")


def test_the_digest_is_that_of_the_bytes() -> None:
    assert load_text("version: 1").digest != load_text("version: 1 ").digest
    assert load_text("version: 1").digest.startswith("sha256:")


def test_all_errors_of_a_file_have_what_why_and_fix() -> None:
    errors = outcome(b"version: 3")

    assert isinstance(errors, ReconcileError)
    assert f"{FILE} has 1 error" == errors.what
    assert f"{FILE}:1:10: invalid value 3 (use 1)" == errors.why
    assert "Nothing was changed." in errors.fix
