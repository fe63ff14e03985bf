"""Runs a step of a release: the app's own code, as its user, in the sandbox of its service.

systemd runs it as a unit of its own, so that nothing of it is left once it has ended: its whole
control group ends with it, also where reconcile was killed meanwhile.
Source: systemd-run(1), systemd.exec(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.system.commands import CommandTimeout, CompletedCommand
from reconcile.system.hidden_values import hide_values
from reconcile.system.services.process.environment_file import parse_environment

if TYPE_CHECKING:
    from reconcile.system import Host

KEPT_BYTES = 2 << 20
"""Of what a step writes; its beginning goes first."""
LINES_SHOWN = 20
LINE_WIDTH = 300
_GRACE_S = 15.0
"""The time that systemd may take to start the unit and to end it."""
_END = re.compile(r"^Finished with result: (\S+)$", re.MULTILINE)
_RESULTS = {"signal": "a signal ended it", "oom-kill": "it ran out of memory and was killed"}
_FIXED = (
    "KillMode=control-group",
    "TimeoutStopSec=5s",
    "UMask=0022",
    "LimitCORE=0",
    "LogLevelMax=crit",
)


@dataclass(frozen=True)
class StepRun:
    """One step: `argv` in `directory`, as `user` (None: who applies), for at most `timeout_s`.

    A program with a slash that is not absolute is one of the directory. `properties` are the
    settings of the sandbox.
    """

    site: str
    number: int
    argv: tuple[str, ...]
    directory: str
    timeout_s: float
    user: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    environment_file: str | None = None
    properties: tuple[str, ...] = ()
    secrets: frozenset[bytes] = field(default=frozenset(), repr=False)
    """What is hidden in its output."""

    @property
    def unit(self) -> str:
        """The transient unit that runs it."""
        return f"reconcile-release-{self.site}-{self.number}.service"


class StepFailed(ReconcileError):
    """A step ended with an error, or not in time; `output` is all that it wrote."""

    def __init__(self, why: str, output: bytes) -> None:
        super().__init__("A step of the release failed", _with_last_lines(why, output))
        self.output = output


def run_step(host: Host, step: StepRun) -> bytes:
    """Run the step to its end, and return the end of its output: standard output, then error.

    Errors: StepFailed, whose why has the last lines; ReconcileError where it cannot be run.
    """
    is_unit = host.settings.service_manager == "systemd"
    command = tuple(_as_unit(step) if is_unit else _as_child(step, host))
    try:
        done = host.commands.run(
            command,
            timeout_s=step.timeout_s + (_GRACE_S if is_unit else 0),
            max_bytes=KEPT_BYTES,
            keeps_end=True,
        )
    except CommandTimeout as error:
        output = error.why.encode("utf-8", "surrogateescape")
        raise StepFailed(_late(step), hide_values(output, step.secrets)) from None
    finally:
        # Where it was cut short, the unit outlives the command that waits for it.
        stop_steps(host, step.site)
    return _output(step, done)


def stop_steps(host: Host, site: str) -> None:
    """End what a killed apply has left running of the steps of `site`."""
    if host.settings.service_manager == "systemd":
        host.commands.run(("systemctl", "stop", f"reconcile-release-{site}-*.service"))


def _as_unit(step: StepRun) -> Iterator[str]:
    cache = f"reconcile-{step.site}"
    properties = (
        *step.properties,
        *_FIXED,
        *((f"User={step.user}",) if step.user else ()),
        f"WorkingDirectory={step.directory}",
        f"CacheDirectory={cache}",
        "CacheDirectoryMode=0700",
        f"RuntimeMaxSec={step.timeout_s:g}",
        *((f"EnvironmentFile={step.environment_file}",) if step.environment_file else ()),
    )
    environment = {
        "HOME": f"/var/cache/{cache}",
        "XDG_CACHE_HOME": f"/var/cache/{cache}",
        **dict(step.environment),
    }
    yield from ("systemd-run", "--pipe", "--wait", "--collect", "--service-type=exec")
    yield f"--unit={step.unit}"
    yield from (f"--property={one}" for one in properties)
    yield from (f"--setenv={name}={value}" for name, value in environment.items())
    yield "--"
    program, *arguments = step.argv
    is_relative = "/" in program and not program.startswith("/")
    # systemd expands variables in a command.
    for word in (f"{step.directory}/{program}" if is_relative else program, *arguments):
        yield word.replace("$", "$$")


def _as_child(step: StepRun, host: Host) -> Iterator[str]:
    """Where there is no systemd, who applies is the app's user, and nothing is confined."""
    file = step.environment_file
    text = host.files.read(file).decode("utf-8", "surrogateescape") if file else ""
    yield from ("env", f"--chdir={step.directory}")
    yield from (f"{name}={value}" for name, value in step.environment)
    yield from (f"{name}={value}" for name, value in parse_environment(text).items())
    yield from step.argv


def _output(step: StepRun, done: CompletedCommand) -> bytes:
    own, _, _ = done.stderr.partition("\nFinished with result: ")
    lines = [line for line in own.splitlines() if not line.startswith("Running as unit: ")]
    text = done.stdout + "".join(f"{line}\n" for line in lines)
    output = hide_values(text.encode("utf-8", "surrogateescape"), step.secrets)
    if done.ok:
        return output
    raise StepFailed(_why(step, done), output)


def _why(step: StepRun, done: CompletedCommand) -> str:
    """How it ended, by systemd's result where it was a unit."""
    how = _END.search(done.stderr)
    result = how[1] if how else ""
    if result == "timeout":
        return _late(step)
    return _RESULTS.get(result, f"exit status {done.returncode}")


def _late(step: StepRun) -> str:
    return f"it did not end within {step.timeout_s:g} s"


def _with_last_lines(why: str, output: bytes) -> str:
    lines = output.decode("utf-8", "backslashreplace").rstrip().splitlines()[-LINES_SHOWN:]
    return "\n".join([why, *(line[:LINE_WIDTH] for line in lines)])
