"""The explanation of a URL's answer, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconcile.nginx.explanation import Candidate, Component, Explanation, LocationChoice
from reconcile.nginx.routing.headers import SentHeader
from reconcile.nginx.routing.route import CLOSED
from reconcile.nginx.routing.upstream_request import PassedHeader
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.output.url_explanation_document import compare_with_live
from reconcile.system.http import HttpAnswer

TOO_LARGE = 413
_UNKNOWN = "(depends on the request or the time)"


def explain_text(
    url: str, found: Explanation, style: Style = PLAIN, live: HttpAnswer | None = None
) -> str:
    """Render server, locations, file with permissions, headers and, with `live`, a comparison."""
    return join_blocks(
        _head(url, found, style),
        _servers(found, style),
        *(_location(choice, style) for choice in found.choices),
        _tried(found, style),
        _file(found, style),
        _upstream(found, style),
        _headers(found, style),
        _other_addresses(found, style),
        _unreachable(found, style),
        _live(found, live, style) if live else [],
    )


def _head(url: str, found: Explanation, style: Style) -> list[str]:
    request = found.request
    request_line = style.bold(f"{request.method} {printable(url)}")
    lines = [
        f"{request_line} at {request.address}",
        *style.wrap(printable(found.answer), "  ", "    "),
    ]
    if found.blocked:
        denial = f"{printable(found.blocked.path)} denies access to {_worker(found)}"
        lines += [f"  {style.error(denial)}", f"  fix: {printable(found.fix)}"]
    if found.route.answer.status == TOO_LARGE:
        lines.append(f"  {found.route.answer.reason}")
    for near in found.near:
        lines.append(f"  near: {_quoted(near.path)} differs in its {near.differs}")
    if found.hidden:
        lines.append(f"  It exists, but the sandbox of {found.hidden} hides it from nginx.")
    return lines


def _quoted(path: str) -> str:
    """A path whose blanks at the end would not be visible."""
    shown = printable(path)
    return f'"{shown}"' if shown != shown.strip() else shown


def _tried(found: Explanation, style: Style) -> list[str]:
    tried = found.route.tried
    if not tried or (len(tried) == 1 and tried[0].path == found.route.answer.path):
        return []
    return [style.bold("Tried"), *(f"  {one.kind:10} {printable(one.path)}" for one in tried)]


def _upstream(found: Explanation, style: Style) -> list[str]:
    answer, passed = found.route.answer, found.route.passed_uri
    if answer.kind != "pass":
        return []
    lines = [f"{style.bold('Upstream')} {printable(answer.target or '')}"]
    if passed:
        lines.append(f"  {found.request.method} {printable(passed.uri)}  ({passed.why})")
    lines += [_passed_header(header) for header in found.passed_headers]
    return [*lines, style.dim("  and the client's other headers")]


def _passed_header(header: PassedHeader) -> str:
    value = "(not sent)" if header.value == "" else _value(header)
    return f"  {printable(header.name)}: {value}  {printable(header.origin)}"


def _unreachable(found: Explanation, style: Style) -> list[str]:
    lines = [
        line
        for one in found.unreachable
        for line in style.wrap(printable(f"{one.what} ({one.place}): {one.why}"), "  ", "    ")
    ]
    return [style.bold("No request reaches"), *lines] if lines else []


def _servers(found: Explanation, style: Style) -> list[str]:
    server = found.route.server
    if server is None:
        return []
    names = " ".join(name for name in server.names if name)
    lines = [style.bold("Server") + f" {printable(names)}  {printable(server.place)}"]
    lines += style.wrap(printable(found.route.server_why), "  ", "    ")
    return [*lines, *_candidate_lines(found.server_candidates, style)]


def _location(choice: LocationChoice, style: Style) -> list[str]:
    kind, _, rest = choice.what.partition(" ")
    is_location = kind == "location"
    title = (
        style.bold("Location") + f" {printable(rest)}" if is_location else style.bold("No location")
    )
    lines = [f"{title}  {printable(choice.place)}"]
    lines += style.wrap(f"for {printable(choice.path)}: {printable(choice.why)}", "  ", "    ")
    return [*lines, *_candidate_lines(choice.candidates, style)]


def _candidate_lines(candidates: Sequence[Candidate], style: Style) -> Iterator[str]:
    for candidate in candidates:
        text = f"not {candidate.what} ({candidate.place}): {candidate.why}"
        yield from map(style.dim, style.wrap(printable(text), "  ", "    "))


def _file(found: Explanation, style: Style) -> list[str]:
    path = found.route.answer.path
    if path is None:
        return []
    lines = [f"{style.bold('File')} {printable(path)}"]
    if found.mapped_by:
        lines.append(f"  by {printable(found.mapped_by.what)}  {printable(found.mapped_by.place)}")
    lines.append(f"  {_worker(found)} may enter or read:")
    width = max((len(component.owner + component.group) for component in found.path), default=0) + 1
    lines += [_component(component, width, style) for component in found.path]
    if found.route.answer.reason == "missing":
        lines.append(f"    {style.error('no')}   {printable(path)} does not exist")
    return lines


def _component(component: Component, width: int, style: Style) -> str:
    word = style.good("yes") if component.allowed else style.error("no ")
    owner = f"{component.owner}:{component.group}".ljust(width)
    slash = "/" if component.kind == "directory" and component.path != "/" else ""
    acl = f"  acl {','.join(component.acl)}" if component.acl else ""
    link = "  (symlink)" if component.kind == "symlink" else ""
    return (
        f"    {word}  {component.mode:04o} {owner}  {printable(component.path)}{slash}{acl}{link}"
    )


def _headers(found: Explanation, style: Style) -> list[str]:
    lines = [f"  {printable(header.name)}: {_value(header)}" for header in found.headers]
    if found.route.answer.kind == "pass":
        lines.append(style.dim("  and those of the app"))
    return [style.bold("Headers"), *lines] if lines else []


def _other_addresses(found: Explanation, style: Style) -> list[str]:
    lines = [f"  at {address}: {printable(answer)}" for address, answer in found.other_addresses]
    if found.if_admitted:
        way = "with a PROXY header" if _is_proxied(found) else "with a client certificate"
        lines.insert(0, f"  {way}: {printable(found.if_admitted)}")
    return [style.bold("Answered differently"), *lines] if lines else []


def _is_proxied(found: Explanation) -> bool:
    return found.route.listen is not None and found.route.listen.proxy_protocol


def _live(found: Explanation, live: HttpAnswer, style: Style) -> list[str]:
    if live.error and found.route.answer.status == CLOSED:
        return [style.good(f"Live: no answer ({live.error}), as predicted")]
    if live.error:
        return [style.error(f"Live: no answer ({live.error}): {printable(live.detail)}")]
    lines = [style.bold(f"Live: {live.status}")]
    rows = compare_with_live(found, live)
    for name, predicted, actual in rows:
        if predicted == actual:
            lines.append(f"  {style.good('same')}     {printable(name)}: {_joined_values(actual)}")
        else:
            values = f"predicted {_joined_values(predicted)}, actual {_joined_values(actual)}"
            lines.append(f"  {style.error('differs')}  {printable(name)}: {values}")
    known = {name.lower() for name, _, _ in rows}
    others = (header for header in live.headers if header[0].lower() not in known)
    return lines + [
        style.dim(f"  also     {printable(name)}: {printable(value)}") for name, value in others
    ]


def _joined_values(values: Sequence[str]) -> str:
    return ", ".join(map(printable, values)) or "none"


def _worker(found: Explanation) -> str:
    return f"nginx's worker ({printable(found.worker.name)})"


def _value(header: SentHeader | PassedHeader) -> str:
    return _UNKNOWN if header.value is None else printable(header.value)
