"""The import of an app without its sandbox, for tests of what is made of its answer.

The sandbox needs a booted host; tests/system/test_sandbox.py has it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from reconcile.system.accounts import Account
from reconcile.system.commands import Commands
from reconcile.system.sandbox import NoSandbox, SandboxResult


def run_unconfined(
    commands: Commands,
    python: str,
    arguments: Sequence[str],
    account: Account,
    *,
    directory: str,
    environment: Mapping[str, str],
    timeout_s: float,
) -> SandboxResult:
    """As `run_sandboxed`, but for the sandbox."""
    if account.uid == 0:
        raise NoSandbox(f"{python} was not run as root", "a sandbox does not confine root")
    try:
        done = subprocess.run(
            [python, *arguments],
            cwd=directory,
            env=dict(environment),
            user=account.uid,
            group=account.gid,
            extra_groups=sorted(account.groups),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=timeout_s,
        )
    except OSError as error:
        return SandboxResult("", "not started", reason=f"{error.strerror}: {error.filename}")
    except subprocess.TimeoutExpired as late:
        return SandboxResult((late.stdout or b"").decode(), "timeout")
    return SandboxResult(done.stdout, "exited", done.returncode)
