"""What someone without root's rights is told of a host: nothing that they cannot see is fine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab import DebianHost
from tests.lab.debian import Completed
from tests.lab.fixtures import Boot
from tests.support import guide_site as site

pytestmark = pytest.mark.host

YAML = (
    site.SMALLEST.replace(
        "      user: www-data\n",
        "      user: www-data\n      flask: {directory: /srv/myapp, module: 'app:app'}\n",
    )
    + "    probes:\n      - {upload: /upload, field: file, then_get: '/media/{filename}'}\n"
)
STYLESHEET = "http://example.com/static/css/app.css"


@pytest.fixture(scope="module")
def host(module_hosts: Boot) -> DebianHost:
    """A host that root has applied."""
    host = module_hosts("seen")
    site.deploy(host, YAML)
    site.apply(host)
    return host


def by_user(host: DebianHost, *arguments: str) -> Completed:
    """`reconcile` as a user without any rights; never with a traceback."""
    command = ("/usr/local/bin/reconcile", *arguments)
    done = host.run(*command, user="games", cwd="/etc/reconcile", check=False)
    assert "Traceback" not in done.stderr
    assert "fault of its own" not in done.stderr
    return done


def statuses(done: Completed) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(done.stdout)["checks"]}


def test_an_item_that_cannot_be_checked_is_not_ticked(host: DebianHost) -> None:
    done = by_user(host, "verify", "--json")

    boxes = {
        int(name.rpartition(":")[2]): status
        for name, status in statuses(done).items()
        if name.startswith("checklist:")
    }
    observed = {1: "pass", 2: "pass", 5: "pass", 8: "pass", 10: "pass"}
    assert (1, {**dict.fromkeys(range(1, 11), "unknown"), **observed}) == (done.returncode, boxes)


def test_everything_unknown_names_how_to_check_it(host: DebianHost) -> None:
    done = by_user(host, "verify", "--json")

    unknown = [c for c in json.loads(done.stdout)["checks"] if c["status"] == "unknown"]
    assert [] == [check for check in unknown if "with sudo" not in check["detail"]]


def test_the_last_line_separates_unknown_from_failed(host: DebianHost) -> None:
    last = by_user(host, "verify").stdout.splitlines()[-1]

    assert last.startswith("Not verified: 7 checks could not be run. Nothing failed: ")


def test_what_an_ordinary_user_sees_fail_has_failed(host: DebianHost) -> None:
    host.run("chmod", "0700", site.STATIC)
    done = by_user(host, "verify")
    host.run("chmod", "0755", site.STATIC)

    assert 3 == done.returncode
    assert done.stdout.splitlines()[-1].startswith("Verification failed: ")


def test_nothing_is_written_that_could_not_be_removed_again(host: DebianHost) -> None:
    before = host.run("ls", "-la", "--time-style=full-iso", site.MEDIA).stdout

    by_user(host, "verify")

    assert before == host.run("ls", "-la", "--time-style=full-iso", site.MEDIA).stdout


def test_doctor_finds_nothing_wrong_in_what_it_may_not_see(host: DebianHost) -> None:
    done = by_user(host, "doctor", "--json")

    reported = json.loads(done.stdout)
    unseen = {one["address"].removeprefix("rule:") for one in reported["unknown"]}
    assert (1, []) == (
        done.returncode,
        [one for one in reported["findings"] if one["severity"] != "note"],
    )
    assert {"config-valid", "log-triage", "gunicorn-triage", "app-import"} <= unseen


@pytest.mark.parametrize("command", [["plan"], ["drift"], ["history"], ["state", "list"]])
def test_what_needs_root_is_reported_as_such(host: DebianHost, command: list[str]) -> None:
    done = by_user(host, *command)

    assert 1 == done.returncode
    assert "fix: Run it with sudo" in done.stderr


def test_explain_speaks_of_the_worker_and_not_of_who_asks(host: DebianHost) -> None:
    done = by_user(host, "explain", STYLESHEET)

    assert 0 == done.returncode
    assert "nginx's worker (www-data) may enter or read:" in done.stdout


@pytest.fixture
def shut(host: DebianHost) -> Iterator[None]:
    """A folder that nginx may read and an ordinary user may not."""
    host.run("sh", "-c", f"chgrp www-data {site.STATIC}; chmod 0750 {site.STATIC}")
    yield
    host.run("sh", "-c", f"chgrp root {site.STATIC}; chmod 0755 {site.STATIC}")


def test_explain_does_not_guess_at_a_file_that_it_may_not_see(host: DebianHost, shut: None) -> None:
    done = by_user(host, "explain", STYLESHEET)

    assert 1 == done.returncode
    assert "unknown: " in done.stdout
    assert "Use sudo" in done.stderr


def test_doctor_names_a_folder_that_it_may_not_see(host: DebianHost, shut: None) -> None:
    done = by_user(host, "doctor", "--json")

    assert f"{site.STATIC} cannot be listed: permission denied" in done.stdout
