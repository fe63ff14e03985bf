"""`reconcile fleet`: plan, apply and check many hosts from one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconcile.cli.error_boundary import TerminatedBySignal
from reconcile.cli.options import DetailedExitCode, Json
from reconcile.cli.terminal import now, show, style
from reconcile.config.fields.quantities import parse_duration
from reconcile.errors import ReconcileError
from reconcile.extras import how_to_add
from reconcile.fleet.answer import HostAnswer, silent_since
from reconcile.fleet.apply_rollout import apply_fleet, refuse_other_fleet
from reconcile.fleet.fleet_documents import FleetDocument, exit_code_of, fleet_document
from reconcile.fleet.fleet_file import Fleet, load_fleet
from reconcile.fleet.fleet_text import fleet_text, progress_line
from reconcile.fleet.plan_rollout import plan_fleet
from reconcile.fleet.rollout_record import SavedPlans
from reconcile.fleet.work import Command
from reconcile.output.escape import printable
from reconcile.output.json import to_json
from reconcile.report.host_document import HostDocument
from reconcile.report.pages import write_report
from reconcile.report.read_documents import read_documents

if TYPE_CHECKING:
    from reconcile.fleet.session import OnAnswer, Session

DEFAULT = "fleet.yaml"
FleetFile = Annotated[
    str,
    typer.Option(
        "--file", "-f", metavar="FILE", help="The fleet file: hosts, and the order of a rollout."
    ),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", metavar="TAG|HOST", help="Only these hosts; 'web-*' is a pattern; repeatable."
    ),
]
Html = Annotated[
    str | None,
    typer.Option("--html", metavar="OUT", help="Also write the result as a page to OUT."),
]
NEVER = timedelta(days=36_500)
"""All hosts were asked just now: none is silent."""

fleet = typer.Typer(
    no_args_is_help=True,
    help="""Plan, apply and check many hosts from one.

    \b
    Examples:
      reconcile fleet plan --out plans
      reconcile fleet apply plans
    """,
    add_completion=False,
    rich_markup_mode=None,
)


@fleet.command("plan")
def plan_(
    fleet_file: FleetFile = DEFAULT,
    limit: Limit = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Save the plans for `fleet apply DIR`."),
    ] = None,
    detailed_exitcode: DetailedExitCode = False,
    html: Html = None,
    json: Json = False,
) -> int:
    """Show what apply would change on each host, grouping equal plans.

    \b
    Examples:
      reconcile fleet plan
      reconcile fleet plan --limit canary --out plans

    \b
    Exit codes:
      0  planned
      1  a host could not be reached or read
      2  changes (only with --detailed-exitcode)
    """
    with _session(load_fleet(fleet_file), limit or ()) as session:
        saved = SavedPlans(out) if out is not None else None
        answers = plan_fleet(session, saved, _progress(session, json=json))
    code = exit_code_of([*answers.values()], changes=detailed_exitcode)
    _show("plan", answers, code, json=json, html=html)
    has_plans = any(answer.state == "drift" for answer in answers.values())
    if out is not None and has_plans and not json:
        show(f"\nSaved. To apply exactly these plans, once: reconcile fleet apply {printable(out)}")
    return code


@fleet.command("apply")
def apply_(
    plans: Annotated[str, typer.Argument(metavar="DIR", help="Plans saved by `fleet plan --out`.")],
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted rollout.")
    ] = False,
    fleet_file: Annotated[
        str | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="The fleet file; by default the one that the plans were made from.",
        ),
    ] = None,
    html: Html = None,
    json: Json = False,
) -> int:
    """Apply saved plans, in the order of the rollout.

    Each host refuses its own plan where it is stale.

    \b
    Examples:
      reconcile fleet apply plans
      reconcile fleet apply plans --resume

    \b
    Exit codes:
      0  all applied and verified
      1  a host could not be reached or read
      3  a host failed, and was rolled back
      5  the plans, or the plan of one host, are stale
      6  stopped by a limit; the remaining hosts were not contacted
    """
    saved = SavedPlans(plans)
    index = saved.read_index()
    file = fleet_file or index.fleet
    refuse_other_fleet(index, file)
    try:
        with saved.record() as record, _session(load_fleet(file), names=index.hosts) as session:
            on_answer = _progress(session, json=json)
            done = apply_fleet(session, saved, index, record, resumes=resume, on_answer=on_answer)
    except (KeyboardInterrupt, TerminatedBySignal):
        sys.stderr.write("Interrupted; hosts that began will finish. Continue with --resume.\n")
        raise
    documents = {name: saved.read_document(name) or {} for name in _with_plan(done.answers)}
    code = exit_code_of([*done.answers.values()], changes=False, stopped=bool(done.stopped_by))
    more: dict[str, Any] = {"stopped_by": done.stopped_by, "plans": documents}
    _show("apply", done.answers, code, json=json, html=html, steps=done.steps, **more)
    return code


@fleet.command("drift")
def drift_(
    fleet_file: FleetFile = DEFAULT, limit: Limit = None, html: Html = None, json: Json = False
) -> int:
    """Check that each host still matches its YAML and responds.

    \b
    Example:
      reconcile fleet drift --json

    \b
    Exit codes:
      0  all hosts match and respond
      1  a host could not be reached or read
      2  drift or pending changes
      3  HTTP checks failed
    """
    return _ask("drift", fleet_file, limit, html, json=json)


@fleet.command("verify")
def verify_(
    fleet_file: FleetFile = DEFAULT, limit: Limit = None, html: Html = None, json: Json = False
) -> int:
    """Run the HTTP checks of each host.

    \b
    Example:
      reconcile fleet verify --limit eu

    \b
    Exit codes:
      0  all checks passed
      1  a host could not be reached, or a check could not be run
      3  a check failed
    """
    return _ask("verify", fleet_file, limit, html, json=json)


@fleet.command("doctor")
def doctor_(
    fleet_file: FleetFile = DEFAULT, limit: Limit = None, html: Html = None, json: Json = False
) -> int:
    """Diagnose problems on each host, grouping equal ones.

    \b
    Example:
      reconcile fleet doctor

    \b
    Exit codes:
      0  no problems
      1  a host could not be reached or read
      2  problems found
    """
    return _ask("doctor", fleet_file, limit, html, json=json)


@fleet.command("status")
def status_(
    fleet_file: FleetFile = DEFAULT,
    limit: Limit = None,
    silent_after: Annotated[
        str,
        typer.Option(
            "--silent-after",
            metavar="DURATION",
            help="A host whose newest reading is older than this is silent.",
        ),
    ] = "26h",
    html: Html = None,
    json: Json = False,
) -> int:
    """Show what each host last reported, and who applied there last.

    Reads what each host's own timers wrote, and checks nothing again.

    \b
    Example:
      reconcile fleet status --silent-after 2h

    \b
    Exit codes:
      0  all hosts are in sync, or leave no readings
      1  a host could not be reached or read, or is silent
      2  drift or pending changes
      3  HTTP checks failed
    """
    try:
        oldest = now() - timedelta(seconds=parse_duration(silent_after))
    except ValueError as error:
        raise ReconcileError(f"--silent-after: {error}", "", "Use a duration: 26h or 7d.") from None
    with _session(load_fleet(fleet_file), limit or ()) as session:
        answers = session.ask("status", [*session.targets], _progress(session, json=json))
    answers = {name: silent_since(answer, oldest) for name, answer in answers.items()}
    code = exit_code_of([*answers.values()], changes=True)
    _show("status", answers, code, json=json, html=html)
    return code


def _ask(
    command: Command, file: str, limit: list[str] | None, html: str | None, *, json: bool
) -> int:
    with _session(load_fleet(file), limit or ()) as session:
        on_answer = _progress(session, json=json)
        answers = session.ask(command, [*session.targets], on_answer)
    code = exit_code_of([*answers.values()], changes=True)
    _show(command, answers, code, json=json, html=html)
    return code


@contextmanager
def _session(
    fleet: Fleet, limit: Sequence[str] = (), names: Mapping[str, object] | None = None
) -> Iterator[Session]:
    try:
        # They bring gevent and pyinfra, which are optional; in this order.
        from reconcile.fleet.cooperative import make_cooperative

        make_cooperative()
        from reconcile.fleet.session import open_session
    except ImportError as error:
        raise ReconcileError(
            "`reconcile fleet` needs pyinfra", str(error), how_to_add("fleet")
        ) from None
    with open_session(fleet, limit, names) as session:
        yield session


def _progress(session: Session, *, json: bool) -> OnAnswer:
    """Print a line to stderr for each host that ends."""
    done, total = 0, len(session.targets)

    def on_answer(name: str, answer: HostAnswer) -> HostAnswer:
        """Count a host that has answered, and show it."""
        nonlocal done
        done += 1
        if not json:
            sys.stderr.write(progress_line(done, total, name, answer) + "\n")
        return answer

    return on_answer


def _with_plan(answers: Mapping[str, HostAnswer]) -> list[str]:
    return [name for name, one in answers.items() if one.state in ("applied", "failed")]


def _show(
    command: Command,
    answers: Mapping[str, HostAnswer],
    code: int,
    *,
    json: bool,
    html: str | None = None,
    **more: Any,
) -> None:
    """Print what was found, and write the page of it where one is wanted."""
    document = fleet_document(command, answers, now=now(), exit_code=code, **more)
    if html is not None:
        pages = write_report(html, _report_documents(document), now=now(), silent_after=NEVER)
        sys.stderr.write("".join(f"Written: {printable(page)}\n" for page in pages))
    if json:
        show(to_json(document))
        return
    more.pop("steps", None)
    show(fleet_text(command, answers, style(), **more))


def _report_documents(document: FleetDocument) -> list[HostDocument]:
    """The hosts of a document, as the page reads them."""
    return read_documents(to_json(document).encode(), "fleet")
