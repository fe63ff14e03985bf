"""A step of a release without systemd: as who applies, in the folder, for a limited time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reconcile.system import Host, HostSettings
from reconcile.system.commands import CompletedCommand
from reconcile.system.step_run import StepFailed, StepRun, run_step

pytestmark = pytest.mark.process


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(HostSettings(service_manager="process", state_dir=str(tmp_path / "state")))


def step(folder: Path, program: str, **more: object) -> StepRun:
    argv = (sys.executable, "-c", program)
    return StepRun("shop", 1, argv, str(folder), 10.0, **more)  # type: ignore[arg-type]


def test_it_runs_in_the_release_with_the_apps_variables(host: Host, tmp_path: Path) -> None:
    file = tmp_path / "app.env"
    file.write_text("SECRET='from the file'\n")
    program = "import os; print(os.getcwd(), os.environ['MODE'], os.environ['SECRET'])"

    run = step(tmp_path, program, environment=(("MODE", "$HOME %i"),), environment_file=str(file))

    assert f"{tmp_path} $HOME %i from the file\n".encode() == run_step(host, run)


def test_a_program_with_a_slash_is_one_of_the_release(host: Host, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").symlink_to("/bin/echo")

    run = StepRun("shop", 1, ("bin/tool", "made"), str(tmp_path), 10.0)

    assert b"made\n" == run_step(host, run)


def test_a_failure_has_the_last_lines(host: Host, tmp_path: Path) -> None:
    program = "import sys; print(*range(99), sep='\\n'); sys.exit('no such column')"

    with pytest.raises(StepFailed) as failed:
        run_step(host, step(tmp_path, program))

    lines = failed.value.why.splitlines()
    assert ("exit status 1", "no such column", 21) == (lines[0], lines[-1], len(lines))
    assert failed.value.output.startswith(b"0\n1\n")


def test_secrets_are_in_no_output_and_no_error(host: Host, tmp_path: Path) -> None:
    hidden = {"secrets": frozenset({b"hunter2"})}

    output = run_step(host, step(tmp_path, "print('KEY', 'hunter2')", **hidden))
    with pytest.raises(StepFailed) as failed:
        run_step(host, step(tmp_path, "raise SystemExit('bad key hunter2')", **hidden))

    assert b"KEY (sensitive)\n" == output
    assert "hunter2" not in f"{failed.value.why} {failed.value.output!r}"


def test_it_ends_in_time(host: Host, tmp_path: Path) -> None:
    run = StepRun("shop", 1, ("sleep", "60"), str(tmp_path), 0.2)

    with pytest.raises(StepFailed) as failed:
        run_step(host, run)

    assert "it did not end within 0.2 s" == failed.value.why.splitlines()[0]


def test_of_an_endless_output_the_end_is_kept(host: Host, tmp_path: Path) -> None:
    program = "print('a line\\n' * 1_000_000 + 'the end')"

    lines = run_step(host, step(tmp_path, program)).splitlines()

    assert b"the end" == lines[-1]
    assert {b"a line"} == set(lines[:-1])
    assert len(lines) < 1_000_000


ENDED = "Running as unit: reconcile-release-shop-1.service\nFinished with result: {}\nMain ..."


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ("timeout", "it did not end within 10 s"),
        ("signal", "a signal ended it"),
        ("oom-kill", "it ran out of memory and was killed"),
        ("exit-code", "exit status 3"),
    ],
)
def test_how_it_ended_is_read_off_systemd(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, why: str
) -> None:
    ended = CompletedCommand((), 3, "", ENDED.format(result))
    monkeypatch.setattr(host.commands, "run", lambda *_, **__: ended)

    with pytest.raises(StepFailed) as failed:
        run_step(host, step(tmp_path, ""))

    assert why == failed.value.why
