"""A response is compared with what the probe expects."""

from __future__ import annotations

import pytest

from reconcile.config.probes import SERVER_ERRORS, Expectation
from reconcile.system.http import HttpAnswer
from reconcile.verify.evaluate import evaluate, is_from_nginx

FILE_HEADERS = (
    ("Last-Modified", "Sun, 22 Nov 2026 08:00:00 GMT"),
    ("Content-Length", "3"),
    ("ETag", '"6b02a100-3"'),
)
NGINX_FILE = HttpAnswer(status=200, headers=FILE_HEADERS, body=b"ok\n")
NGINX_PAGE = HttpAnswer(
    status=404, body=b"<html>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
)
BAD_GATEWAY = HttpAnswer(status=502, body=NGINX_PAGE.body)
APP_404 = HttpAnswer(status=404, body=b"no such page")
APP_PAGE = HttpAnswer(status=200, headers=(("Server", "nginx"),), body=b"hello")


def with_header(name: str, *values: str) -> HttpAnswer:
    return HttpAnswer(status=200, headers=tuple((name, value) for value in values))


@pytest.mark.parametrize(
    ("response", "expect", "status", "detail"),
    [
        (NGINX_FILE, Expectation(), "pass", "200"),
        (NGINX_FILE, Expectation(status=frozenset({200})), "pass", "200"),
        (
            APP_PAGE,
            Expectation(status=frozenset({301, 404})),
            "fail",
            "301 or 404, got 200",
        ),
        (NGINX_PAGE, Expectation(not_status=frozenset({404})), "fail", "expected no 404, got 404"),
        (BAD_GATEWAY, Expectation(not_status=SERVER_ERRORS), "fail", "expected no 5xx, got 502"),
        (
            APP_PAGE,
            Expectation(body="bye"),
            "fail",
            'not contain "bye", it begins with "hello"',
        ),
        (
            HttpAnswer(status=200, body=b"<!doctype html>\n  <p>caf\xc3\xa9 \xff</p>"),
            Expectation(body="it's"),
            "fail",
            'not contain "it\'s", it begins with "<!doctype html> <p>café \ufffd</p>"',
        ),
        (APP_PAGE, Expectation(body="ell"), "pass", "200"),
        (NGINX_FILE, Expectation(served_by="nginx"), "pass", "200 from nginx"),
        (NGINX_FILE, Expectation(served_by="app"), "fail", "200 from nginx, expected the app"),
        (
            APP_PAGE,
            Expectation(served_by="nginx"),
            "fail",
            "response did not come from nginx",
        ),
        (APP_404, Expectation(served_by="nginx"), "fail", "404, but not nginx's own 404 page"),
        (APP_PAGE, Expectation(served_by="app"), "pass", "200 from the app"),
        (with_header("A", "b"), Expectation(headers=(("a", "b"),)), "pass", "200"),
        (with_header("A", "c"), Expectation(headers=(("A", "b"),)), "fail", "A is c, expected b"),
        (
            with_header("B", "b"),
            Expectation(headers=(("A", "b"),)),
            "fail",
            "no A header, expected b",
        ),
        (
            with_header("Cache-Control", "max-age=604800", "public"),
            Expectation(headers=(("Cache-Control", "public"),)),
            "fail",
            "Cache-Control was sent 2 times: max-age=604800 and public",
        ),
        (
            HttpAnswer(error="refused", detail="Connection refused"),
            Expectation(),
            "fail",
            "no response: refused, Connection refused",
        ),
        (HttpAnswer(error="no_such_family"), Expectation(), "skipped", "no such address family"),
    ],
)
def test_a_response_is_compared_with_the_expectation(
    response: HttpAnswer, expect: Expectation, status: str, detail: str
) -> None:
    check = evaluate("probe", response, expect)

    assert status == check.status
    assert detail in check.detail


def test_every_mismatch_is_reported() -> None:
    expect = Expectation(status=frozenset({200}), headers=(("A", "b"),))

    assert (
        "expected 200, got 404; no A header, expected b"
        == evaluate("probe", NGINX_PAGE, expect).detail
    )


def test_the_body_of_an_error_page_is_not_checked() -> None:
    expect = Expectation(status=frozenset({200}), body="Uploads")

    assert "expected 200, got 404" == evaluate("probe", NGINX_PAGE, expect).detail


@pytest.mark.parametrize(
    ("response", "from_nginx"),
    [
        (NGINX_FILE, True),
        (NGINX_PAGE, True),
        (APP_PAGE, False),
        (HttpAnswer(status=404, headers=FILE_HEADERS, body=b"a page of the app"), False),
        (HttpAnswer(status=200, headers=FILE_HEADERS[:2]), False),
        (HttpAnswer(status=200, headers=(*FILE_HEADERS[:2], ("ETag", '"6b02a100-4"'))), False),
        (HttpAnswer(status=200, headers=(*FILE_HEADERS[:2], ("ETag", 'W/"6b02a100-3"'))), False),
        (HttpAnswer(status=200, headers=(("Last-Modified", "?"), *FILE_HEADERS[1:])), False),
    ],
)
def test_the_etag_of_a_file_identifies_nginx_and_the_server_header_does_not(
    response: HttpAnswer, from_nginx: bool
) -> None:
    assert from_nginx is is_from_nginx(response)
