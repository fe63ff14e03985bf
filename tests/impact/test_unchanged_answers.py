"""A plan routes only the requests that may be answered otherwise, and misses none of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reconcile.impact.response_diff import SampleRequest
from reconcile.impact.unchanged_answers import UnchangedAnswers
from tests.impact.conftest import GuidesHost, guides_host

pytestmark = pytest.mark.process

SITES = """
version: 1
host:
  nginx: {config: ROOT/nginx/nginx.conf}
  service_manager: none
  state_dir: ROOT/state
paths:
  ROOT/nginx/snippets/shared.conf: {content: "add_header X-Shared one;"}
  ROOT/flags/closed: {content: "no"}
sites:
  first:
    server_names: [first.example]
    app: {upstream: "unix:/run/first.sock"}
    http_extra: "map $uri $first_word { default one; }"
    locations:
      /static/: {role: static, dir: ROOT/www/first, source: ROOT/app/first}
  second:
    server_names: [second.example]
    app: {upstream: "unix:/run/second.sock"}
    extra: |
      include ROOT/nginx/snippets/shared.conf;
      add_header X-Word $first_word;
      if (-f ROOT/flags/open) { return 410; }
      location /linked/ { alias ROOT/link/; }
    locations:
      /static/: {role: static, dir: ROOT/www/second, source: ROOT/app/second}
  third:
    server_names: [third.example]
    app: {upstream: "unix:/run/third.sock"}
    locations:
      /static/: {role: static, dir: ROOT/www/third, source: ROOT/app/third}
"""
CHANGES = {
    "a key of one site": ("dir: ROOT/www/third,", "dir: ROOT/www/third, cache: day,"),
    "the first server, which reads all requests": ("unix:/run/first.sock", "unix:/run/new.sock"),
    "a snippet": ("X-Shared one", "X-Shared two"),
    "a variable of another site": ("default one;", "default two;"),
    "a file that is tested for": ("flags/closed:", "flags/open:"),
    "a name that moves": ("[third.example]", "[fourth.example]"),
    "a port": ("server_names: [third.example]", "server_names: [third.example]\n    listen: [81]"),
}


@pytest.fixture(scope="module")
def applied() -> Iterator[GuidesHost]:
    """Three sites as they were applied."""
    with guides_host() as host:
        for name in ("first", "second", "third"):
            host.write(f"app/{name}/a.css", name)
        (host.root / "link").symlink_to(host.root / "www/first")
        host.yaml = SITES
        host.apply()
        yield host


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The requests that a plan need not route; here it routes them."""
    labels: set[str] = set()
    include = UnchangedAnswers.include

    def noted(answers: UnchangedAnswers, sample: SampleRequest) -> bool:
        if include(answers, sample):
            labels.add(sample.label)
        return False

    monkeypatch.setattr(UnchangedAnswers, "include", noted)
    return labels


@pytest.mark.parametrize(("old", "new"), CHANGES.values(), ids=CHANGES)
def test_what_is_not_routed_is_answered_as_before(
    applied: GuidesHost, left: set[str], old: str, new: str
) -> None:
    applied.yaml = SITES.replace(old, new)

    noticed = {change.request.partition(" over ")[0] for change in applied.changes()}

    assert old in SITES
    assert noticed
    assert not left & noticed


def test_of_many_sites_only_the_changed_one_is_routed(applied: GuidesHost, left: set[str]) -> None:
    applied.yaml = SITES.replace(*CHANGES["a key of one site"])

    applied.changes()

    assert {"GET http://first.example/", "GET http://second.example/static"} <= left
    assert not [label for label in left if "third" in label]


def test_a_changed_file_is_noticed_by_each_way_to_it(applied: GuidesHost, left: set[str]) -> None:
    (applied.root / "app/first/a.css").write_text("changed")
    applied.yaml = SITES

    noticed = {change.request.partition(" over ")[0] for change in applied.changes()}

    assert "GET http://first.example/static/a.css" in noticed
    assert not left & noticed
    assert "GET http://third.example/static/a.css" in left
    assert "GET http://second.example/static/a.css" not in left


LINKED = """
version: 1
host:
  nginx: {config: ROOT/nginx/nginx.conf}
  service_manager: none
  state_dir: ROOT/state
paths:
  ROOT/passed: {owner: {user: root, group: root, dirs: "0755"}}
  ROOT/mixed/note.html: {content: "x", owner: {user: root, group: root, files: "0644"}}
sites:
  linked:
    server_names: [linked.example]
    app: {upstream: "unix:/run/linked.sock"}
    extra: "location = / { root ROOT/SERVED; try_files /page.html =404; }"
"""
LINKS = {
    "passed/out": "plain",
    "around": "passed/out",
    "inside/page.html": "passed/out/page.html",
    "into/page.html": "mixed/note.html",
    "chain/page.html": "into/page.html",
}
CLOSED, UNREADABLE = ("0755", "0700"), ("0644", "0600")
WAYS = {
    "a folder behind a link in a changed folder": ("passed/out", CLOSED),
    "a link to such a link": ("around", CLOSED),
    "a file behind one": ("inside", CLOSED),
    "a link to a changed file": ("into", UNREADABLE),
    "a link to a link to it": ("chain", UNREADABLE),
}


@pytest.fixture(scope="module")
def linked() -> Iterator[GuidesHost]:
    """Folders that are linked to each other."""
    with guides_host() as host:
        host.write("plain/page.html", "x")
        for name, target in LINKS.items():
            (host.root / name).parent.mkdir(exist_ok=True)
            (host.root / name).symlink_to(host.root / target)
        yield host


@pytest.mark.parametrize(("served", "change"), WAYS.values(), ids=WAYS)
def test_a_change_is_noticed_through_every_link(
    linked: GuidesHost, left: set[str], served: str, change: tuple[str, str]
) -> None:
    declared = LINKED.replace("SERVED", served)
    linked.yaml = declared
    linked.apply()
    linked.yaml = declared.replace(*change)

    noticed = {one.request.partition(" over ")[0] for one in linked.changes()}

    assert "GET http://linked.example/" in noticed
    assert not left & noticed
