"""The demo as it is told: what is done, and what it looks like."""

from __future__ import annotations

import subprocess
import sys

from reconcile.cli.demo.sabotage import break_five_things
from reconcile.cli.demo.stage import Stage
from reconcile.cli.terminal import show, style
from reconcile.errors import ExitCode, ReconcileError
from reconcile.system.http import HttpAnswer, HttpClient, HttpTarget, multipart

PHOTO = b"pretend that this is a photo\n"


def tell(stage: Stage) -> None:
    """The whole story. Errors: ReconcileError where a command does not do as told here."""
    _chapter("A Flask app, and a host that knows nothing of it", f"All of it is in {stage.root}.")
    _show_file(stage)
    _chapter("What would reconcile do?")
    _reconcile(stage, "plan", "--summary")
    _chapter("Make it so: nginx and Gunicorn are started, then every promise is tested")
    _reconcile(stage, "apply", "--auto-approve")
    _chapter("A visitor comes", "The stylesheet and the photo come from nginx, not from the app.")
    _visit(stage)
    _chapter("Someone breaks five things")
    for line in break_five_things(stage):
        show(f"  {line}")
    _chapter("Drift is seen", "Exit code 2: cron or CI would raise the alarm now.")
    _reconcile(stage, "drift", expected=ExitCode.CHANGES)
    _chapter("Repair it: the same command as at the beginning")
    _reconcile(stage, "apply", "--auto-approve")
    _chapter("All green, and the photo is still there")
    _reconcile(stage, "verify")
    _reconcile(stage, "plan", "--detailed-exitcode")
    _get(stage, "/media/photo.txt")


def _chapter(title: str, more: str = "") -> None:
    show(f"\n{style().bold(f'== {title}')}")
    if more:
        show(f"   {more}")


def _show_file(stage: Stage) -> None:
    show(f"\n{_prompt('cat reconcile.yaml')}")
    with open(stage.file, encoding="utf-8") as file:
        show(file.read().rstrip())


def _prompt(command: str) -> str:
    return style().dim("$ ") + style().bold(command)


def _reconcile(stage: Stage, *arguments: str, expected: int = ExitCode.OK) -> None:
    """Run a command as a user would, in a process of its own."""
    show(f"\n{_prompt(' '.join(('reconcile', *arguments)))}")
    command = [sys.executable, "-I", "-m", "reconcile", *arguments]
    code = _run(command, stage.root)
    if code != expected:
        raise ReconcileError(
            f"In the demo, reconcile {arguments[0]} ended with {code} instead of {int(expected)}",
            "",
            "See above what it said; with --keep the folder stays for a look.",
        )


def _run(command: list[str], folder: str) -> int:
    process = subprocess.Popen(command, cwd=folder)
    try:
        return process.wait()
    except BaseException:
        # Whatever ends us, it has to roll back before its folder goes.
        process.terminate()
        process.wait()
        raise


def _visit(stage: Stage) -> None:
    _get(stage, "/")
    _get(stage, "/static/css/app.css")
    kind, body = multipart("file", "photo.txt", PHOTO)
    header = ("Content-Type", kind)
    posted = HttpClient().request(
        _site(stage), "/upload", method="POST", headers=[header], body=body
    )
    _told("POST", "/upload", posted, 201)
    _get(stage, "/media/photo.txt")


def _get(stage: Stage, path: str) -> None:
    _told("GET ", path, HttpClient().request(_site(stage), path), 200)


def _site(stage: Stage) -> HttpTarget:
    return HttpTarget("127.0.0.1", stage.port, "demo.localhost")


def _told(method: str, path: str, answer: HttpAnswer, expected: int) -> None:
    policy = ", ".join(answer.values("Cache-Control"))
    cached = f", Cache-Control: {policy}" if policy else ""
    show(f"  {method} {path} -> {answer.status or answer.error}{cached}")
    if answer.status != expected:
        raise ReconcileError(
            f"In the demo, {method.strip()} {path} was not answered {expected}",
            answer.detail,
            "With --keep the folder stays for a look; log/error.log is in it.",
        )
