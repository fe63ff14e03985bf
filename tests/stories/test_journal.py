"""The log of a service on a booted Debian."""

from __future__ import annotations

import pytest

from tests.lab import DebianHost

pytestmark = pytest.mark.host


def test_the_log_of_a_service_reaches_the_journal_without_a_second_time(
    debian_host: DebianHost,
) -> None:
    debian_host.run(
        "systemd-run", "--unit=history", "--wait", "/usr/local/bin/reconcile", "history", "-v"
    )

    debian_host.run("journalctl", "--sync")
    lines = debian_host.run("journalctl", "--unit=history", "--output=cat").stdout.splitlines()

    logged = [line for line in lines if " state.read ledger.json -> " in line]
    assert ["reading"] == [line.partition(" ")[0] for line in logged]
