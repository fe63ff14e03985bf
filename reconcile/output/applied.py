"""One apply of the history, with the texts that it changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconcile.engine.apply_texts import MOST_DAYS, RETAINED, ChangedText
from reconcile.engine.history import HistoryRow
from reconcile.engine.model import Action
from reconcile.engine.step_output import StepOutput
from reconcile.errors import ExitCode
from reconcile.output.apply_history import history_item, history_line
from reconcile.output.escape import printable
from reconcile.output.fields import coloured_diff_line
from reconcile.output.history_documents import AppliedDocument, ChangedTextItem, StepItem
from reconcile.output.json import envelope
from reconcile.output.style import PLAIN, Style, join_blocks

_NO_TEXTS = (
    f"No texts are kept of this apply: only of the last {RETAINED}, for up to {MOST_DAYS} days,"
    " and of none that an older version made."
)
_ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


def applied_text(
    row: HistoryRow,
    texts: Sequence[ChangedText] | None,
    style: Style = PLAIN,
    *,
    diff: bool,
    steps: Sequence[StepOutput] = (),
) -> str:
    """Render the row, its changes, what its steps wrote, and where `diff` is wanted the texts."""
    changes = [line for change in row.entry.changes for line in _change_lines(change, style)]
    ran = [list(_step_lines(step, style)) for step in steps]
    head = ([history_line(row, style)], changes, *ran)
    if not diff:
        return join_blocks(*head)
    if texts is None:
        return join_blocks(*head, style.wrap(_no_texts(row)))
    blocks = [list(_text_lines(text, style)) for text in texts]
    none = [] if texts else ["It changed no text."]
    return join_blocks(*head, *blocks, none)


def applied_document(
    row: HistoryRow,
    texts: Sequence[ChangedText] | None,
    host: str,
    *,
    now: datetime,
    steps: Sequence[StepOutput] = (),
) -> AppliedDocument:
    """Build the object of `history show --json`."""
    return AppliedDocument(
        **envelope(host, now),
        entry=history_item(row),
        steps=[StepItem.of(step) for step in steps],
        texts=None if texts is None else [ChangedTextItem.of(text) for text in texts],
        exit_code=ExitCode.OK,
    )


def _no_texts(row: HistoryRow) -> str:
    if row.entry.undoes_another:
        return "A rollback has no texts of its own: see those of the apply that it undid."
    return _NO_TEXTS


def _change_lines(change: tuple[str, str, str], style: Style) -> list[str]:
    address, action, cause = change
    glyph = next((style.glyph(one) for one in _ACTIONS if one == action), " ")
    return style.wrap(f"{glyph} {printable(address)}  ({printable(cause)})", "  ", "      ")


def _step_lines(step: StepOutput, style: Style) -> Iterator[str]:
    how = f"failed: {step.error}" if step.error else "succeeded"
    heading = f"{step.address} {step.release}: {step.command} ({how}, {step.elapsed_s:g} s)"
    yield from (style.bold(line) for line in style.wrap(printable(heading), "", "  "))
    if step.omitted:
        yield f"  … {step.omitted:,} characters are not shown"
    for line in step.output.splitlines():
        yield f"  {printable(line)}"


def _text_lines(text: ChangedText, style: Style) -> Iterator[str]:
    field = "" if text.field == "content" else f" {printable(text.field)}"
    name = printable(text.address) + field
    if text.omitted:
        yield from style.wrap(f"{name}: not shown, {text.omitted}.")
        return
    yield style.bold(f"--- {'/dev/null' if text.action == 'create' else name}")
    yield style.bold(f"+++ {'/dev/null' if text.action == 'delete' else name}")
    for line in text.diff.split("\n") if text.diff else ():
        yield coloured_diff_line(line, style)
