"""Which answers are good."""

from __future__ import annotations

import pytest

from reconcile.system.http import HttpAnswer
from reconcile.verify.judge import is_by_nginx, judged
from reconcile.verify.model import Expectation

FILE_HEADERS = (
    ("Last-Modified", "Sun, 22 Nov 2026 08:00:00 GMT"),
    ("Content-Length", "3"),
    ("ETag", '"6b02a100-3"'),
)
NGINX_FILE = HttpAnswer(status=200, headers=FILE_HEADERS, body=b"ok\n")
NGINX_PAGE = HttpAnswer(
    status=404, body=b"<html>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
)
APP_PAGE = HttpAnswer(status=200, headers=(("Server", "nginx"),), body=b"hello")


def with_header(name: str, *values: str) -> HttpAnswer:
    return HttpAnswer(status=200, headers=tuple((name, value) for value in values))


@pytest.mark.parametrize(
    ("answer", "expect", "status", "detail"),
    [
        (NGINX_FILE, Expectation(), "pass", "200"),
        (NGINX_FILE, Expectation(status=frozenset({200})), "pass", "200"),
        (APP_PAGE, Expectation(status=frozenset({301, 404})), "fail", "200 instead of 301 or 404"),
        (NGINX_PAGE, Expectation(not_status=frozenset({404})), "fail", "404 is not acceptable"),
        (APP_PAGE, Expectation(body="bye"), "fail", "does not hold 'bye', it begins b'hello'"),
        (APP_PAGE, Expectation(body="ell"), "pass", "200"),
        (NGINX_FILE, Expectation(served_by="nginx"), "pass", "200 by nginx"),
        (NGINX_FILE, Expectation(served_by="app"), "fail", "by nginx instead of the app"),
        (APP_PAGE, Expectation(served_by="nginx"), "fail", "nothing shows that nginx itself"),
        (APP_PAGE, Expectation(served_by="app"), "pass", "200 by the app"),
        (with_header("A", "b"), Expectation(headers=(("a", "b"),)), "pass", "200"),
        (with_header("A", "c"), Expectation(headers=(("A", "b"),)), "fail", "A is c, b expected"),
        (with_header("B", "b"), Expectation(headers=(("A", "b"),)), "fail", "no A, b expected"),
        (
            with_header("Cache-Control", "max-age=604800", "public"),
            Expectation(headers=(("Cache-Control", "public"),)),
            "fail",
            "Cache-Control came 2 times: max-age=604800 and public",
        ),
        (
            HttpAnswer(error="refused", detail="Connection refused"),
            Expectation(),
            "fail",
            "no answer: refused, Connection refused",
        ),
        (HttpAnswer(error="no_such_family"), Expectation(), "skipped", "no such address family"),
    ],
)
def test_an_answer_is_held_against_the_expectation(
    answer: HttpAnswer, expect: Expectation, status: str, detail: str
) -> None:
    check = judged("probe", answer, expect)

    assert status == check.status
    assert detail in check.detail


def test_all_that_is_wrong_is_told_at_once() -> None:
    expect = Expectation(status=frozenset({200}), headers=(("A", "b"),))

    assert "404 instead of 200; no A, b expected" == judged("probe", NGINX_PAGE, expect).detail


def test_the_body_of_an_error_page_is_not_looked_at() -> None:
    expect = Expectation(status=frozenset({200}), body="Uploads")

    assert "404 instead of 200" == judged("probe", NGINX_PAGE, expect).detail


@pytest.mark.parametrize(
    ("answer", "by_nginx"),
    [
        (NGINX_FILE, True),
        (NGINX_PAGE, True),
        (APP_PAGE, False),
        (HttpAnswer(status=404, headers=FILE_HEADERS, body=b"our own page"), False),
        (HttpAnswer(status=200, headers=FILE_HEADERS[:2]), False),
        (HttpAnswer(status=200, headers=(*FILE_HEADERS[:2], ("ETag", '"6b02a100-4"'))), False),
        (HttpAnswer(status=200, headers=(*FILE_HEADERS[:2], ("ETag", 'W/"6b02a100-3"'))), False),
        (HttpAnswer(status=200, headers=(("Last-Modified", "?"), *FILE_HEADERS[1:])), False),
    ],
)
def test_a_server_header_is_no_proof_but_the_etag_of_a_file_is(
    answer: HttpAnswer, by_nginx: bool
) -> None:
    assert by_nginx is is_by_nginx(answer)
