"""What no one confirms is rolled back, whatever happens to the host meanwhile."""

from __future__ import annotations

import json
import time
from datetime import datetime

import pytest

from tests.lab import DebianHost
from tests.lab.fixtures import Boot
from tests.lab.lab import Lab
from tests.lab.manifest import Manifest, differences
from tests.support import guide_site as site
from tests.support.wait import wait_for

pytestmark = pytest.mark.host

UNIT = "/etc/systemd/system/reconcile-confirm.service"
NEW = site.with_line("max_upload: 30MB").replace(
    'module: "app:app"}', 'module: "app:app", workers: 2}'
)


@pytest.fixture(scope="module")
def first(module_hosts: Boot) -> DebianHost:
    """A site that is applied, and a change of its YAML that is not."""
    host = module_hosts("confirm1")
    site.deploy(host)
    site.apply(host)
    host.write("/etc/reconcile/app/static/css/new.css", "b {}\n")
    host.write("/etc/reconcile/reconcile.yaml", NEW)
    return host


def apply(host: DebianHost, time_to_confirm: str) -> float:
    """Apply, and return when it is rolled back, in seconds since 1970."""
    arguments = ("apply", "--auto-approve", "--json", "--confirm", time_to_confirm)
    done = host.run("/usr/local/bin/reconcile", *arguments, cwd="/etc/reconcile")
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["result"] == "applied"
    return datetime.fromisoformat(summary["confirm_by"]).timestamp()


def manifest(host: DebianHost) -> Manifest:
    return host.manifest(units=("nginx.service", "gunicorn.service", "reconcile-confirm.service"))


def wait_until_rolled_back(host: DebianHost) -> None:
    wait_for(lambda: not host.exists(UNIT), "the rollback")
    is_gone = ("systemctl", "is-active", "reconcile-confirm.service")
    wait_for(lambda: host.run(*is_gone, check=False).returncode != 0, "the unit to end")


def absent_at_the_deadline(host: DebianHost, lab: Lab) -> DebianHost:
    """The host whose power was cut before the deadline of an apply, and came back after it."""
    for allowed_s in (3, 15, 75):
        deadline = apply(host, f"{allowed_s}s")
        lab.cut_power(host)
        in_time = time.time() < deadline
        time.sleep(max(0.0, deadline - time.time()))
        host = lab.power_on(host)
        if in_time:
            return host
        wait_until_rolled_back(host)
    raise AssertionError("the power was never cut in time")


def stable(found: Manifest) -> Manifest:
    """Without what a restart changes."""
    return {
        name: {key: value for key, value in what.items() if key not in ("pid", "since")}
        for name, what in found.items()
    }


def test_without_confirmation_the_host_is_as_before_also_after_a_power_cut(
    first: DebianHost, lab: Lab
) -> None:
    host = first
    before = manifest(host)

    apply(host, "2s")
    wait_until_rolled_back(host)
    assert {} == differences(before, manifest(host))

    host = absent_at_the_deadline(host, lab)
    wait_until_rolled_back(host)
    assert {} == differences(stable(before), stable(manifest(host)))

    apply(host, "1h")
    assert host.exists(UNIT)
    refused = host.reconcile("apply", "--auto-approve")
    planned = host.reconcile("plan")
    assert (6, 0) == (refused.returncode, planned.returncode)
    assert "is rolled back at" in refused.stderr
    assert "[unconfirmed-apply]" in planned.stdout
    host = lab.reboot(host)
    assert host.exists(UNIT)
    confirmed = host.reconcile("confirm")
    assert 0 == confirmed.returncode, confirmed.stderr
    assert not host.exists(UNIT)
    assert (0, 1) == (
        host.reconcile("apply", "--auto-approve").returncode,
        host.reconcile("confirm").returncode,
    )
    assert "No changes." in host.reconcile("plan").stdout
