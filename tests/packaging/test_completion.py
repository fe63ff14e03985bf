"""Completion, typed into a real bash, a real zsh and a real fish."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

BASH = Path(__file__).parents[2] / ".packaging/reconcile.bash"
PROMPT = "ready> "
# Two words, so that the echo of the command is not taken for the prompt.
SET_PROMPT = "PS1='rea'dy'> '"
BELL = "\a"
TIMEOUT_S = 60.0
YAML = """version: 1
paths:
  /srv/uploads: {owner: {user: root, group: root}}
"""


class Terminal:
    """A shell in a terminal; what it prints is read until an expected text is there."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._printed = ""

    def send(self, text: str, expected: str) -> None:
        """Type `text` and wait for `expected`."""
        self._printed = ""
        os.write(self._fd, text.encode())
        deadline = time.monotonic() + TIMEOUT_S
        while expected not in self._printed:
            assert time.monotonic() < deadline, f"no {expected!r} in {self._printed!r}"
            if select.select([self._fd], [], [], 0.2)[0]:
                read = os.read(self._fd, 4096).decode(errors="replace")
                self._printed += read.replace(BELL, "")


@contextmanager
def terminal(command: list[str], folder: Path) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}
    shell = subprocess.Popen(
        ["setsid", "--ctty", *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env=environment,
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The program on the PATH, and a configuration."""
    program = tmp_path / "reconcile"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m reconcile "$@"\n')
    program.chmod(0o755)
    (tmp_path / "reconcile.yaml").write_text(YAML)
    return tmp_path


def script_of(shell: str, folder: Path) -> Path:
    """The completion script that the program itself writes for `shell`."""
    script = folder / f"completion.{shell}"
    environment = {**os.environ, "_RECONCILE_COMPLETE": f"source_{shell}"}
    done = subprocess.run(
        [folder / "reconcile"], env=environment, capture_output=True, text=True, check=False
    )
    script.write_text(done.stdout)
    return script


def test_bash_completes_commands_and_addresses(folder: Path) -> None:
    with terminal(["bash", "--norc", "--noprofile", "-i"], folder) as bash:
        bash.send(f"{SET_PROMPT}\n", PROMPT)
        bash.send(f"bind 'set enable-bracketed-paste off'; . {BASH}\n", PROMPT)
        bash.send("reconcile verif\t", "reconcile verify ")
        bash.send("\x15reconcile plan --target dir\t", "directory:/srv")


def test_zsh_completes_commands_and_addresses(folder: Path) -> None:
    script = script_of("zsh", folder)
    with terminal(["zsh", "-f", "-i"], folder) as zsh:
        zsh.send(f"unsetopt zle_bracketed_paste prompt_cr prompt_sp; {SET_PROMPT}\n", PROMPT)
        zsh.send(f"autoload -Uz compinit; compinit -D -u; . {script}\n", PROMPT)
        zsh.send("reconcile verif\t", "reconcile verify ")
        zsh.send("\x15reconcile plan --target dir\t", "directory:/srv")


def test_fish_completes_commands_and_addresses(folder: Path) -> None:
    script = script_of("fish", folder)
    with terminal(["fish", "--no-config", "-i"], folder) as fish:
        fish.send(f"function fish_prompt; printf 'rea''dy> '; end; . {script}\n", PROMPT)
        fish.send("reconcile verif\t", "reconcile verify ")
        fish.send("\x15reconcile plan --target dir\t", "directory:/srv")
