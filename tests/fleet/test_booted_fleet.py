"""Twenty booted hosts and one controller over real OpenSSH: order, times and faults."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.fleet.booted_fleet import Answer, BootedFleet, layers_with_ssh
from tests.lab import Lab

pytestmark = [pytest.mark.host, pytest.mark.nightly]

# Fewer on a machine that is busy: at least six.
HOSTS = [f"web-{n}" for n in range(1, int(os.environ.get("RECONCILE_TEST_FLEET", "20")) + 1)]
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
ALL_AT_ONCE = "{timeout: 5m, parallel: 20}"
IN_STEPS = "{order: [{tags: [canary]}, 4, 100%], timeout: 5m, parallel: 20, stop: {failed: 1}}"
SECRET = "hunter2-correct-horse"
SITE = """\
version: 1
vars: {name: www.example.com, token: none}
paths:
  /etc/shop.conf: {content: "token=${var.token}\\n", sensitive: true}
sites:
  shop:
    server_names: ["${var.name}"]
    locations:
      /static/: {role: static, dir: /var/www/shop/static, source: ./app}
    extra: |
      location = /ready { alias /srv/READY; }
    probes: [{get: /ready, expect: {status: 200}}]
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedFleet]:
    """Twenty hosts on which the site was applied once."""
    lab = Lab(layers_with_ssh())
    fleet = BootedFleet(lab, tmp_path_factory.mktemp("controller"))
    # A systemd holds six of the 128 that a user may have.
    before = INSTANCES.read_text()
    INSTANCES.write_text("1024")
    try:
        fleet.boot(*HOSTS)
        (fleet.folder / "app").mkdir()
        publish(fleet, "first")
        assert {"applied"} == set(rolled_out(fleet, HOSTS).states.values())
        yield fleet
    finally:
        lab.close()
        INSTANCES.write_text(before)


def publish(fleet: BootedFleet, content: str, fails_on: str = "") -> None:
    """What the hosts are to serve from now on; on one of them its check will fail."""
    (fleet.folder / "app/a.txt").write_text(content)
    ready = content.replace(" ", "-")
    (fleet.folder / "site.yaml").write_text(SITE.replace("READY", ready))
    for name, host in fleet.hosts.items():
        if name != fails_on:
            host.write(f"/srv/{ready}", "yes")


def saved_plans(fleet: BootedFleet, hosts: list[str], rollout: str) -> str:
    """A new folder of plans, one for each host."""
    number = len([*fleet.folder.glob("plans-*")])
    fleet.write(rollout, hosts)
    answer = fleet.fleet("plan", "--out", f"plans-{number}")
    assert {"drift"} == set(answer.states.values()), answer.problems
    return f"plans-{number}"


def rolled_out(fleet: BootedFleet, hosts: list[str], rollout: str = ALL_AT_ONCE) -> Answer:
    """The answer of an apply of new plans."""
    return fleet.fleet("apply", saved_plans(fleet, hosts, rollout))


def served(fleet: BootedFleet, name: str) -> str:
    """What visitors of the host get."""
    host = fleet.hosts[name]
    return host.http("GET", "/static/a.txt", host=f"{name}.example.com").body.decode()


def applies(fleet: BootedFleet, name: str) -> int:
    """How many applies the host's history has."""
    host = fleet.hosts[name]
    host.write("/root/empty.yaml", "version: 1\n")
    done = host.run("reconcile", "history", "--json", "-f", "/root/empty.yaml")
    return len(json.loads(done.stdout)["entries"])


def test_twenty_clean_hosts_take_as_long_as_the_slowest(fleet: BootedFleet) -> None:
    fleet.write(ALL_AT_ONCE)
    fleet.forget_logins()

    answer = fleet.fleet("plan")

    print(f"{len(HOSTS)} clean hosts: {answer.took_s:.1f} s; the slowest: {answer.slowest_s:.1f} s")
    assert {"in_sync"} == set(answer.states.values()), answer.problems
    assert answer.took_s <= 1.5 * answer.slowest_s + 5
    assert {1} == {fleet.logins(name) for name in HOSTS}
    assert {1} == {fleet.channels(name) for name in HOSTS}


def test_nothing_happens_elsewhere_where_the_canary_fails(fleet: BootedFleet) -> None:
    canary, *others = HOSTS
    publish(fleet, "canary", fails_on=canary)
    plans = saved_plans(fleet, HOSTS, IN_STEPS)
    before = fleet.files(*others)
    fleet.forget_logins()

    answer = fleet.fleet("apply", plans)

    assert (6, "failed") == (answer.code, answer.states[canary]), answer.problems
    assert {"skipped"} == {answer.states[name] for name in others}
    assert before == fleet.files(*others)
    assert {0} == {fleet.logins(name) for name in others}
    assert "first" == served(fleet, canary)


