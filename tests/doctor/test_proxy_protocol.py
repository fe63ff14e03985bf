"""A port that waits for the PROXY protocol is asked as its load balancer asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconcile.doctor.http_requests import send_request, tcp_listens
from reconcile.doctor.inspection import HostInspection
from reconcile.system.http import HttpAnswer, HttpTarget
from tests.doctor.single_rule import configured

pytestmark = pytest.mark.process


class _Client:
    def __init__(self) -> None:
        self.targets: list[HttpTarget] = []

    def request(self, target: HttpTarget, path: str, **options: Any) -> HttpAnswer:
        self.targets.append(target)
        return HttpAnswer(200)


@pytest.mark.parametrize(
    ("http", "sent"),
    [
        ("server { listen 8080 proxy_protocol; server_name a.test; }", True),
        ("server { listen 8080; server_name a.test; }", False),
        (
            "server { listen 8080; server_name a.test; }"
            " server { listen 8080 proxy_protocol; server_name b.test; }",
            True,
        ),
        (
            "server { listen 8080; server_name a.test; }"
            " server { listen 8081 proxy_protocol; server_name b.test; }",
            False,
        ),
    ],
)
def test_the_header_is_sent_where_the_address_wants_it(
    tmp_path: Path, http: str, sent: bool
) -> None:
    inspection, client = HostInspection(configured(tmp_path, http)), _Client()
    inspection.host.http = client  # type: ignore[assignment]
    server = inspection.servers[0]

    send_request(inspection, server, tcp_listens(server)[0], "/")

    assert [sent] == [target.behind_proxy for target in client.targets]
