"""Why a URL is answered as it is, for a person and for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconcile.errors import ExitCode
from reconcile.nginx.explanation import Candidate, Component, Explanation, LocationChoice
from reconcile.nginx.routing.headers import SentHeader
from reconcile.output import explain_documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import head
from reconcile.output.style import PLAIN, Style
from reconcile.system.http import HttpAnswer

_UNKNOWN = "(depends on the request or the moment)"


def explain_text(
    url: str, found: Explanation, style: Style = PLAIN, live: HttpAnswer | None = None
) -> str:
    """The story: server, location, file, the way to it, headers; beside them the real answer."""
    blocks = (
        _head(url, found, style),
        _servers(found, style),
        *(_location(choice, style) for choice in found.choices),
        _file(found, style),
        _headers(found, style),
        _elsewhere(found, style),
        _live(found, live, style) if live else [],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _head(url: str, found: Explanation, style: Style) -> list[str]:
    request = found.request
    asked = style.bold(f"{request.method} {printable(url)}")
    lines = [f"{asked} at {request.address}", *style.wrap(_shown(found.answer), "  ", "    ")]
    if found.blocked:
        kept_out = f"{_shown(found.blocked.path)} keeps {_worker(found)} out"
        lines += [f"  {style.error(kept_out)}", f"  fix: {_shown(found.fix)}"]
    return lines


def _servers(found: Explanation, style: Style) -> list[str]:
    server = found.route.server
    if server is None:
        return []
    names = " ".join(name for name in server.names if name)
    lines = [style.bold("Server") + f" {_shown(names)}  {_shown(server.place)}"]
    lines += style.wrap(_shown(found.route.server_why), "  ", "    ")
    return [*lines, *_rivals(found.server_candidates, style)]


def _location(choice: LocationChoice, style: Style) -> list[str]:
    kind, _, rest = choice.what.partition(" ")
    is_location = kind == "location"
    title = (
        style.bold("Location") + f" {_shown(rest)}" if is_location else style.bold("No location")
    )
    lines = [f"{title}  {_shown(choice.place)}"]
    lines += style.wrap(f"for {_shown(choice.path)}: {_shown(choice.why)}", "  ", "    ")
    return [*lines, *_rivals(choice.candidates, style)]


def _rivals(rivals: Sequence[Candidate], style: Style) -> Iterator[str]:
    for rival in rivals:
        told = f"not {_shown(rival.what)} ({_shown(rival.place)}): {_shown(rival.why)}"
        yield from (style.dim(line) for line in style.wrap(told, "  ", "    "))


def _file(found: Explanation, style: Style) -> list[str]:
    path = found.route.answer.path
    if path is None:
        return []
    lines = [f"{style.bold('File')} {_shown(path)}"]
    if found.mapped_by:
        lines.append(f"  by {_shown(found.mapped_by.what)}  {_shown(found.mapped_by.place)}")
    lines.append(f"  {_worker(found)} may pass or read:")
    wide = max((len(component.owner + component.group) for component in found.path), default=0) + 1
    lines += [_component(component, wide, style) for component in found.path]
    if found.route.answer.reason == "missing":
        lines.append(f"    {style.error('no')}   {_shown(path)} is not there")
    return lines


def _component(component: Component, wide: int, style: Style) -> str:
    word = style.good("yes") if component.allowed else style.error("no ")
    owner = f"{component.owner}:{component.group}".ljust(wide)
    slash = "/" if component.kind == "directory" and component.path != "/" else ""
    acl = f"  acl {','.join(component.acl)}" if component.acl else ""
    link = "  (symlink)" if component.kind == "symlink" else ""
    return f"    {word}  {component.mode:04o} {owner}  {_shown(component.path)}{slash}{acl}{link}"


def _headers(found: Explanation, style: Style) -> list[str]:
    lines = [f"  {_shown(header.name)}: {_value(header)}" for header in found.headers]
    if found.route.answer.kind == "pass":
        lines.append(style.dim("  and whatever the app sends"))
    return [style.bold("Headers"), *lines] if lines else []


def _elsewhere(found: Explanation, style: Style) -> list[str]:
    lines = [f"  at {address}: {_shown(answer)}" for address, answer in found.other_addresses]
    return [style.bold("Answered otherwise"), *lines] if lines else []


def _live(found: Explanation, live: HttpAnswer, style: Style) -> list[str]:
    if live.error:
        return [style.error(f"Live: no answer ({live.error}): {_shown(live.detail)}")]
    lines = [style.bold(f"Live: {live.status}")]
    rows = compared(found, live)
    for name, foretold, real in rows:
        if foretold == real:
            lines.append(f"  {style.good('same')}     {_shown(name)}: {_listed(real)}")
        else:
            lines.append(f"  {style.error('differs')}  {_shown(name)}: {_both(foretold, real)}")
    known = {name.lower() for name, _, _ in rows}
    others = (header for header in live.headers if header[0].lower() not in known)
    return lines + [
        style.dim(f"  also     {_shown(name)}: {_shown(value)}") for name, value in others
    ]


def _listed(values: Sequence[str]) -> str:
    return ", ".join(map(_shown, values)) or "none"


def _both(foretold: Sequence[str], real: Sequence[str]) -> str:
    return f"foretold {_listed(foretold)}, real {_listed(real)}"


def compared(
    found: Explanation, live: HttpAnswer
) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What was foretold beside what came: the status, then each header that can be told."""
    status = found.route.answer.status
    rows: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
    if status is not None:
        rows.append(("status", (str(status),), (str(live.status),)))
    names = {header.name.lower(): header.name for header in found.headers}
    for lower, name in names.items():
        told = [h.value for h in found.headers if h.name.lower() == lower]
        if None not in told:
            rows.append((name, tuple(value or "" for value in told), live.values(name)))
    return rows


