"""The script of the demo: its steps, and what it prints."""

from __future__ import annotations

import subprocess

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.cli.demo.sabotage import break_five_things
from reconcile.cli.terminal import show, style
from reconcile.errors import ExitCode, ReconcileError
from reconcile.system.http import HttpAnswer, HttpClient, HttpTarget, multipart
from reconcile.system.program import own_program

PHOTO = b"this stands for a photo\n"


def run_demo(demo: DemoHost) -> None:
    """Run all steps. Errors: ReconcileError where one has another result than expected."""
    _heading("A Flask app, and a host that does not serve it yet", f"Everything is in {demo.root}.")
    _show_file(demo)
    _heading("Plan: what would change?")
    _reconcile(demo, "plan", "--summary")
    _heading("Apply: start Nginx and Gunicorn, then check the responses")
    _reconcile(demo, "apply", "--auto-approve")
    _heading("A visitor", "Nginx serves the stylesheet and the photo, not the app.")
    _visit(demo)
    _heading("Someone breaks five things")
    for line in break_five_things(demo):
        show(f"  {line}")
    _heading("Drift is detected", "Exit code 2: cron or CI would alert now.")
    _reconcile(demo, "drift", expected=ExitCode.CHANGES)
    _heading("Repair: apply again")
    _reconcile(demo, "apply", "--auto-approve")
    _heading("All checks pass, and the photo is still there")
    _reconcile(demo, "verify")
    _reconcile(demo, "plan", "--detailed-exitcode")
    _show_get(demo, "/media/photo.txt")


def _heading(title: str, more: str = "") -> None:
    show(f"\n{style().bold(f'== {title}')}")
    if more:
        show(f"   {more}")


def _show_file(demo: DemoHost) -> None:
    show(f"\n{_prompt('cat reconcile.yaml')}")
    with open(demo.file, encoding="utf-8") as file:
        show(file.read().rstrip())


def _prompt(command: str) -> str:
    return style().dim("$ ") + style().bold(command)


def _reconcile(demo: DemoHost, *arguments: str, expected: int = ExitCode.OK) -> None:
    """Run a command as a user would, in its own process."""
    show(f"\n{_prompt(' '.join(('reconcile', *arguments)))}")
    command = [*own_program(), *arguments]
    code = _run(command, demo.root)
    if code != expected:
        raise ReconcileError(
            f"In the demo, reconcile {arguments[0]} exited with {code}, expected {int(expected)}",
            "",
            "See its output above. With --keep the folder is not removed.",
        )


def _run(command: list[str], folder: str) -> int:
    process = subprocess.Popen(command, cwd=folder)
    try:
        return process.wait()
    except BaseException:
        # It must roll back before its folder is removed.
        process.terminate()
        process.wait()
        raise


def _visit(demo: DemoHost) -> None:
    _show_get(demo, "/")
    _show_get(demo, "/static/css/app.css")
    kind, body = multipart("file", "photo.txt", PHOTO)
    header = ("Content-Type", kind)
    posted = HttpClient().request(
        _site(demo), "/upload", method="POST", headers=[header], body=body
    )
    _show_answer("POST", "/upload", posted, 201)
    _show_get(demo, "/media/photo.txt")


def _show_get(demo: DemoHost, path: str) -> None:
    _show_answer("GET ", path, HttpClient().request(_site(demo), path), 200)


def _site(demo: DemoHost) -> HttpTarget:
    return HttpTarget("127.0.0.1", demo.port, "demo.localhost")


def _show_answer(method: str, path: str, answer: HttpAnswer, expected: int) -> None:
    policy = ", ".join(answer.values("Cache-Control"))
    cached = f", Cache-Control: {policy}" if policy else ""
    show(f"  {method} {path} -> {answer.status or answer.error}{cached}")
    if answer.status != expected:
        raise ReconcileError(
            f"In the demo, {method.strip()} {path} returned {answer.status}, expected {expected}",
            answer.detail,
            "See log/error.log in the folder, which --keep does not remove.",
        )
