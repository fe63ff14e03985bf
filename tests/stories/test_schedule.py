"""A timer of ours looks at a real host while nobody else does."""

from __future__ import annotations

import json
import stat

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.lab import DebianHost
from tests.support import guide_site as site
from tests.support.wait import wait_for

pytestmark = pytest.mark.host

METRICS = "/var/lib/node_exporter/reconcile.prom"
MESSAGES = "/tmp/messages"
HOOK = f"""
from http.server import BaseHTTPRequestHandler, HTTPServer
class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open("{MESSAGES}", "ab") as file:
            file.write(body + b"\\n")
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", 8099), Hook).serve_forever()
"""
SERVICE = "reconcile-drift.service"


@pytest.fixture
def host(debian_host: DebianHost) -> DebianHost:
    """A host in sync, with a webhook and a folder for metrics."""
    site.deploy(debian_host)
    site.apply(debian_host)
    debian_host.write("/opt/hook.py", HOOK)
    debian_host.run("systemd-run", "--quiet", "--unit=hook", "/usr/bin/python3", "/opt/hook.py")
    debian_host.run("install", "-d", "/var/lib/node_exporter")
    return debian_host


def install(host: DebianHost, *options: str) -> None:
    notify = ("--notify", "json://127.0.0.1:8099/very-secret-token")
    host.reconcile(
        "schedule",
        "install",
        "--every",
        "*:*:0/3",
        "--delay",
        "0",
        "--metrics-file",
        METRICS,
        *notify,
        *options,
        check=True,
    )


def metrics(host: DebianHost) -> dict[str, float]:
    text = host.read(METRICS).decode() if host.exists(METRICS) else ""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.labels
    }


def messages(host: DebianHost) -> list[str]:
    return host.read(MESSAGES).decode().splitlines() if host.exists(MESSAGES) else []


def wait_for_runs(host: DebianHost, count: int) -> None:
    """Until the timer has started that many further checks, and the last has ended."""
    runs: set[str] = set()

    def enough() -> bool:
        asked = host.run("systemctl", "show", "--property=InvocationID,ActiveState", SERVICE)
        properties = dict(line.split("=", 1) for line in asked.stdout.splitlines())
        invocation, state = properties["InvocationID"], properties["ActiveState"]
        runs.add(invocation)
        return len(runs) > count and state != "activating"

    wait_for(enough, f"{count} checks")


def is_in_sync(host: DebianHost, answer: int) -> None:
    wait_for(
        lambda: metrics(host).get("reconcile_drift_in_sync") == answer, "metrics", timeout_s=40
    )


def test_the_timer_notifies_of_drift_once_and_is_silent_once_fixed(
    host: DebianHost,
) -> None:
    install(host)
    is_in_sync(host, 1)
    host.run("chmod", "0600", site.STYLESHEET)
    is_in_sync(host, 0)
    wait_for_runs(host, 2)
    drifting = messages(host)
    host.run("chmod", "0644", site.STYLESHEET)
    is_in_sync(host, 1)
    wait_for_runs(host, 2)

    assert 1 == len(drifting)
    assert f"assets:{site.STATIC}" in drifting[0]
    assert 2 == len(messages(host))
    assert "in sync again" in messages(host)[1]
    journal = host.run("journalctl", "-u", SERVICE, "--output=cat").stdout
    assert "very-secret-token" not in journal + host.run("ps", "-eo", "args").stdout
    status = json.loads(host.reconcile("schedule", "status", "--json").stdout)
    assert (True, "in_sync") == (status["installed"], status["last_state"])


def test_no_state_file_is_readable_by_others_and_readings_by_their_group_alone(
    host: DebianHost,
) -> None:
    host.run("groupadd", "--system", "reconcile-readers")
    install(host)
    is_in_sync(host, 1)
    wait_for_runs(host, 1)

    listed = host.run("find", "/var/lib/reconcile", "-printf", "%m %p\\n").stdout

    for line in listed.splitlines():
        mode, path = line.split(" ", 1)
        assert 0 == stat.S_IMODE(int(mode, 8)) & 0o077, path
    listed = host.run("find", "/var/lib/reconcile-readings", "-printf", "%m %u:%g %y\n").stdout
    assert {"640 root:reconcile-readers f", "750 root:reconcile-readers d"} == set(
        listed.splitlines()
    )


