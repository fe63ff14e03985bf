"""What scripts take away, told by their text alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.doctor.deploys.deletions import Deletion, deletions
from reconcile.doctor.deploys.playbooks import of_playbook
from reconcile.doctor.deploys.scripts import Script, commands, of_python

MEDIA = "/srv/app/media"


def found(text: str, folder: str = "") -> list[Deletion]:
    every = commands(Script("deploy.sh", text, folder))
    return [one for command in every for one in deletions(command) if one.hit(MEDIA)]


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
    "rm": "rm -rf /srv/app",
    "rm of all in it": "rm -fr /srv/app/*",
    "rm of the uploads": "rm -r -f /srv/app/media/*",
    "rm among others": "rm -rf /tmp/x '/srv/app'",
    "git clean": "cd /srv/app && git clean -fdx",
    "git clean elsewhere": "git -C /srv/app clean -xdf -e .env",
    "git clean in words": "cd /srv/app; git clean --force -d -x",
    "mv": "mv /srv/app /srv/app.old",
    "a part of a script": "if true; then\n  (rm -rf /srv/app)\nfi",
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
    "quoted": "ssh web 'rm -rf /srv/app'",
    "an unknown variable": 'rsync -a --delete build/ "$TARGET"',
    "rm of one file": "rm -f /srv/app/media.txt",
    "rm of a folder in it": "rm -rf /srv/app/media/cache",
    "rm beside": "rm -rf /srv/app/static /srv/app/releases/*",
    "git clean of what is not ignored": "cd /srv/app && git clean -fd",
    "git clean without folders": "cd /srv/app && git clean -fx",
    "git clean, tried only": "cd /srv/app && git clean -fdxn",
    "git clean that spares it": "cd /srv/app && git clean -fdx -e media",
    "git clean in words that spares it": "cd /srv/app && git clean -fdx --exclude=media/",
    "git clean of another": "cd /srv/other && git clean -fdx",
    "git clean of a part": "git -C /srv/app clean -fdx static",
    "mv beside": "mv /srv/app/static /srv/old",
    "no shell at all": "it's a 'text",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_a_command_takes_the_uploads(text: str) -> None:
    [deletion] = found(text)

    assert deletion.hit(MEDIA) in ("/srv/app", MEDIA)


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_a_command_leaves_the_uploads(text: str) -> None:
    assert [] == found(text)


def test_a_deletion_is_told_with_its_line() -> None:
    text = "#!/bin/sh\nAPP=/srv/app\nrsync -a \\\n  b/ c/\nrm -rf $APP\n"

    assert ["deploy.sh:5"] == [one.place for one in found(text)]


def test_a_relative_path_starts_where_the_script_runs() -> None:
    assert [] == found("git clean -fdx")
    assert ["/srv/app"] == [one.target for one in found("git clean -fdx", "/srv/app")]


def test_a_release_switch_replaces_a_link() -> None:
    text = "ln -sfn /srv/app/releases/8 /srv/app/current; mv -T /srv/app/new /srv/app/current"
    every = [one for c in commands(Script("d", text)) for one in deletions(c)]

    assert ["/srv/app/current"] * 2 == [one.target for one in every if one.kind == "replaces"]


def test_the_texts_of_a_fabfile_are_commands() -> None:
    text = 'def deploy(c):\n    c.run("rsync -a --delete b/ /srv/app/")\n'
    [deletion] = [
        one
        for script in of_python(Script("fabfile.py", text))
        for command in commands(script)
        for one in deletions(command)
    ]

    assert ("fabfile.py:2", "/srv/app") == (deletion.place, deletion.target)


PLAY = """
- hosts: web
  tasks:
    - name: copy
      {module}:
        src: build/
        dest: {dest}
        {more}
"""


@pytest.mark.parametrize("module", ["synchronize", "ansible.posix.synchronize"])
def test_a_playbook_that_deletes_is_told_with_its_line(module: str) -> None:
    text = PLAY.format(module=module, dest="/srv/app/", more="delete: yes")

    [deletion] = of_playbook("site.yml", text)

    assert ("site.yml:5", "/srv/app") == (deletion.place, deletion.hit(MEDIA))


@pytest.mark.parametrize(
    ("dest", "more"),
    [
        ("/srv/app/", "delete: no"),
        ("/srv/app/", "recursive: true"),
        ("/srv/app/", "delete: yes\n        mode: pull"),
        ("/srv/app/", "delete: yes\n        rsync_opts: ['--exclude=media/']"),
        ("/srv/app/", "delete: yes\n        rsync_opts: --exclude=media"),
        ("/srv/app/static/", "delete: yes"),
        ("'{{ target }}/'", "delete: yes"),
    ],
)
def test_a_playbook_that_leaves_the_uploads(dest: str, more: str) -> None:
    text = PLAY.format(module="synchronize", dest=dest, more=more)

    assert [] == [one for one in of_playbook("site.yml", text) if one.hit(MEDIA)]


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    every = [one for c in commands(Script("x", text, "/srv")) for one in deletions(c)]

    assert all(one.target.startswith("/") for one in (*every, *of_playbook("x.yml", text)))
