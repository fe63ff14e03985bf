"""What programs print is kept without the secrets in it."""

from __future__ import annotations

import pytest

from reconcile.system.hidden_values import hide_values, secret_values

SECRETS = secret_values(
    {"KEY": "hunter2", "DATABASE_URL": "postgres://app:s3cret@db/shop", "DEBUG": "true", "N": "4"}
)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"key hunter2 is wrong", b"key (sensitive) is wrong"),
        (b"login failed: s3cret", b"login failed: (sensitive)"),
        (b"to postgres://app:s3cret@db/shop", b"to (sensitive)"),
        (b"from https://me:abc@host/simple", b"from https://me:(sensitive)@host/simple"),
        (b"API_TOKEN=abc next", b"API_TOKEN=(sensitive) next"),
        (b"{'client_secret': 'abc'}", b"{'client_secret': (sensitive)}"),
        (b"-----BEGIN KEY-----\nabc\n-----END KEY-----\n", b"(sensitive)\n"),
    ],
)
def test_a_secret_is_hidden(written: bytes, shown: bytes) -> None:
    assert shown == hide_values(written, SECRETS)


@pytest.mark.parametrize(
    "written",
    [
        b"DEBUG is true, 4 files",
        b"Successfully installed itsdangerous-2.2 token-utils-1.0",
        b"see https://example.com/a@b",
        b"password hashing is slow",
    ],
)
def test_anything_else_is_shown(written: bytes) -> None:
    assert written == hide_values(written, SECRETS)
