"""The fix that a finding names, typed in as it stands, ends the finding."""

from __future__ import annotations

import pytest

from tests.doctor.conftest import Said, doctor
from tests.lab import DebianHost

pytestmark = pytest.mark.host

COMMANDS = (
    ("nginx-read", "nginx-read"),
    ("nginx-read", "nginx-read-file"),
    ("app-write", "app-write"),
    ("app-write", "app-write-sandbox"),
    ("app-write", "app-write-without-unit"),
    ("files-missing", "files-missing"),
    ("alias-target", "alias-target"),
    ("socket-chain", "socket-chain-mode"),
    ("stale-precompressed", "stale-precompressed"),
    ("temp-dir-owner", "temp-dir-owner"),
    ("writable-static", "writable-static"),
)


def fixes(said: Said, rule: str, name: str) -> list[str]:
    named = f"bad-{name}"
    return [
        one["fix"]
        for one in said.of(rule, "error", "warning", "note")
        if any(
            text.rstrip(";/.,").endswith(named) or f"{named}/" in text or f"{named}." in text
            for text in (one["what"], *one["evidence"])
        )
    ]


@pytest.fixture(scope="module")
def mended(sick_host: DebianHost, sick: Said) -> Said:
    commands = [fix for rule, name in COMMANDS for fix in fixes(sick, rule, name)]
    sick_host.run("sh", "-c", "set -e\n" + "\n".join(commands))
    return doctor(sick_host)


@pytest.mark.parametrize(("rule", "name"), COMMANDS)
def test_the_command_of_a_fix_ends_its_finding(
    sick: Said, mended: Said, rule: str, name: str
) -> None:
    assert fixes(sick, rule, name)
    assert [] == fixes(mended, rule, name)
