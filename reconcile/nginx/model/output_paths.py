"""The paths that nginx opens for writing when it loads a configuration, `nginx -t` included."""

from __future__ import annotations

import re
from posixpath import join

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree, Directive

_COMPILED = re.compile(
    r"--(?:pid|lock|error-log|http-log|http-[a-z]+(?:-[a-z]+)?-temp)-path=([^'\s]+)"
)
_DIRECTIVES = re.compile(
    r"pid|lock_file|error_log|access_log|client_body_temp_path|stream_access_log"
    r"|(?:proxy|fastcgi|uwsgi|scgi)_(?:temp|cache)_path"
)
_NO_FILE = re.compile(r"off$|stderr$|syslog:|memory:")


def output_paths(tree: ConfigTree | None, build: Build, build_text: str) -> frozenset[str]:
    """Every path that this nginx creates or opens for writing when it loads `tree`.

    `tree` is None for an unreadable configuration: only compiled-in paths are returned.
    Paths with variables are excluded: nginx opens them per request.
    """
    named = map(output_path_of, tree.written()) if tree else ()
    words = [*_COMPILED.findall(build_text), *filter(None, named)]
    return frozenset(join(build.prefix, word) for word in words if not _NO_FILE.match(word))


def output_path_of(directive: Directive) -> str | None:
    """The file or folder that this directive makes nginx create or open for writing."""
    if not directive.args or directive.block is not None:
        return None
    word = directive.args[0]
    if directive.name == "listen":
        return word.removeprefix("unix:") if word.startswith("unix:") else None
    is_file = _DIRECTIVES.fullmatch(directive.name) and not _NO_FILE.match(word)
    return word if is_file and "$" not in word else None
