"""Prediction equals answer: generated configurations, served by real nginx."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tests.nginx.agreement import disagreements
from tests.support import generated_nginx as generated
from tests.support.real_nginx import lay_files

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    lay_files(folder)
    return folder


serving = settings(
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@settings(serving, max_examples=60)
@given(server=generated.servers(), uris=generated.uris, method=generated.methods)
def test_the_response_is_the_predicted_one(
    prefix: Path, server: str, uris: list[str], method: str
) -> None:
    found = disagreements(prefix, server, uris, method)
    assume(found is not None)

    assert [] == found


@pytest.mark.nightly
@settings(serving, max_examples=1_200)
@given(server=generated.servers(), uris=generated.uris, method=generated.methods)
def test_the_response_is_the_predicted_one_at_length(
    prefix: Path, server: str, uris: list[str], method: str
) -> None:
    found = disagreements(prefix, server, uris, method)
    assume(found is not None)

    assert [] == found
