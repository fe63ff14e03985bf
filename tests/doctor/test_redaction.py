"""What leaves a host in a bundle for support holds no secret."""

from __future__ import annotations

import io
import tarfile

import pytest

from reconcile.config.load import load_bytes
from reconcile.doctor.redaction import redact, redact_values, secrets_of
from reconcile.doctor.support_bundle import archive

APP = """
version: 1
paths:
  /etc/app.env: {content: "KEY=hunter22", sensitive: true}
sites:
  shop:
    server_names: [shop.example]
    app:
      upstream: unix:/run/shop.sock
      service: shop.service
      user: www-data
      gunicorn:
        directory: /srv/shop
        module: "app:app"
        python: /srv/shop/.venv/bin/python
        environment: {DATABASE_URL: "postgres://shop:s3cr3t@db/shop", MODE: live}
    locations:
      /static/: {role: static, dir: /srv/static}
"""


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (
            "proxy_set_header Authorization Basic c2VjcmV0;",
            "proxy_set_header Authorization (redacted);",
        ),
        ("API_KEY=abc", "API_KEY=(redacted)"),
        ("secret_key: abc", "secret_key: (redacted)"),
        ("proxy_pass http://me:pass1@backend/;", "proxy_pass http://(redacted)@backend/;"),
        ('"GET /reset?t=abc HTTP/1.1"', '"GET /reset?(redacted) HTTP/1.1"'),
        ("anna:$apr1$x$y", "anna:(redacted)"),
        ("a\n-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nb", "a\n(redacted)\nb"),
    ],
)
def test_a_secret_is_redacted(text: str, redacted: str) -> None:
    assert redacted == redact(text)


@pytest.mark.parametrize(
    "text", ["server_tokens off;", "alias /srv/static/;", "listen [::]:80;", "user www-data;"]
)
def test_other_text_stays(text: str) -> None:
    assert text == redact(text)


def test_the_secrets_of_the_yaml_are_known_wherever_they_stand() -> None:
    secrets = secrets_of(load_bytes(APP.encode(), "reconcile.yaml").model_dump(mode="json"))

    assert "the line (redacted) of it" == redact("the line hunter22 of it", secrets)
    assert "to (redacted) failed" == redact("to postgres://shop:s3cr3t@db/shop failed", secrets)


def test_every_text_of_a_json_value_is_redacted() -> None:
    assert {"a": ["x (redacted)", 1]} == redact_values({"a": ["x hunter22", 1]}, ["hunter22"])


def test_the_archive_holds_each_text_in_one_folder() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive({"a.txt": "one", "b/c": "two"}))) as tar:
        names = tar.getnames()
        [first, _] = [file.read() for name in names if (file := tar.extractfile(name))]

    assert (["reconcile-bundle/a.txt", "reconcile-bundle/b/c"], b"one") == (names, first)
