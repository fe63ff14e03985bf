"""URIs are normalised as nginx normalises them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.nginx.routing.uri import Uri, normalise
from tests.nginx.comparisons import compared
from tests.support.ports import free_port
from tests.support.real_nginx import Running, running


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("//a///b", "/a/b"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/static../app.py", "/static../app.py"),
        ("/a%2fb%2F..%2Fc", "/a/c"),
        ("/%2e%2E/a", None),
        ("/..", None),
        ("/a%00", None),
        ("/a%zz", None),
        ("/a%", None),
        ("/%252e%252e/a", "/%2e%2e/a"),
        ("/a%3Fb", "/a?b"),
        ("/a#b", "/a"),
        ("a", None),
        ("/caf%C3%A9", "/caf\xc3\xa9"),
    ],
)
def test_a_path_is_decoded_once_merged_and_resolved(sent: str, expected: str | None) -> None:
    assert (Uri(expected, "") if expected else None) == normalise(sent)


def test_arguments_stay_as_they_were_sent() -> None:
    assert Uri("/a", "b=%41&c=/../") == normalise("/%61?b=%41&c=/../")


def test_slashes_stay_where_merging_is_off() -> None:
    assert Uri("/a//b", "") == normalise("/a//b", merge_slashes=False)


pieces = st.sampled_from(
    [
        "/",
        "//",
        ".",
        "..",
        "a",
        "b",
        "%2e",
        "%2F",
        "%2f",
        "%",
        "%00",
        "%41",
        "%zz",
        "%25",
        "%3f",
        "?",
        "x=1",
        "+",
        "%2B",
        "/./",
        "/../",
        "...",
        "%C3%A9",
        "~",
        ";",
        "%20",
        "%0a",
        "\\",
        "%5c",
    ]
)
paths = st.lists(pieces, max_size=12).map(lambda chosen: "/" + "".join(chosen))


@pytest.fixture(scope="module", params=["on", "off"])
def echoing(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """An nginx that answers with the URI and the arguments it understood."""
    port = free_port()
    block = (
        f"server {{ listen 127.0.0.1:{port}; merge_slashes {request.param};"
        ' location / { return 200 "$uri $args"; } }'
    )
    with running(tmp_path_factory.mktemp("uri"), block, port) as nginx:
        assert nginx is not None
        yield nginx


@pytest.mark.process
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(sent=paths)
def test_any_uri_is_understood_as_nginx_understands_it(echoing: Running, sent: str) -> None:
    assert_same(echoing, sent)


@pytest.mark.nightly
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck))
@given(sent=paths)
def test_any_uri_is_understood_as_nginx_understands_it_at_length(
    echoing: Running, sent: str
) -> None:
    assert_same(echoing, sent)


def assert_same(echoing: Running, sent: str) -> None:
    compared("URIs")
    answered = echoing.ask(sent)
    predicted = echoing.predict(sent).answer

    assert answered.status == predicted.status
    if predicted.status == 200:
        assert answered.body == (predicted.body or "").encode("utf-8", "surrogateescape")
