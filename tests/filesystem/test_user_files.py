"""Files that a user names: also a pipe is read, and never waited for without an end."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reconcile.filesystem import user_files
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.user_files import read_user_file


@pytest.fixture
def pipe(tmp_path: Path) -> str:
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


def test_a_silent_pipe_is_given_up(pipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_files, "SILENCE_S", 0.05)

    with pytest.raises(HostError) as failed:
        read_user_file(pipe, 100)

    assert failed.value.why == "it is a pipe, and nobody wrote to it for 0.05 s"


def test_a_pipe_is_read_to_its_end(pipe: str) -> None:
    def write() -> None:
        with open(pipe, "wb", buffering=0) as file:
            file.write(b"one\n")
            time.sleep(0.02)
            file.write(b"two\n")

    with ThreadPoolExecutor() as threads:
        threads.submit(write)
        assert b"one\ntwo\n" == read_user_file(pipe, 100)


def test_no_more_is_read_than_one_byte_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)

    assert b"x" * 11 == read_user_file(str(tmp_path / "file"), 10)
