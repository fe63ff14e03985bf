"""Programs are found where only root can put them, and run in an environment of their own."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.system.commands import CommandMissing, Commands, CommandTimeout, TooMuchOutput
from tests.support.wait import wait_for

pytestmark = pytest.mark.process


@pytest.fixture
def commands() -> Commands:
    return Commands()


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_a_program_gets_a_fresh_environment(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("SECRET", "x")

    said = commands.run(("env",)).stdout.splitlines()

    assert {"PATH", "LC_ALL"} == {line.split("=")[0] for line in said}


def test_a_program_starts_in_the_root_directory_with_an_empty_input(commands: Commands) -> None:
    assert "/\n" == commands.run(("pwd",)).stdout
    assert "" == commands.run(("cat",)).stdout


def test_input_reaches_the_program(commands: Commands) -> None:
    assert "hello" == commands.run(("cat",), input=b"hello").stdout


def test_words_are_words_and_no_shell_sees_them(commands: Commands) -> None:
    assert "$HOME `id` ; *\n" == commands.run(("echo", "$HOME `id` ; *")).stdout


def test_bytes_that_are_no_text_survive(commands: Commands) -> None:
    said = commands.run(("printf", r"a\377\000b")).stdout

    assert b"a\xff\x00b" == os.fsencode(said)


def test_an_exit_status_is_an_answer(commands: Commands) -> None:
    done = commands.run(("sh", "-c", "echo out; echo err >&2; exit 3"))

    assert (3, "out\n", "err\n", False, "err") == (
        done.returncode,
        done.stdout,
        done.stderr,
        done.ok,
        done.error_output,
    )


@pytest.mark.parametrize(
    ("script", "said"), [("echo out; exit 1", "out"), ("exit 4", "exit status 4")]
)
def test_a_program_without_stderr_is_quoted_from_stdout(
    commands: Commands, script: str, said: str
) -> None:
    assert said == commands.run(("sh", "-c", script)).error_output


def test_a_fake_in_the_callers_path_is_not_run(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "true", "#!/bin/sh\necho fake\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)

    assert "" == commands.run(("true",)).stdout


def test_a_missing_program_is_an_error_that_names_it(commands: Commands) -> None:
    with pytest.raises(CommandMissing, match="no-such-program is not installed"):
        commands.run(("no-such-program",))

    assert commands.find("no-such-program") is None


def test_a_failed_fork_is_reported_without_a_traceback(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pipe", refuse)

    with pytest.raises(HostError) as refused:
        commands.run(["/bin/true"])

    assert "/bin/true could not be started" == refused.value.what
    assert "this process has too many open files" == refused.value.why


def test_a_program_that_others_may_write_is_refused(commands: Commands, tmp_path: Path) -> None:
    path = program(tmp_path / "tool", mode=0o775)

    with pytest.raises(CommandMissing) as refused:
        commands.run((path,))

    assert path in refused.value.why
    assert "chmod go-w" in refused.value.fix


def test_a_program_of_another_user_is_refused(commands: Commands, tmp_path: Path) -> None:
    path = program(tmp_path / "tool")
    os.chown(path, 33, 33)

    with pytest.raises(CommandMissing, match="is not safe to run"):
        commands.run((path,))


def test_a_program_in_a_folder_of_another_user_is_refused(
    commands: Commands, tmp_path: Path
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    path = program(folder / "tool")
    os.chown(folder, 33, 33)

    with pytest.raises(CommandMissing, match="is not safe to run"):
        commands.run((path,))


def test_a_link_to_a_program_counts_as_what_it_points_to(
    commands: Commands, tmp_path: Path
) -> None:
    path = program(tmp_path / "tool", mode=0o777)
    link = tmp_path / "link"
    link.symlink_to(path)

    with pytest.raises(CommandMissing, match="is not safe to run"):
        commands.run((str(link),))


def test_a_program_of_our_own_in_a_sticky_folder_is_run(commands: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)

    assert commands.run((program(folder / "tool"),)).ok


def test_a_program_that_hangs_is_killed_with_its_children(commands: Commands) -> None:
    begun, long = time.monotonic(), f"sleep 987.{os.getpid()}"

    with pytest.raises(CommandTimeout) as late:
        commands.run(("sh", "-c", f"echo waiting >&2; {long} & {long}"), timeout_s=0.3)

    assert "waiting" == late.value.why
    assert time.monotonic() - begun < 60
    wait_for(partial(_has_ended, f"^{long}$"), "the end of what was killed")


def test_a_program_that_writes_without_end_is_killed_at_the_bound(commands: Commands) -> None:
    with pytest.raises(TooMuchOutput):
        commands.run(("sh", "-c", "yes 'without end 9871'"), timeout_s=10, max_bytes=1 << 20)

    wait_for(partial(_has_ended, "end 9871$"), "the end of what was killed")


def test_input_larger_than_a_pipe_reaches_a_program_that_answers_meanwhile(
    commands: Commands,
) -> None:
    assert "x" * (1 << 20) == commands.run(("cat",), input=b"x" * (1 << 20)).stdout


def _has_ended(pattern: str) -> bool:
    """Whether no process matches; one that was killed is gone a moment later."""
    return not subprocess.run(["pgrep", "-f", pattern], capture_output=True).stdout