def test_a_failure_in_the_second_step_leaves_the_third_alone(fleet: BootedFleet) -> None:
    publish(fleet, "second step", fails_on="web-3")
    plans = saved_plans(fleet, HOSTS, IN_STEPS)
    before = fleet.files(*HOSTS[4:])

    answer = fleet.fleet("apply", plans)

    assert (6, "failed") == (answer.code, answer.states["web-3"]), answer.problems
    assert {"applied"} == {answer.states[name] for name in ("web-1", "web-2", "web-4")}
    assert {"skipped"} == {answer.states[name] for name in HOSTS[4:]}
    assert before == fleet.files(*HOSTS[4:])
    assert "second step" == served(fleet, "web-1")


def test_a_host_edited_by_hand_after_its_plan_refuses_and_the_others_go_on(
    fleet: BootedFleet,
) -> None:
    hosts = HOSTS[1:5]
    publish(fleet, "by hand")
    plans = saved_plans(fleet, hosts, ALL_AT_ONCE)
    fleet.hosts[hosts[0]].write("/var/www/shop/static/a.txt", "edited")

    answer = fleet.fleet("apply", plans)

    assert (5, "stale") == (answer.code, answer.states[hosts[0]]), answer.problems
    assert {"applied"} == {answer.states[name] for name in hosts[1:]}
    assert "edited" == served(fleet, hosts[0])


def test_of_two_controllers_each_host_obeys_one(fleet: BootedFleet) -> None:
    hosts = HOSTS[1:5]
    publish(fleet, "two controllers")
    plans = [saved_plans(fleet, hosts, ALL_AT_ONCE) for _ in range(2)]
    before = {name: applies(fleet, name) for name in hosts}

    running = [fleet.start("fleet", "apply", name, "--json") for name in plans]
    codes = [(process.communicate(timeout=600), process.returncode)[1] for process in running]

    assert not set(codes) - {0, 1, 5}
    assert {"two controllers"} == {served(fleet, name) for name in hosts}
    assert {name: count + 1 for name, count in before.items()} == {
        name: applies(fleet, name) for name in hosts
    }


def test_hosts_that_are_off_or_hang_or_drip_do_not_hold_up_the_others(fleet: BootedFleet) -> None:
    off, hanging, dripping, *others = HOSTS[:6]
    keys = "/root/.ssh/authorized_keys"
    fleet.write("{timeout: 60s, parallel: 20}", HOSTS[:6])
    fleet.hosts[off].run("ip", "link", "set", "host0", "down")
    fleet.hosts[hanging].run("sh", "-c", "kill -STOP $(cat /run/sshd.pid)")
    drip = "while :; do printf x; sleep 1; done"
    fleet.hosts[dripping].write("/root/drip", f"#!/bin/bash\n{drip}\n", mode="0755")
    fleet.hosts[dripping].run(
        "sed", "-i", 's#^#command="/root/drip" #', "/root/.ssh/authorized_keys"
    )

    answer = fleet.fleet("drift")

    fleet.hosts[off].run("ip", "link", "set", "host0", "up")
    fleet.hosts[hanging].run("sh", "-c", "kill -CONT $(cat /run/sshd.pid)")
    fleet.hosts[dripping].run("sed", "-i", "s#^command=[^ ]* ##", keys)
    expected = {off: "unreachable", hanging: "unreachable", dripping: "unknown"}
    assert 1 == answer.code
    assert expected == {name: answer.states[name] for name in expected}, answer.problems
    assert not {answer.states[name] for name in others} & {"unreachable", "unknown", "error"}
    assert 60 <= answer.took_s < 60 + 15 + 45


def test_only_hosts_with_login_and_root_are_used(fleet: BootedFleet) -> None:
    by_sudo, by_password, through, unknown, changed = HOSTS[:5]
    address = {name: fleet.hosts[name].address for name in HOSTS[:5]}
    known = fleet.folder / ".ssh/known_hosts"
    kept = known.read_text()
    other = fleet.hosts[HOSTS[5]].read("/etc/ssh/ssh_host_ed25519_key.pub").decode().split()[1]
    lines = [line for line in kept.splitlines() if not line.startswith(f"{address[unknown]} ")]
    known.write_text("\n".join(lines) + "\n")
    mine = fleet.hosts[changed].read("/etc/ssh/ssh_host_ed25519_key.pub").decode().split()[1]
    known.write_text(known.read_text().replace(mine, other))
    (fleet.folder / ".ssh/config").write_text(
        f"Host {address[through]}\n  ProxyJump jump\n"
        f"Host jump\n  HostName {address[by_sudo]}\n  User deploy\n  IdentityFile ~/key\n"
    )
    logins = {by_sudo: "deploy", by_password: "ada"}
    ssh = {name: f"ssh: {login}@{address[name]}" for name, login in logins.items()}
    fleet.write(ALL_AT_ONCE, HOSTS[:5], **ssh)
    fleet.forget_logins()

    answer = fleet.fleet("plan")

    known.write_text(kept)
    (fleet.folder / ".ssh/config").unlink()
    good = {answer.states[name] for name in (by_sudo, through)}
    assert not good - {"in_sync", "drift"}, answer.problems
    assert "unknown" == answer.states[by_password]
    assert "passwordless sudo" in answer.problems[by_password]
    assert {"unreachable"} == {answer.states[name] for name in (unknown, changed)}
    assert "fix: Compare the host's key" in answer.problems[unknown]
    assert "ssh-keygen -R" in answer.problems[changed]
    # The jump host carries the other's session; each of the two is logged in to once as itself.
    assert 2 == fleet.logins(by_sudo)
    assert 1 == fleet.logins(through)


