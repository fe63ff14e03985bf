"""The JSON of an explained URL, and its comparison with a live response."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconcile.errors import ExitCode
from reconcile.nginx.explanation import Explanation
from reconcile.nginx.routing.route import CLOSED
from reconcile.output import explain_documents as doc
from reconcile.output.json import envelope
from reconcile.system.http import HttpAnswer


def compare_with_live(
    found: Explanation, live: HttpAnswer
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Pair predicted and actual values: of the status, then of each predictable header.

    Returns rows of (name, predicted, actual).
    """
    status = found.route.answer.status
    rows: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    if status is not None:
        rows.append(("status", (str(status),), (str(live.status),)))
    names = {header.name.lower(): header.name for header in found.headers}
    for lower, name in names.items():
        values = [h.value for h in found.headers if h.name.lower() == lower]
        if None not in values:
            rows.append((name, tuple(value or "" for value in values), live.values(name)))
    return rows


def explain_document(
    url: str, found: Explanation, host: str, *, now: datetime, live: HttpAnswer | None = None
) -> doc.ExplainDocument:
    """Build the object of `explain --json`."""
    answer, by = found.route.answer, found.mapped_by
    return doc.ExplainDocument(
        **envelope(host, now),
        url=url,
        address=str(found.request.address),
        answer=doc.ExplainedAnswer.of(answer, description=found.answer, file=answer.path),
        server=_server_item(found),
        locations=[
            doc.ExplainedLocation.of(choice, location=choice.what, others=choice.candidates)
            for choice in found.choices
        ],
        mapped_by={"directive": by.what, "place": by.place} if by else None,
        worker=found.worker.name,
        path=[doc.ExplainedComponent.of(c, mode=f"{c.mode:04o}") for c in found.path],
        blocked_at=found.blocked and found.blocked.path,
        fix=found.fix,
        headers=found.headers,
        tried=found.route.tried,
        upstream=_upstream_item(found),
        near=found.near,
        hidden_by=found.hidden or None,
        if_admitted=found.if_admitted or None,
        unreachable=found.unreachable,
        elsewhere=[
            {"address": address, "answer": answer} for address, answer in found.other_addresses
        ],
        live=_live_item(found, live) if live else None,
        exit_code=ExitCode.OK,
    )


def _server_item(found: Explanation) -> doc.ExplainedServer | None:
    server = found.route.server
    if server is None:
        return None
    return doc.ExplainedServer(
        names=[name for name in server.names if name],
        place=server.place,
        why=found.route.server_why,
        others=found.server_candidates,
    )


def _upstream_item(found: Explanation) -> doc.ExplainedUpstream | None:
    answer, passed = found.route.answer, found.route.passed_uri
    if answer.kind != "pass":
        return None
    return doc.ExplainedUpstream(
        target=answer.target or "",
        uri=passed and passed.uri,
        why=passed.why if passed else "",
        headers=found.passed_headers,
    )


def _live_item(found: Explanation, live: HttpAnswer) -> doc.ExplainedLive:
    rows = [] if live.error else compare_with_live(found, live)
    return doc.ExplainedLive(
        status=live.status or None,
        error=live.error and f"{live.error}: {live.detail}",
        headers=[{"name": name, "value": value} for name, value in live.headers],
        differs=[name for name, predicted, actual in rows if predicted != actual],
        agrees=_agrees(found, live, rows),
    )


def _agrees(
    found: Explanation,
    live: HttpAnswer,
    rows: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]],
) -> bool:
    if live.error:
        return found.route.answer.status == CLOSED
    return all(predicted == actual for _, predicted, actual in rows)
