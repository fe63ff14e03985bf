"""Screens of the terminal as SVG, each of a command that was run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo

WIDTH = 88
NAMES = ("plan", "apply", "drift", "doctor", "explain", "validate")
TYPING_ERROR = """\
version: 1
sites:
  myapp:
    server_name: [example.com]
    locations:
      /static/: {role: static, dir: www/static, cache: weak}
"""
# Rich's own asks a server for its font: a page of the site asks none.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def take_screens(folder: Path, root: str = "/tmp/myapp") -> None:  # noqa: S108  # its text is shown
    """Write a screen for each of NAMES into `folder`, of a demo in `root` that is removed again.

    Errors: FileExistsError where `root` exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments, output in _runs(root):
        (folder / f"{name}.svg").write_text(_drawn(f"reconcile {arguments}", output))


def _runs(root: str) -> Iterator[tuple[str, str, str]]:
    """Name, arguments and output of each screen, in the order of a story."""
    with _demo(root) as demo:
        _output(demo, "apply", "--auto-approve")
        os.remove(f"{root}/www/static/css/app.css")
        os.chmod(f"{root}/www/media", 0o700)
        address = f"{demo.address}static/css/app.css"
        yield "drift", "drift", _output(demo, "drift", code=2)
        yield "doctor", "doctor", _output(demo, "doctor", code=2)
        yield "explain", f"explain {address}", _output(demo, "explain", address)
        yield "plan", "plan", _output(demo, "plan")
        yield "apply", "apply --auto-approve", _output(demo, "apply", "--auto-approve")
        Path(demo.file).write_text(TYPING_ERROR)
        yield "validate", "validate", _output(demo, "validate", code=1)


@contextmanager
def _demo(root: str) -> Iterator[DemoHost]:
    os.mkdir(root)
    demo = create_demo(root, nginx_binary())
    try:
        yield demo
    finally:
        remove_demo(demo)


def _output(demo: DemoHost, *arguments: str, code: int = 0) -> str:
    """What the command prints, in colour. Errors: SystemExit where it exits with another code."""
    done = subprocess.run(
        [*_as_host("web1"), sys.executable, "-m", "reconcile", *arguments],
        cwd=demo.root,
        env={"PATH": os.environ["PATH"], "FORCE_COLOR": "1", "COLUMNS": str(WIDTH)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != code:
        raise SystemExit(f"{done.args} exited with {done.returncode}, not {code}:\n{done.stdout}")
    return done.stdout


def _as_host(name: str) -> list[str]:
    """Run as root, a command calls the host so; otherwise by the name that it has."""
    renamed = ["unshare", "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
    return renamed if os.geteuid() == 0 else []


def _drawn(command: str, output: str) -> str:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
    console.print(Text.from_ansi(output.rstrip()))
    name = command.split()[1]
    return console.export_svg(
        title=f"reconcile {name}", code_format=FORMAT, unique_id=f"screen-{name}"
    )
