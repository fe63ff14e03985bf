"""A fix never edits a file that reconcile writes: it names the key of the YAML."""

from __future__ import annotations

import pytest

from reconcile.config.context import CompileContext
from reconcile.config.load import load_bytes
from reconcile.doctor.owned_fix import owned_fix
from reconcile.doctor.read_declaration import declaration
from reconcile.doctor.rules import load_rule
from reconcile.engine.model import Finding
from reconcile.nginx.model.config_loader import load
from tests.support.host_facts import HOST
from tests.support.real_nginx import overlay

MANAGED = b"# Managed by reconcile (site shop)\nserver {\n    listen 80;\n    # extra\n}\n"
MAIN = b"http { include /s.conf; include /o.conf; }"
TREE = load("/n.conf", overlay({"/n.conf": MAIN, "/s.conf": MANAGED, "/o.conf": b""}))


YAML = """version: 1
sites:
  shop:
    server_names: [a.test]
    http_extra: |
      map $uri $kind { default page; }
    extra: |
      charset utf-8;
    locations:
      /static/:
        role: static
        dir: /srv/static
        extra: |
          expires 1y;
          charset utf-8;
      /media/:
        role: media
        dir: /srv/media
        extra: expires 1h;
      /robots.txt:
        role: static
        file: /srv/robots.txt
        extra: expires 1d;
      /api/:
        role: proxy
        upstream: http://127.0.0.1:8000
        extra: proxy_buffering off;
"""


def fixed(fix: str, *, apply_fixes: bool = False) -> str:
    finding = Finding("", "error", "It is so.", (), fix, apply_fixes)
    return owned_fix(finding, load_rule("body-limit"), TREE)


def key_of(line: str, below: str = "server {") -> str:
    """The key that the fix names for the first `line` of the rendered site below another."""
    config = load_bytes(YAML.encode(), "/etc/reconcile.yaml")
    text = CompileContext(config, HOST).sites["shop"].nginx_content
    tree = load("/n.conf", overlay({"/n.conf": b"http { include /s.conf; }", "/s.conf": text}))
    lines = [one.strip() for one in text.decode().splitlines()]
    at = lines.index(line, lines.index(below) if below else 0) + 1
    finding = Finding("", "error", "It is so.", (), f"/s.conf:{at}: remove it.", False)
    return owned_fix(finding, load_rule("body-limit"), tree, declaration(config).extras)


@pytest.mark.parametrize(
    ("line", "below", "key"),
    [
        ("expires 1y;", "", "locations./static/.extra (/etc/reconcile.yaml:13)"),
        ("charset utf-8;", "", "locations./static/.extra (/etc/reconcile.yaml:13)"),
        ("expires 1h;", "", "locations./media/.extra (/etc/reconcile.yaml:19)"),
        ("expires 1d;", "", "locations./robots.txt.extra (/etc/reconcile.yaml:23)"),
        ("proxy_buffering off;", "", "locations./api/.extra (/etc/reconcile.yaml:27)"),
        (
            "charset utf-8;",
            "# extra, from reconcile.yaml",
            "extra (/etc/reconcile.yaml:7)",
        ),
        ("map $uri $kind { default page; }", "", "http_extra (/etc/reconcile.yaml:5)"),
        ("server_name a.test;", "", "max_upload"),
    ],
)
def test_what_a_site_adds_as_it_is_has_its_own_key(line: str, below: str, key: str) -> None:
    expected = f"In the YAML, sites.shop.{key}: remove it; then: reconcile apply"
    assert expected == key_of(line, below)


def test_a_managed_file_within_a_fix_is_named_by_its_key() -> None:
    fix = "Copy them; then in /s.conf:2: alias /srv/copy/;"

    assert "Copy them; then in sites.shop.max_upload of the YAML: alias /srv/copy/;" == fixed(fix)


def test_an_edit_of_a_managed_file_becomes_a_key_of_the_yaml() -> None:
    fix = "/s.conf:2: client_max_body_size 20m; then reload nginx."

    expected = "In the YAML, sites.shop.max_upload: client_max_body_size 20m; then: reconcile apply"
    assert expected == fixed(fix)


def test_what_an_apply_restores_needs_no_more_than_that() -> None:
    assert "reconcile apply" == fixed("/s.conf:2: alias /x/;", apply_fixes=True)


def test_other_fixes_stay_as_they_are() -> None:
    for fix in ("/o.conf:1: listen 80;", "chmod o+x /srv", "Move it.", ""):
        assert fix == fixed(fix)
