"""The form of each directive that routing reads: how many arguments, and whether a block."""

from __future__ import annotations

from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.lexer import NginxSyntaxError

_MANY = 1_000_000
_COUNTS = {
    "listen": (1, _MANY),
    "server_name": (1, _MANY),
    "server": (0, 0),
    "location": (1, 2),
    "root": (1, 1),
    "alias": (1, 1),
    "index": (1, _MANY),
    "try_files": (2, _MANY),
    "return": (1, 2),
    "rewrite": (2, 3),
    "set": (2, 2),
    "if": (1, _MANY),
    "break": (0, 0),
    "internal": (0, 0),
    "error_page": (2, _MANY),
    "add_header": (2, 3),
    "add_header_inherit": (1, 1),
    "expires": (1, 2),
    "default_type": (1, 1),
    "types": (0, 0),
    "autoindex": (1, 1),
    "allow": (1, 1),
    "deny": (1, 1),
    "satisfy": (1, 1),
    "auth_basic": (1, 1),
    "limit_except": (1, _MANY),
    "client_max_body_size": (1, 1),
    "disable_symlinks": (1, 2),
    "merge_slashes": (1, 1),
    "charset": (1, 1),
    "charset_types": (1, _MANY),
    "recursive_error_pages": (1, 1),
    "access_log": (1, _MANY),
    "proxy_pass": (1, 1),
    "fastcgi_pass": (1, 1),
    "uwsgi_pass": (1, 1),
    "scgi_pass": (1, 1),
    "grpc_pass": (1, 1),
    "memcached_pass": (1, 1),
}
_BLOCKS = frozenset({"server", "location", "if", "limit_except", "types"})


def check_form(directive: Directive) -> None:
    """Raise NginxSyntaxError, in nginx's words, for a form that the directive does not have.

    Only of the levels from http inwards: elsewhere a `server` may be another one.
    """
    refusal = _why_invalid(directive)
    if refusal:
        raise NginxSyntaxError(refusal, directive.file, directive.line)


def _why_invalid(directive: Directive) -> str:
    has_block = directive.block is not None
    if directive.name in _BLOCKS and not has_block:
        return f'directive "{directive.name}" has no opening "{{"'
    if has_block and directive.name in _COUNTS and directive.name not in _BLOCKS:
        return f'directive "{directive.name}" is not terminated by ";"'
    least, most = _COUNTS.get(directive.name, (0, _MANY))
    if not least <= len(directive.args) <= most:
        return f'invalid number of arguments in "{directive.name}" directive'
    return ""