def test_healing_fixes_drift(host: DebianHost) -> None:
    install(host, "--heal")
    is_in_sync(host, 1)

    host.run("chmod", "0600", site.STYLESHEET)
    wait_for(lambda: host.testinfra.file(site.STYLESHEET).mode == 0o644, "the mode")

    wait_for(lambda: len(messages(host)) == 1, "the message")
    assert "drift was reverted" in messages(host)[0]


def test_a_time_that_systemd_does_not_know_is_refused_before_anything_is_written(
    debian_host: DebianHost,
) -> None:
    site.deploy(debian_host)

    done = debian_host.reconcile("schedule", "install", "--every", "15m")

    assert 1 == done.returncode
    assert "'15m' is not a calendar expression" in done.stderr
    assert not debian_host.exists(f"/etc/systemd/system/{SERVICE}")


@pytest.mark.parametrize("opened", ["chown deploy /srv/y", "chmod 0666 /srv/y/reconcile.yaml"])
def test_a_file_that_others_can_edit_is_never_healed_by(host: DebianHost, opened: str) -> None:
    host.run("useradd", "deploy")
    host.run("cp", "-r", "/etc/reconcile", "/srv/y")
    host.run("sh", "-c", opened)

    healing = host.reconcile("schedule", "install", "--heal", cwd="/srv/y")
    checking = host.reconcile("schedule", "install", cwd="/srv/y")

    assert (1, 0) == (healing.returncode, checking.returncode)
    assert "/srv/y/reconcile.yaml can be edited by other users" in healing.stderr
    assert "fix: Give the file" in healing.stderr


def test_no_unit_runs_a_program_that_others_can_change(debian_host: DebianHost) -> None:
    site.deploy(debian_host)
    [package] = debian_host.run(
        "sh", "-c", "echo /opt/reconcile/lib/*/site-packages"
    ).stdout.split()
    debian_host.run("chmod", "g+w", f"{package}/reconcile")

    scheduled = debian_host.reconcile("schedule", "install")
    confirmed = debian_host.reconcile("apply", "--auto-approve", "--confirm", "5m")

    for done in (scheduled, confirmed):
        assert 1 == done.returncode
        assert f"{package}/reconcile can be changed by other users" in done.stderr
        assert f"chmod -R go-w {package}/reconcile" in done.stderr
    assert not debian_host.exists(f"/etc/systemd/system/{SERVICE}")
    assert not debian_host.exists("/etc/systemd/system/reconcile-confirm.service")


def test_metrics_below_a_missing_directory_are_refused(host: DebianHost) -> None:
    done = host.reconcile("schedule", "install", "--metrics-file", "/var/none/a.prom")

    assert 1 == done.returncode
    assert "The directory /var/none of --metrics-file does not exist" in done.stderr
    assert not host.exists(f"/etc/systemd/system/{SERVICE}")


def test_the_status_shows_that_the_timers_own_run_failed(host: DebianHost) -> None:
    host.run("mkdir", "/srv/metrics")
    host.reconcile("schedule", "install", "--metrics-file", "/srv/metrics/a.prom")
    host.run("rmdir", "/srv/metrics")
    host.run("systemctl", "start", SERVICE, check=False)
    host.reconcile("drift")

    status = host.reconcile("schedule", "status").stdout
    document = json.loads(host.reconcile("schedule", "status", "--json").stdout)

    assert "Its last run gave no result: exit-code, exit status 226" in status
    assert document["failure"].startswith("exit-code, exit status 226")


def test_what_was_installed_is_removed_without_a_trace(host: DebianHost) -> None:
    install(host)
    removed = host.reconcile("schedule", "remove")
    again = host.reconcile("schedule", "remove")

    assert (0, 0) == (removed.returncode, again.returncode)
    assert "No drift check is installed." in again.stdout
    assert not host.exists(f"/etc/systemd/system/{SERVICE}")
    assert not host.exists("/var/lib/reconcile/notify")
    assert not host.exists("/etc/systemd/system/timers.target.wants/reconcile-drift.timer")
