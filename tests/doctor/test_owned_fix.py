"""A fix never edits a file that reconcile writes: it names the key of the YAML."""

from __future__ import annotations

from reconcile.doctor.owned_fix import owned_fix
from reconcile.doctor.rules import load_rule
from reconcile.engine.model import Finding
from reconcile.nginx.model.config_tree import load
from tests.support.real_nginx import overlay

MANAGED = b"# Managed by reconcile (site shop)\nserver {\n    listen 80;\n    # extra\n}\n"
MAIN = b"http { include /s.conf; include /o.conf; }"
TREE = load("/n.conf", overlay({"/n.conf": MAIN, "/s.conf": MANAGED, "/o.conf": b""}))


def fixed(fix: str, *, apply_fixes: bool = False) -> str:
    finding = Finding("", "error", "It is so.", (), fix, apply_fixes)
    return owned_fix(finding, load_rule("body-limit"), TREE)


def test_an_edit_of_a_managed_file_becomes_a_key_of_the_yaml() -> None:
    fix = "/s.conf:2: client_max_body_size 20m; then reload nginx."

    expected = "In the YAML, sites.shop.max_upload: client_max_body_size 20m; then: reconcile apply"
    assert expected == fixed(fix)


def test_what_an_apply_restores_needs_no_more_than_that() -> None:
    assert "reconcile apply" == fixed("/s.conf:2: alias /x/;", apply_fixes=True)


def test_other_fixes_stay_as_they_are() -> None:
    for fix in ("/o.conf:1: listen 80;", "chmod o+x /srv", "Move it.", ""):
        assert fix == fixed(fix)