def explain_document(
    url: str, found: Explanation, host: str, *, now: datetime, live: HttpAnswer | None = None
) -> doc.ExplainDocument:
    """The object of `explain --json`."""
    return doc.ExplainDocument(
        **head(host, now),
        url=url,
        address=str(found.request.address),
        answer=_answer_item(found),
        server=_server_item(found),
        locations=[
            doc.ExplainedLocation(
                path=choice.path,
                location=choice.what,
                place=choice.place,
                why=choice.why,
                others=_others(choice.candidates),
            )
            for choice in found.choices
        ],
        mapped_by=found.mapped_by
        and doc.ExplainedDirective(directive=found.mapped_by.what, place=found.mapped_by.place),
        worker=found.worker.name,
        path=[_component_item(component) for component in found.path],
        blocked_at=found.blocked and found.blocked.path,
        fix=found.fix,
        headers=[
            doc.ExplainedHeader(name=h.name, value=h.value, place=h.place) for h in found.headers
        ],
        elsewhere=[
            doc.ExplainedElsewhere(address=address, told=answer)
            for address, answer in found.other_addresses
        ],
        live=_live_item(found, live) if live else None,
        exit_code=ExitCode.OK,
    )


def _answer_item(found: Explanation) -> doc.ExplainedAnswer:
    answer = found.route.answer
    return doc.ExplainedAnswer(
        kind=answer.kind,
        status=answer.status,
        told=found.answer,
        file=answer.path,
        target=answer.target,
        reason=answer.reason,
    )


def _server_item(found: Explanation) -> doc.ExplainedServer | None:
    server = found.route.server
    if server is None:
        return None
    return doc.ExplainedServer(
        names=[name for name in server.names if name],
        place=server.place,
        why=found.route.server_why,
        others=_others(found.server_candidates),
    )


def _others(rivals: Sequence[Candidate]) -> list[doc.ExplainedRival]:
    return [doc.ExplainedRival(what=one.what, place=one.place, why=one.why) for one in rivals]


def _component_item(component: Component) -> doc.ExplainedComponent:
    return doc.ExplainedComponent(
        path=component.path,
        kind=component.kind,
        owner=component.owner,
        group=component.group,
        mode=f"{component.mode:04o}",
        acl=list(component.acl),
        allowed=component.allowed,
    )


def _live_item(found: Explanation, live: HttpAnswer) -> doc.ExplainedLive:
    rows = [] if live.error else compared(found, live)
    return doc.ExplainedLive(
        status=live.status or None,
        error=live.error and f"{live.error}: {live.detail}",
        headers=[doc.LiveHeader(name=name, value=value) for name, value in live.headers],
        differs=[name for name, foretold, real in rows if foretold != real],
        agrees=not live.error and all(foretold == real for _, foretold, real in rows),
    )


def _worker(found: Explanation) -> str:
    return f"nginx's worker ({_shown(found.worker.name)})"


def _value(header: SentHeader) -> str:
    return _UNKNOWN if header.value is None else _shown(header.value)


def _shown(text: str) -> str:
    return printable(text)
