"""Write the man pages of all commands into a folder, from what `--help` says."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context

from reconcile import __version__
from reconcile.cli.app import COMMANDS, load_command

WIDTH = 78


def main(folder: str) -> None:
    """Write a page for each command, and one that lists them."""
    out = Path(folder)
    out.mkdir(exist_ok=True)
    (out / "reconcile.1").write_text(_overview())
    for name, summary in COMMANDS.items():
        for words, command in _leaves(name, load_command(name)):
            title = "-".join(("reconcile", *words))
            (out / f"{title}.1").write_text(_page(title, summary, words, command))


def _leaves(name: str, command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield (name,), command
    for part, inner in getattr(command, "commands", {}).items():
        yield (name, part), inner


def _overview() -> str:
    rows = "".join(
        f".TP\n\\fBreconcile {name}\\fR(1)\n{_quoted(text)}\n" for name, text in COMMANDS.items()
    )
    return (
        _heading("reconcile", "desired state for web apps behind Nginx and Gunicorn")
        + ".SH SYNOPSIS\n.B reconcile\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n"
        + ".SH DESCRIPTION\nOne YAML file declares the sites, paths, owners and cache policies of\n"
        + "a host. The commands compare the host with it, change it, and verify it.\n"
        + f".SH COMMANDS\n{rows}"
    )


def _page(title: str, summary: str, words: tuple[str, ...], command: Any) -> str:
    about, _, _ = str(command.help or summary).partition("\n\n")
    context = Context(command, info_name=" ".join(("reconcile", *words)), max_content_width=WIDTH)
    body = command.get_help(context)
    return (
        _heading(title, about.rstrip("."))
        + ".SH DESCRIPTION\n.nf\n"
        + "\n".join(map(_quoted, body.split("\n")))
        + "\n.fi\n.SH SEE ALSO\n.BR reconcile (1)\n"
    )


def _heading(title: str, summary: str) -> str:
    when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    line = f'.TH "{title.upper()}" 1 "{when:%Y-%m-%d}" "reconcile {__version__}" "User commands"\n'
    return f"{line}.SH NAME\n{title} \\- {_quoted(' '.join(summary.split()))}\n"


def _quoted(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


if __name__ == "__main__":
    main(sys.argv[1])
