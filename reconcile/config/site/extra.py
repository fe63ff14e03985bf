"""Raw nginx directives beside the keys: read, so that both cannot contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.lexer import NginxSyntaxError

if TYPE_CHECKING:
    from reconcile.config.config import Config


def check_extra(loc: Loc, extra: str) -> Iterator[Violation]:
    """The text is a sequence of complete directives."""
    try:
        parse(extra.encode(), "extra")
    except NginxSyntaxError as error:
        message = f"line {error.line} of extra is invalid: {error.message}"
        yield Violation((*loc, "extra"), message, is_independent=True)


def check_http_extra(loc: Loc, http_extra: str) -> Iterator[Violation]:
    """The text is a sequence of complete directives, and declares no server."""
    here = (*loc, "http_extra")
    try:
        directives = parse(http_extra.encode(), "http_extra").directives
    except NginxSyntaxError as error:
        message = f"line {error.line} of http_extra is invalid: {error.message}"
        yield Violation(here, message, is_independent=True)
        return
    for directive in directives:
        if directive.name == "server":
            message = f"line {directive.line} of http_extra is a server"
            yield Violation(here, message, "declare it as a site of its own")


def extra_directives(extra: str) -> tuple[Directive, ...]:
    """The outermost directives, none where the text is invalid."""
    try:
        return tuple(parse(extra.encode("utf-8", "surrogateescape"), "extra").directives)
    except NginxSyntaxError:
        return ()


def find_in_extra(extra: str, name: str, argument: str | None = None) -> Directive | None:
    """The outermost directive of that name, and with that first argument in any case."""
    for directive in extra_directives(extra):
        first = directive.args[0].lower() if directive.args else ""
        if directive.name == name and (argument is None or first == argument.lower()):
            return directive
    return None


def place_in_extra(config: Config, loc: Loc, directive: Directive) -> str:
    """Where a directive of the `extra` of the site or location at `loc` is."""
    begin = config.position_of(*loc, "extra").line
    return f"line {directive.line} of the `extra` at line {begin}"
