"""A root or an alias with variables is looked at where a request gives them their values."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.output.findings import Diagnosis
from tests.doctor.single_rule import ask, configured, serious

pytestmark = pytest.mark.process

KNOWN = {
    "the host": ("server_name shop.test;", "location /s/ { alias {r}/$host/s/; }"),
    "a root with the host": ("server_name shop.test;", "location /s/ { root {r}/$host; }"),
    "an inherited root": ("server_name shop.test; root {r}/$host;", "location /s/ { }"),
    "the first name": (
        "server_name shop.test *.x.test;",
        "location /s/ { root {r}/$server_name; }",
    ),
    "a group of the name": (
        r"server_name ~^(?<who>shop)\.test$;",
        "location /s/ { alias {r}/$who.test/s/; }",
    ),
    "a variable that is set": (
        "server_name shop.test; set $base {r}/$host;",
        "location /s/ { alias $base/s/; }",
    ),
    "a group of the location": (
        "server_name shop.test;",
        "location ~ ^/s/(.*)$ { alias {r}/shop.test/s/$1; }",
    ),
    "a named group": (
        "server_name shop.test;",
        "location ~ ^/s/(?<rest>.+)$ { alias {r}/$host/s/$rest; }",
    ),
}


@pytest.mark.parametrize(("named", "location"), KNOWN.values(), ids=KNOWN)
@pytest.mark.parametrize("is_there", [False, True])
def test_alias_target_knows_a_folder_by(
    tmp_path: Path, named: str, location: str, is_there: bool
) -> None:
    if is_there:
        (tmp_path / "shop.test/s").mkdir(parents=True)

    found = serious(_asked(tmp_path, named, location))

    expected = [] if is_there else [f"{tmp_path}/shop.test/s, served"]
    assert expected == [one.what[: len(f"{tmp_path}/shop.test/s, served")] for one in found]


def test_alias_target_checks_the_folder_of_each_name(tmp_path: Path) -> None:
    (tmp_path / "a.test/s").mkdir(parents=True)

    [finding] = serious(
        _asked(tmp_path, "server_name a.test b.test;", "location /s/ { alias {r}/$host/s/; }")
    )

    assert f"{tmp_path}/b.test/s" in finding.what


def test_the_files_of_a_name_are_asked_for_by_that_name(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.test/s").mkdir(parents=True)
    (tmp_path / "b.test/s/.env").write_text("SECRET=1")

    [finding] = serious(
        _asked(
            tmp_path,
            "server_name a.test b.test;",
            "location /s/ { alias {r}/$host/s/; }",
            rule="dotfile-exposure",
        )
    )

    assert "served: /s/.env" in finding.evidence


TENANTS = {
    "the host": ("server_name *.shop.test;", "{r}/$host/s/", "ann.shop.test", "bob.shop.test"),
    "a group": (r"server_name ~^(?<who>[a-z]+)\.test$;", "{r}/$who/s/", "ann", "bob"),
    "a numbered group": (r"server_name ~^([a-z]+)\.(com|test)$;", "{r}/$1/s/", "ann", "bob"),
}


@pytest.mark.parametrize(("named", "folder", "one", "other"), TENANTS.values(), ids=TENANTS)
def test_the_folders_of_a_wildcard_are_those_that_are_there(
    tmp_path: Path, named: str, folder: str, one: str, other: str
) -> None:
    for name in (one, other):
        (tmp_path / name / "s").mkdir(parents=True)
    (tmp_path / other / "s/.env").write_text("SECRET=1")
    (tmp_path / "file").write_text("no folder")
    location = f"location /s/ {{ alias {folder}; }}"

    assert [] == serious(_asked(tmp_path, named, location))
    [finding] = serious(_asked(tmp_path, named, location, rule="dotfile-exposure"))

    assert "served: /s/.env" in finding.evidence


def test_one_folder_alone_is_asked_for_by_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "all/ann.test").mkdir(parents=True)
    (tmp_path / "all/ann.test/.env").write_text("SECRET=1")
    location = "location /s/ { alias {r}/all/$host/; }"

    [finding] = serious(_asked(tmp_path, "server_name *.test;", location, "dotfile-exposure"))

    assert "served: /s/.env" in finding.evidence


def test_a_folder_that_no_name_leads_to_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "x_y/s").mkdir(parents=True)
    named = r"server_name ~^(?<who>[a-z]+)\.test$;"

    found = _asked(tmp_path, named, "location /s/ { alias {r}/$who/s/; }")

    assert [True] == [f"leads to {tmp_path}/x_y/s" in one.reason for one in found.unknown]


UNKNOWN = {
    "any name of a wildcard": ("server_name *.test;", "alias {r}/$host/s/;", "for each name"),
    "a group of any name": (
        r"server_name ~^(?<who>.+)\.test$;",
        "alias {r}/gone/$who/;",
        "each name",
    ),
    "a header": ("server_name a.test;", "alias {r}/$http_x_tenant/;", "for each visitor"),
    "a cookie": ("server_name a.test;", "alias {r}/$cookie_t/;", "for each visitor"),
    "the URI": ("server_name a.test;", "root {r}$uri;", "for each URI"),
    "a map": ("server_name a.test;", "root {r}/$mapped;", "for each visitor"),
}


@pytest.mark.parametrize(("named", "inside", "why"), UNKNOWN.values(), ids=UNKNOWN)
def test_alias_target_reports_a_folder_that_is_unknown(
    tmp_path: Path, named: str, inside: str, why: str
) -> None:
    found = _asked(tmp_path, named, f"location /s/ {{ {inside} }}")

    assert 1 == found.exit_code()
    assert [True] == [why in one.reason for one in found.unknown]
    assert "location /s/ of " in found.unknown[0].reason


SINGLE = {
    "a file for each URI": (r"location ~ ^/p/(\d+)$ { alias {r}/$1.png; }", "for each URI"),
    "a folder for each user": ("location ~ ^/~([^/]+)/(.*)$ { alias {r}/$1/$2; }", "for each URI"),
    "one kind of file": (r"location ~ ^/s/(.+\.css)$ { alias {r}/$1; }", "for each URI"),
}


@pytest.mark.parametrize(("location", "why"), SINGLE.values(), ids=SINGLE)
def test_alias_target_notes_a_regex_location_that_is_no_folder(
    tmp_path: Path, location: str, why: str
) -> None:
    found = _asked(tmp_path, "server_name a.test;", location)

    assert 0 == found.exit_code()
    assert [("note", True)] == [
        (one.severity, "was not checked" in one.what and why in one.what) for one in found.findings
    ]


def test_a_relative_root_starts_where_nginx_does(tmp_path: Path) -> None:
    [finding] = serious(_asked(tmp_path, "server_name a.test;", "location /s/ { root gone; }"))

    assert finding.what.startswith("/usr/share/nginx/gone/s, served")


def _asked(root: Path, named: str, location: str, rule: str = "alias-target") -> Diagnosis:
    maps = "map $http_x $mapped { default a; }"
    text = f"{maps} server {{ listen 8099; {named} {location} }}".replace("{r}", str(root))
    return ask(rule, configured(root, text), root)
