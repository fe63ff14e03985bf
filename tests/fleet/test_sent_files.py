"""What a host gets as standard input is the files, in a tar, in base64."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.fleet.script import HEADER, Call, InstalledProgram, Script
from reconcile.fleet.sent_files import COMPLETE, SentFiles

NAMES = st.text("abc.-_", min_size=1, max_size=8).filter(lambda name: name.strip("."))


def received(lines: SentFiles) -> dict[str, bytes]:
    """What `base64 -d | tar` makes of the lines."""
    data = b64decode("".join(lines), validate=True)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {entry.name: tar.extractfile(entry) for entry in tar}
    return {name: file.read() for name, file in found.items() if file}


@given(st.dictionaries(NAMES, st.binary(max_size=2_000), max_size=4))
def test_a_host_gets_each_file_as_it_is(files: dict[str, bytes]) -> None:
    assert {**files, COMPLETE: b""} == received(SentFiles.of(files))


def test_a_file_of_the_controller_is_sent_in_short_lines(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1_000
    (tmp_path / "files.tar").write_bytes(content)
    sent = SentFiles.of({"a": b"x", "files.tar": str(tmp_path / "files.tar")})

    assert {"a": b"x", "files.tar": content, COMPLETE: b""} == received(sent)
    assert 70_000 > max(map(len, sent))
    assert not [line for line in sent if "\n" in line or len(line) % 4]


@pytest.mark.process
def test_what_arrives_in_part_is_not_used_and_leaves_nothing(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat >>{tmp_path}/asked\n")
    program.chmod(0o755)
    call = Call(("drift", "--json"))
    script = Script(InstalledProgram((str(program),)), call, False, 60, uses_sudo=False)
    (tmp_path / "tmp").mkdir()
    files = SentFiles.of({"reconcile.yaml": b"version: 1\n", "files.tar": bytes(10_000)})
    text = "\n".join(files) + "\n"

    # After no file, the first one, and all but the last one; a block of a tar has 512 bytes.
    for part in (0, 1_024 * 4 // 3, len(text) - 2_000):
        command = ["sh", "-c", script.text(installs=False)]
        done = subprocess.run(
            command,
            input=text[:part].encode(),
            capture_output=True,
            env={"PATH": os.environ["PATH"], "TMPDIR": f"{tmp_path}/tmp"},
            check=True,
        )
        assert f"{HEADER}files\n" == done.stdout.decode(), part

    assert not (tmp_path / "asked").exists()
    assert [] == [*(tmp_path / "tmp").iterdir()]


@pytest.mark.process
def test_a_host_without_a_place_for_the_files_is_not_one_without_root(tmp_path: Path) -> None:
    script = Script(InstalledProgram(("false",)), Call(()), False, 60, uses_sudo=False)
    command = ["sh", "-c", script.text(installs=False)]
    environment = {"PATH": os.environ["PATH"], "TMPDIR": f"{tmp_path}/none"}

    done = subprocess.run(command, input=bytes(9_000), capture_output=True, env=environment)

    assert f"{HEADER}files\n" == done.stdout.decode()
