"""Links among the served files: where they lead, and whether nginx may follow them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.doctor.single_rule import found
from tests.support.needs_root import needs_root

pytestmark = [pytest.mark.process, needs_root("gives links away")]
SITE = "server { listen 80; server_name a.test; location /static/ { alias {root}/static/; MORE } }"
OWNERS = "disable_symlinks if_not_owner;"


@dataclass(frozen=True)
class Link:
    """A link in the folder: its target beside the folder, its owner, and what is reported."""

    target: str
    owner: int
    more: str
    reported: tuple[str, ...]


LINKS = {
    "to nothing": Link("gone.css", 0, "", ("1 link in {root}/static lead to nothing (404).",)),
    "to a file": Link("open/a.css", 0, "", ()),
    "into a closed folder": Link(
        "closed/a.css",
        0,
        "",
        ("nginx (www-data) cannot read what 1 link in {root}/static lead to (403).",),
    ),
    "of another owner": Link(
        "open/a.css",
        33,
        OWNERS,
        ("disable_symlinks denies visitors 1 link in {root}/static.",),
    ),
    "of the same owner": Link("open/a.css", 0, OWNERS, ()),
    "of another owner, to a folder": Link("open", 0, OWNERS, ()),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_nginx_read_reports_a_link(public: Path, link: Link) -> None:
    for folder in ("static", "open", "closed"):
        (public / folder).mkdir()
        (public / folder / "a.css").write_text("a{}")
    (public / "closed").chmod(0o700)
    (public / "static/b.css").symlink_to(public / link.target)
    os.lchown(public / "static/b.css", link.owner, 0)

    findings = found("nginx-read", public, SITE.replace("MORE", link.more))

    assert [one.replace("{root}", str(public)) for one in link.reported] == [
        one.what for one in findings
    ]


def test_that_a_link_out_of_the_uploads_is_denied_is_no_finding(public: Path) -> None:
    (public / "media").mkdir()
    (public / "secret.css").write_text("secret")
    (public / "media/b.css").symlink_to(public / "secret.css")
    os.lchown(public / "media/b.css", 33, 0)

    assert [] == found(
        "nginx-read", public, SITE.replace("static", "media").replace("MORE", OWNERS)
    )


def test_what_a_link_leads_to_is_opened_by_no_command(public: Path) -> None:
    (public / "static").mkdir()
    (public / "key").write_text("secret")
    (public / "key").chmod(0o600)
    (public / "static/key.css").symlink_to(public / "key")

    [finding] = found("nginx-read", public, SITE.replace("MORE", ""))

    assert finding.fix.startswith("If visitors may have them, put copies into ")
