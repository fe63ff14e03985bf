"""What scripts take away, told by their text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.doctor.deploy_scripts import Deletion, deletions

MEDIA = "/srv/app/media"


def found(text: str, folder: str = "") -> list[Deletion]:
    return [one for one in deletions("deploy.sh", text, folder) if one.deletes(MEDIA)]


TAKEN = {
    "--delete": "rsync -a --delete build/ /srv/app/",
    "--del": "rsync -a --del build/ /srv/app",
    "--delete-after": "rsync --delete-after -a build/ /srv/app/",
    "--delete-before": "rsync -a build/ /srv/app/ --delete-before",
    "excluded, and deleted all the same": (
        "rsync -a --delete --delete-excluded --exclude=media build/ /srv/app/"
    ),
    "another exclude": "rsync -a --delete --exclude=.env build/ /srv/app/",
    "by a shell of its own": "rsync -aze ssh --delete web:/build/ /srv/app/",
    "a folder with its name": "rsync -a --delete /build/app /srv",
    "with its output elsewhere": "rsync -a --delete build/ /srv/app/ >/var/log/d.log 2>&1",
    "as cron has it": "0 3 * * * root sudo rsync -a --delete build/ /srv/app/",
    "by a variable": "APP=/srv/app\nTO=$APP/\nrsync -a --delete build/ ${TO}",
    "over two lines": "rsync -a --delete \\\n  build/ /srv/app/",
    "behind a change of folder": "cd /srv && rsync -a --delete /build/ app/",
    "git clean": "cd /srv/app && git clean -fdx",
    "git clean elsewhere": "git -C /srv/app clean -xdf -e .env",
    "a part of a script": "if true; then\n  (cd /srv/app; git clean -fdx)\nfi",
    "git clean in words": "cd /srv/app; git clean --force -d -x",
}
LEFT = {
    "excluded": "rsync -a --delete --exclude=media/ build/ /srv/app/",
    "excluded as a word": "rsync -a --delete --exclude media build/ /srv/app/",
    "excluded from the top": "rsync -a --delete --exclude=/media/*** build/ /srv/app/",
    "protected": "rsync -a --delete --filter='P media/' build/ /srv/app/",
    "protected and the rest of the excluded not": (
        "rsync -a --delete-excluded --filter 'protect media/' build/ /srv/app/"
    ),
    "excluded by a list": "rsync -a --delete --exclude-from=/srv/list build/ /srv/app/",
    "tried only": "rsync -an --delete build/ /srv/app/",
    "tried only, in words": "rsync -a --dry-run --delete build/ /srv/app/",
    "without deletion": "rsync -a --delay-updates build/ /srv/app/",
    "another folder": "rsync -a --delete build/ /srv/app/static/",
    "a folder beside": "rsync -a --delete build/ /srv/app/media2/",
    "a folder into it": "rsync -a --delete /build/static /srv/app/",
    "another machine": "rsync -a --delete build/ web:/srv/app/",
    "a comment": "# rsync -a --delete build/ /srv/app/",
    "a comment behind": "true # rsync -a --delete build/ /srv/app/",
    "said": "echo rsync -a --delete build/ /srv/app/",
    "quoted": "ssh web 'rsync -a --delete b/ /srv/app/'",
    "an unknown variable": 'rsync -a --delete build/ "$TARGET"',
    "git clean of what is not ignored": "cd /srv/app && git clean -fd",
    "git clean without folders": "cd /srv/app && git clean -fx",
    "git clean, tried only": "cd /srv/app && git clean -fdxn",
    "git clean that spares it": "cd /srv/app && git clean -fdx -e media",
    "git clean in words that spares it": "cd /srv/app && git clean -fdx --exclude=media/",
    "git clean of another": "cd /srv/other && git clean -fdx",
    "git clean of a part": "git -C /srv/app clean -fdx static",
    "no shell at all": "it's a 'text",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_a_command_takes_the_uploads(text: str) -> None:
    assert ["/srv/app"] == [one.target for one in found(text)]


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_a_command_leaves_the_uploads(text: str) -> None:
    assert [] == found(text)


def test_a_deletion_is_reported_with_its_line() -> None:
    text = "#!/bin/sh\nAPP=/srv/app\nrsync -a \\\n  b/ c/\nrsync -a --delete b/ $APP\n"

    assert ["deploy.sh:5"] == [one.place for one in found(text)]


def test_a_relative_path_starts_where_the_script_runs() -> None:
    assert [] == found("git clean -fdx")
    assert ["/srv/app"] == [one.target for one in found("git clean -fdx", "/srv/app")]


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    assert all(one.target.startswith("/") for one in deletions("x", text, "/srv"))
