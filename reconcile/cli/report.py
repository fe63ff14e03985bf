"""`reconcile report`: one static page about one or many hosts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Annotated

import typer

from reconcile.cli.doctor import inspection_of, run_rules
from reconcile.cli.options import File, Json, Vars, config_file
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.run_reading import apply_command
from reconcile.cli.standard_input import DASH
from reconcile.cli.terminal import now, show
from reconcile.cli.verify import site_lists
from reconcile.cli.workspaces import open_workspace
from reconcile.config.fields.quantities import parse_duration
from reconcile.doctor.rules import load_rules
from reconcile.engine.history import rows_backwards
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.user_files import read_user_file
from reconcile.output.apply_history import history_document
from reconcile.output.escape import printable
from reconcile.output.findings import doctor_document
from reconcile.output.json import drift_document, to_json, verify_document, written_document
from reconcile.report.host_document import MOST_BYTES, HostDocument
from reconcile.report.pages import write_report
from reconcile.report.read_documents import failed_document, read_documents
from reconcile.workspace import Workspace
from reconcile.workspace.checking import check_drift

MOST_APPLIES = 10


def report(
    html: Annotated[
        str, typer.Option("--html", metavar="OUT", help="The page to write.", show_default=False)
    ],
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE",
            help="JSON output of plan, drift, verify, doctor, history or apply, or readings; -"
            " for standard input. Without FILE, this host is read.",
            show_default=False,
        ),
    ] = None,
    silent_after: Annotated[
        str,
        typer.Option(
            "--silent-after",
            metavar="DURATION",
            help="A host whose newest document is older than this is silent.",
        ),
    ] = "26h",
    file: File = None,
    var: Vars = None,
    json: Json = False,
) -> int:
    """Write one static page about one or many hosts.

    Shows what differs, since when, why, and what to do. The page has no scripts and loads nothing.

    \b
    Examples:
      reconcile report --html report.html
      reconcile report readings/*.json --html /srv/www/report.html

    \b
    Exit codes:
      0  written
      1  error, or a FILE could not be read: the page shows it as unknown
    """
    try:
        limit = timedelta(seconds=parse_duration(silent_after))
    except ValueError as error:
        raise ReconcileError(f"--silent-after: {error}", "", "Use a duration: 26h or 7d.") from None
    if html == DASH:
        raise ReconcileError("--html needs a file", "a report may have several pages", "Name one.")
    documents, failures = _read_files(files) if files else (_read_this_host(file, var), [])
    written = write_report(html, documents, now=now(), silent_after=limit)
    show(to_json(written_document(written)) if json else "\n".join(written))
    for failure in failures:
        sys.stderr.write(f"Note: {printable(failure.what)}: {printable(failure.why)}\n")
    return ExitCode.ERROR if failures else ExitCode.OK


def _read_files(files: Sequence[str]) -> tuple[list[HostDocument], list[ReconcileError]]:
    """The documents, with one for each file that cannot be read, and what failed there.

    Errors: ReconcileError where none can be read.
    """
    documents, failures = [], []
    for name in files:
        try:
            documents += read_documents(_read_document(name), name)
        except ReconcileError as error:
            failures.append(error)
            documents.append(failed_document(name, error))
    if len(failures) == len(files):
        raise failures[0]
    return documents, failures


def _read_document(name: str) -> bytes:
    if name == DASH:
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    return read_user_file(name, MOST_BYTES)


def _read_this_host(file: str | None, var: list[str] | None) -> list[HostDocument]:
    """What the read-only commands print about this host."""
    workspace, read_only = open_workspace(file, var), ReadOnlyGuard()
    printed = read_only(lambda: list(_printed(workspace)))
    read_only.print_note()
    found = [document for text in printed for document in read_documents(text, "this host")]
    known = {"sites": tuple(workspace.config.sites), "command": apply_command(config_file(file))}
    return [document.model_copy(update=known) for document in found]


def _printed(workspace: Workspace) -> Iterator[bytes]:
    """The documents as the commands print them, the drift last."""
    name, drift = workspace.host.name, check_drift(workspace)
    lists = site_lists(workspace, workspace.config.sites, drift.checks)
    checks = [box.check for _, boxes in lists for box in boxes]
    history = list(islice(rows_backwards(workspace.host.state), MOST_APPLIES))
    diagnosis = run_rules(inspection_of(workspace, []), load_rules())
    documents = (
        history_document(history, (), name, ExitCode.OK, now=now()),
        doctor_document(diagnosis, now=now()),
        verify_document(checks, name, ExitCode.OK, now=now()),
        drift_document(drift, now=now()),
    )
    yield from (to_json(document).encode() for document in documents)