def test_an_inventory_of_pyinfra_is_a_fleet(fleet: BootedFleet) -> None:
    hosts = {name: fleet.hosts[name].address for name in HOSTS[:2]}
    pairs = [
        (
            name,
            {
                "ssh_hostname": address,
                "ssh_user": "deploy",
                "ssh_key": "key",
                "vars": {"name": f"{name}.example.com"},
            },
        )
        for name, address in hosts.items()
    ]
    (fleet.folder / "inventory.py").write_text(f"web = {pairs!r}\n")
    text = "version: 1\ninventory: ./inventory.py\nconfig: ./site.yaml\n"
    (fleet.folder / "by-inventory.yaml").write_text(text)

    answer = fleet.fleet("plan", "-f", "by-inventory.yaml", "--limit", "web")

    assert {*hosts} == answer.states.keys()
    assert not set(answer.states.values()) - {"in_sync", "drift"}, answer.problems


def test_a_secret_is_in_no_argument_environment_record_or_log(fleet: BootedFleet) -> None:
    hosts = HOSTS[:3]
    site = fleet.folder / "site.yaml"
    kept = site.read_text()
    site.write_text(kept.replace("token: none", f"token: {SECRET}"))
    found, is_over = set[str](), Event()
    watching = Thread(target=watch_processes, args=(found, is_over))
    watching.start()

    answer = rolled_out(fleet, hosts)

    is_over.set()
    watching.join()
    site.write_text(kept)
    assert {"applied"} == set(answer.states.values()), answer.problems
    assert f"token={SECRET}\n".encode() == fleet.hosts[hosts[0]].read("/etc/shop.conf")
    assert set() == found
    written = [path for path in fleet.folder.rglob("*") if path.is_file() and path != site]
    assert [] == [path for path in written if SECRET.encode() in path.read_bytes()]
    for name in hosts:
        search = f"journalctl --no-pager | cat - {{}} | grep -c {SECRET[:7]}[-]correct"
        done = fleet.hosts[name].run(
            "sh", "-c", search.format("/var/log/sshd.log /var/log/*.log"), check=False
        )
        assert "0" == done.stdout.strip(), done.stdout
        left = fleet.hosts[name].run("sh", "-c", f"grep -rl {SECRET} /tmp /var/tmp", check=False)
        assert "" == left.stdout


def watch_processes(found: set[str], is_over: Event) -> None:
    """Find the secret in the arguments and the environment of any process, of any host."""
    while not is_over.is_set():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    if SECRET.encode() in Path("/proc", pid, name).read_bytes():
                        found.add(f"{pid} {name}")


def test_a_controller_killed_at_any_moment_is_resumed_and_applies_nothing_twice(
    fleet: BootedFleet,
) -> None:
    hosts, moments = HOSTS[:3], random.Random(16)
    publish(fleet, "before the kills")
    in_steps = "{order: [1, 2], timeout: 5m}"
    lasts_s = rolled_out(fleet, hosts, in_steps).took_s
    before = {name: applies(fleet, name) for name in hosts}

    for number in range(20):
        publish(fleet, f"killed {number}")
        plans = saved_plans(fleet, hosts, in_steps)
        with fleet.start("fleet", "apply", plans) as controller:
            time.sleep(moments.uniform(0, lasts_s))
            controller.send_signal(signal.SIGKILL)
        answer = fleet.fleet("apply", plans, "--resume")

        assert (0, {"applied"}) == (answer.code, set(answer.states.values())), answer.problems
        assert {f"killed {number}"} == {served(fleet, name) for name in hosts}
        expected = {name: count + number + 1 for name, count in before.items()}
        assert expected == {name: applies(fleet, name) for name in hosts}
    left = "find /tmp /var/tmp -name 'reconcile-fleet.*' -mmin -1"
    assert not [name for name in hosts if fleet.hosts[name].run("sh", "-c", left).stdout.strip()]
