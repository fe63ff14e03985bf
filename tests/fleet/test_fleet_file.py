"""fleet.yaml: every error at once, each with its position."""

from __future__ import annotations

import pytest

from reconcile.config.diagnostics import ConfigErrors
from reconcile.fleet.fleet_file import Fleet, load_fleet_bytes
from reconcile.fleet.rollout import StepMembers, StepShare
from reconcile.fleet.target import connection_of

WHOLE = """\
version: 1
hosts:
  web-eu-1: {ssh: deploy@10.0.0.11, tags: [eu, canary], vars: {name: eu.example.com}}
  web-eu-2: {ssh: deploy@10.0.0.12, tags: [eu]}
config: ./hosts/{host}.yaml
install: {require: "1.0"}
rollout:
  order: [{tags: [canary]}, 10%, 50%, 100%]
  parallel: 50
  pause: 60s
  stop: {failed: 2, unreachable: 5%}
"""
ONE = "version: 1\nhosts: {a: {ssh: a}}\nconfig: ./a.yaml\n"


def load(text: str) -> Fleet:
    return load_fleet_bytes(text.encode(), "/srv/fleet.yaml")


def test_a_whole_fleet_is_read() -> None:
    fleet = load(WHOLE)

    assert "/srv/hosts/web-eu-1.yaml" == fleet.config_of("web-eu-1")
    assert (50, 60) == (fleet.rollout.parallel, fleet.rollout.pause)
    assert (StepMembers(tags=("canary",)), StepShare(10, True)) == fleet.rollout.parts[:2]
    assert (StepShare(2), StepShare(5, True)) == (
        fleet.rollout.stop.failed,
        fleet.rollout.stop.unreachable,
    )


def test_the_first_failure_stops_a_rollout_by_default() -> None:
    stop = load(ONE).rollout.stop

    assert (StepShare(1), None) == (stop.failed, stop.unreachable)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hosts: {a: {}}", "it has no connection"),
        ("hosts: {a: {ssh: a, local: true}}", "ssh and local exclude each other"),
        ("hosts: {a: {local: true, port: 22}}", "port is only for ssh"),
        ("hosts: {a: {ssh: 'a b'}}", "is not an SSH address"),
        ("hosts: {a: {shh: a}}", "did you mean ssh?"),
        ("hosts: {a: {ssh: a}}\ninventory: ./i.py", "and not both"),
        ("config: ./x.yaml", "either hosts or an inventory"),
        ("hosts: {a: {ssh: a}}\ninstall: {require: '1', deb: ./x.deb}", "exclude each other"),
        ("hosts: {a: {ssh: a}}\nrollout: {order: [{tags: [canary]}]}", "no host has the tag"),
        ("hosts: {a: {ssh: a}}\nrollout: {order: [{hosts: [b]}]}", "no host is called"),
        ("hosts: {a: {ssh: a}}\nrollout: {order: [0%]}", "is not a number of hosts"),
        ("hosts: {a: {ssh: a}}\nrollout: {stop: {failed: 101%}}", "is not a number of hosts"),
        ("hosts: {a: {ssh: a}}\nrollout: {pause: 60}", "expected a duration"),
    ],
)
def test_what_is_wrong_is_named_with_its_position(line: str, message: str) -> None:
    config = "" if "config:" in line else "config: ./a.yaml\n"

    with pytest.raises(ConfigErrors) as wrong:
        load(f"version: 1\n{config}{line}\n")

    assert message in str(wrong.value)
    assert "/srv/fleet.yaml:" in str(wrong.value)


def test_all_errors_are_reported_at_once() -> None:
    with pytest.raises(ConfigErrors) as wrong:
        load("version: 2\nhosts: {a: {shh: a}}\nconfig: ./a.yaml\nrollout: {parallel: 0}\n")

    assert [1, 2, 4] == [one.line for one in wrong.value.diagnostics]


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("web", {"ssh_hostname": "web"}),
        ("deploy@web:2222", {"ssh_hostname": "web", "ssh_user": "deploy", "ssh_port": 2222}),
        ("root@[::1]:22", {"ssh_hostname": "::1", "ssh_user": "root", "ssh_port": 22}),
    ],
)
def test_an_address_names_user_host_and_port(address: str, data: dict[str, object]) -> None:
    fleet = load(ONE.replace("ssh: a", f"ssh: '{address}'"))

    assert ("a", data) == connection_of("a", fleet.hosts["a"])
