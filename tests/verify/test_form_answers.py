"""Whatever an app answers to an upload, it is a result of the check."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from reconcile.config.probes import Endpoint, UploadProbe
from reconcile.engine.model import Check
from reconcile.system.http import HttpAnswer
from reconcile.verify.form_upload import check_form_upload
from reconcile.verify.http_probe import ProbeClient


class Answers:
    """An app that answers every form with `body`, and serves nothing."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def post(self, *form: object) -> HttpAnswer:
        return HttpAnswer(status=201, body=self.body)

    def retry_until_ok(self, ask: Callable[[], Check]) -> Check:
        return ask()


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":' + b"[" * 200_000,
        b"[" * 200_000 + b"]" * 200_000,
        b'{"id": ' + b"1" * 10_000 + b"}",
        b'{"id": 1e999999}',
        b'{"id": {"a": 1}}',
        b"\xff\xfe",
        b"",
    ],
    ids=["nested object", "nested lists", "digits", "infinite", "object", "no text", "empty"],
)
def test_an_answer_without_the_key_fails_the_check(body: bytes) -> None:
    endpoint = Endpoint("http", "shop.example", 80, ("127.0.0.1",))
    probe = UploadProbe("up", "shop", endpoint, "/upload", "file", "/media/{id}", None)

    check = check_form_upload(probe, cast(ProbeClient, Answers(body)))

    assert "fail" == check.status
    assert "lacks a key of /media/{id}" in check.detail
