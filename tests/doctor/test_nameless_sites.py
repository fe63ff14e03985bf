"""A site of the YAML and its server are found to be the same, whatever the server calls itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.single_rule import ask, configured, serious

pytestmark = pytest.mark.process

SERVER = "server {{ listen {port}; {names} location /static/ {{ alias {dir}/; }} }}"
YAML = """
version: 1
sites:
  site:
    server_names: [{name}]
    adopted: {root}/conf.d/site.conf
    listen: [0.0.0.0:80]
    locations: {{/static/: {{role: static, dir: {root}/shop}}}}
"""


def whats(root: Path, names: str, name: str = "_", *, http: str = "", port: int = 80) -> list[str]:
    (root / "shop").mkdir(exist_ok=True)
    server = SERVER.format(port=port, names=names, dir=root / "shop")
    host = configured(root, server + http.replace("ROOT", str(root)))
    found = ask("alias-target", host, root, YAML.format(root=root, name=name))
    return [finding.what for finding in serious(found)]


@pytest.mark.parametrize(
    "names", ["", "server_name _;", 'server_name "";', "server_name _ a.test;"]
)
def test_a_server_without_a_name_is_that_of_any_name(tmp_path: Path, names: str) -> None:
    assert [] == whats(tmp_path, names)


def test_a_server_without_a_name_at_another_port_is_another_site(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = "server { listen 81; location /static/ { alias ROOT/other/; } }"

    assert [] == whats(tmp_path, "", http=other)


@pytest.mark.parametrize(("names", "name"), [("", "a.test"), ("server_name a.test;", "b.test")])
def test_a_site_whose_name_no_server_has_is_reported(tmp_path: Path, names: str, name: str) -> None:
    [what] = whats(tmp_path, names, name)

    assert "No nginx server has the location /static/ of site." == what


def test_a_site_whose_port_no_server_has_is_reported(tmp_path: Path) -> None:
    assert 1 == len(whats(tmp_path, "", port=8080))
