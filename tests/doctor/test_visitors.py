"""Every server is asked by a name that leads to it; where none is known, that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.doctor.request_builder import RequestBuilder
from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.servers import ServerTable
from tests.doctor.single_rule import ask, configured, serious
from tests.support.real_nginx import overlay

pytestmark = pytest.mark.process

DEFAULT = "server { listen 8099 default_server; return 404; }"
SHADOWED = """
location /static/ { alias %s/static/; }
location ~ [.]css$ { root /var/empty; }
"""


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ("shop.test", "shop.test"),
        ("*.shop.test shop.test", "shop.test"),
        ("*.shop.test", "reconcile.shop.test"),
        (".shop.test", "shop.test"),
        ("www.shop.*", "www.shop.test"),
        (r"~^(www\.)?shop\.test$", "shop.test"),
        (r"~^(?<who>.+)\.shop\.test$", "reconcile.shop.test"),
        (r"~^(?!taken)[^.]+\.test$", "reconcile.test"),
        ("taken.test *.test", "reconcile.test"),
        ("~^(?(1)a|b)$", ""),
        ("_", ""),
        ('""', ""),
    ],
)
def test_a_server_is_asked_by_a_name_that_leads_to_it(names: str, host: str) -> None:
    text = f"""http {{
        server {{ server_name taken.test; return 404; }}
        server {{ server_name {names}; }}
    }}"""
    servers = ServerTable(load("/n.conf", overlay({"/n.conf": text.encode()})))

    asked = RequestBuilder(servers).reachable_name(servers.servers[1])

    assert host == asked
    if host:
        assert servers.servers[1] is servers.find(Address("127.0.0.1", 80), asked).server


REACHED = {
    "a simple regex": r"server_name ~^(www\.)?shop\.test$;",
    "a regex beside a name that another has": r"server_name taken.test ~^shop\d\.test$;",
    "a wildcard": "server_name *.shop.test;",
    "no name, and not the default": "",
    "a name that nobody types": "server_name _;",
}


@pytest.mark.parametrize("named", REACHED.values(), ids=REACHED)
def test_route_shadowed_checks_a_server_with(tmp_path: Path, named: str) -> None:
    (tmp_path / "static").mkdir()
    taken = "server { listen 8099; server_name taken.test; return 404; }"
    own = f"server {{ listen 8099; {named} {SHADOWED % tmp_path} }}"
    host = configured(
        tmp_path, DEFAULT.replace("return", "server_name x.test; return") + taken + own
    )

    # Nobody misses a file yet: the folder has none.
    [finding] = ask("route-shadowed", host, tmp_path).findings

    assert "takes" in finding.what
    assert "note" == finding.severity


def test_what_no_known_name_leads_to_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    own = f"server {{ listen 8099; server_name ~^(?(1)a|b)$; {SHADOWED % tmp_path} }}"
    host = configured(tmp_path, DEFAULT + own)

    found = ask("route-shadowed", host, tmp_path)

    assert ["no name is known that leads to ~^(?(1)a|b)$"] == [
        one.reason.partition(": ")[2] for one in found.unknown
    ]


def test_a_server_whose_names_others_have_is_left_to_dup_server(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    own = f"server {{ listen 8099; server_name shop.test; {SHADOWED % tmp_path} }}"
    first = "server { listen 8099; server_name shop.test; return 404; }"
    host = configured(tmp_path, first + own)

    assert [] == serious(ask("route-shadowed", host, tmp_path))
    assert 1 == len(serious(ask("dup-server", host, tmp_path)))


UNTOLD = {
    "a regex that cannot be evaluated": ("location ~ ^(?(1)a|b)$ { }", "cannot be evaluated"),
    "a module that decides": ("random_index on;", "random_index decides"),
}


@pytest.mark.parametrize(("inside", "why"), UNTOLD.values(), ids=UNTOLD)
@pytest.mark.parametrize("rule", ["route-shadowed", "dotfile-exposure", "active-uploads"])
def test_an_indeterminate_answer_is_unknown(
    tmp_path: Path, rule: str, inside: str, why: str
) -> None:
    (tmp_path / "media").mkdir()
    own = f"{inside} location /media/ {{ alias {tmp_path}/media/; }}"
    host = configured(tmp_path, f"server {{ listen 8099; server_name shop.test; {own} }}")

    found = ask(rule, host, tmp_path)

    assert found.unknown
    assert why in found.unknown[0].reason
    assert 1 == found.exit_code()
