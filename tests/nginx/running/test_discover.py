"""What is read off the host, and what is said where nginx or its configuration is missing."""

from __future__ import annotations

import os
import socket
from dataclasses import replace

import pytest

from reconcile.errors import ReconcileError
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.listen_check import required_sockets
from reconcile.nginx.server_name_conflicts import name_conflicts
from reconcile.system import Host
from reconcile.system.ports import PortHolder, bind_error, first_ancestor, holders

pytestmark = pytest.mark.process


def test_the_layout_version_and_addresses_are_read(nginx, host):
    found = discover(host)

    assert str(nginx.root / "etc/sites-enabled") == found.layout.enabled_dir
    assert str(nginx.root / "run/nginx.pid") == found.layout.pid_path
    assert nginx.run("-v").stderr.strip().endswith(f"nginx/{found.version}")
    assert socket.has_ipv6 == found.ipv6


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"nginx_config": "/nowhere/nginx.conf"}, "the nginx configuration /nowhere"),
        ({"nginx_binary": "/nowhere/nginx"}, "nginx is not installed"),
    ],
)
def test_without_nginx_the_error_names_its_package(nginx, host, setting, what):
    bare = Host(replace(host.settings, **setting))

    with pytest.raises(ReconcileError) as missing:
        _ = discover(bare).layout

    assert missing.value.what.startswith(what)
    assert "apt install nginx" in missing.value.fix


def test_the_first_of_two_servers_with_a_name_wins_as_in_nginx(nginx, host):
    server = "server { listen 127.0.0.1:48999; server_name a.example B.example; }\n"
    nginx.site("1", server)
    nginx.site("2", f"# second\n{server.lower()}")

    conflicts = name_conflicts(discover(host).tree)

    assert ["a.example", "b.example"] == [conflict.name for conflict in conflicts]
    assert nginx.site("2", server.lower()).name in conflicts[0].loser.place
    assert 2 == nginx.run("-t").stderr.count("conflicting server name")


def test_an_address_whose_wildcard_is_there_needs_no_socket_of_its_own(nginx, host):
    nginx.site(
        "a", "server { listen 80; listen 127.0.0.1:80; listen [::1]:80; listen 10.0.0.1:81; }"
    )

    assert ["0.0.0.0:80", "[::1]:80", "10.0.0.1:81"] == [
        str(listen.address) for listen in required_sockets(discover(host).tree)
    ]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_holder_of_a_port_is_known_by_name(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]

        with open("/proc/self/comm") as comm:
            program = comm.read().strip()

        assert (PortHolder(address, port, os.getpid(), program),) == holders(port)
        assert 0 != bind_error(address, port)
    assert 0 == bind_error(address, port)


def test_a_shared_socket_is_its_masters_though_process_numbers_have_wrapped_around():
    assert 32_000 == first_ancestor({300: 32_000, 32_000: 1, 301: 32_000})
