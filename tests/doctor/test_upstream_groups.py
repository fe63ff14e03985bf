"""A group of upstreams in which some answer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.doctor.single_rule import found

pytestmark = pytest.mark.process
SITE = (
    "upstream up { server 127.0.0.1:PORT; SERVER }"
    " server { listen 80; server_name a.test; location / { proxy_pass http://up; } }"
)


@pytest.mark.parametrize(
    ("server", "reported"),
    [
        ("server 127.0.0.1:1;", [("warning", "a.test has lost one of 2 servers")]),
        ("server 127.0.0.1:1 backup;", [("warning", "a.test has lost one of 2 servers")]),
        ("server 127.0.0.1:1 down;", []),
        ("", []),
    ],
)
def test_a_group_that_has_lost_one_server_still_answers(
    public: Path, server: str, reported: list[tuple[str, str]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as app:
        text = SITE.replace("PORT", str(app.getsockname()[1])).replace("SERVER", server)
        findings = found("socket-chain", public, text)

    assert reported == [(one.severity, one.what.partition(":")[0]) for one in findings]


def test_a_group_of_which_none_answers_is_an_error(public: Path) -> None:
    [finding] = found("socket-chain", public, SITE.replace("PORT", "1").replace("SERVER", ""))

    assert ("error", True) == (finding.severity, "returns 502" in finding.what)
