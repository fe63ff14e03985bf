"""Any name that a filesystem can hold is kept to the byte, and none reaches a terminal raw."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.output.json import plan_document, to_json
from reconcile.output.text import plan_text
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.tree import Tree
from tests.support.machine import in_box

NAMES = st.sets(
    st.binary(min_size=1, max_size=40).filter(
        lambda name: b"/" not in name and b"\0" not in name and not name.startswith(b".")
    ),
    min_size=1,
    max_size=6,
)
HOSTILE = {
    b"\x1b[31mred",
    b"a\nb",
    b"\xc2\x80",
    b"\x7f",
    b"\xff\xfe",
    "‮gnp".encode(),
    b"\x9b0m",
    b"\r",
    b" ",
}


def refuse_raw(text: str) -> None:
    assert [] == [line for line in text.split("\n") if not line.isprintable()]
    text.encode("utf-8", "strict")


@settings(max_examples=60)
@given(names=NAMES)
def test_any_file_name_is_synced_fixed_and_shown_printable(names: set[bytes]) -> None:
    _holds_for(names)


def test_names_made_to_deceive_are_no_exception() -> None:
    _holds_for(HOSTILE)


def _holds_for(names: set[bytes]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        machine = in_box(Path(folder, "box"))
        media, static, source = machine.path("media"), machine.path("static"), f"{folder}/source"
        for root in (media, source):
            os.mkdir(root)
            for name in names:
                path = os.fsencode(root) + b"/" + name
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
                os.chmod(path, 0o600)
        declared = (
            Tree(path=media),
            Directory(path=static),
            Assets(path=static, source=source),
        )

        plan = machine.plan(*declared)
        document = to_json(plan_document(plan, 0, now=datetime.now(UTC), full=True))
        refuse_raw(plan_text(plan, full=True))
        assert document.isascii() or all(line.isprintable() for line in document.split("\n"))
        report = machine.apply(*declared)

        assert "applied" == report.result, report.error
        assert names == set(os.listdir(os.fsencode(static)))
        assert names == set(os.listdir(os.fsencode(media)))
        assert {0o644} == {os.stat(os.fsencode(media) + b"/" + n).st_mode & 0o777 for n in names}
        assert () == machine.plan(*declared).changes
