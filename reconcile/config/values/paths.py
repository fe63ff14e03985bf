"""Paths: absolute and clean inside, harmless wherever they are written down again."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, Any

from reconcile.config.values.written import Context, UnfitError, Written, quoted, text

LONGEST = 1024

# What could end a word or a string in nginx's configuration, or begin a variable or comment.
UNSAFE_IN_NGINX = ";{}$\"'\\#"
# What a systemd unit would expand or split.
UNSAFE_IN_UNITS = UNSAFE_IN_NGINX + "% \t"

# No `.`, `..` or empty component once the path is absolute.
_UNCLEAN = re.compile(r"/(?:/|\.{1,2}(?:/|$))")


def parse_path(value: Any, context: Context) -> str:
    """An absolute path without a slash at its end; a relative one starts at the file's folder."""
    written = text(value, "a path")
    if not written:
        raise UnfitError("the path is empty")
    if not written.startswith("/"):
        return _checked(posixpath.normpath(posixpath.join(context.folder, written)))
    return parse_absolute(written)


def parse_absolute(value: Any) -> str:
    """An absolute, clean path as it stands, without a slash at its end."""
    written = text(value, "an absolute path")
    if not written.startswith("/"):
        raise UnfitError(f"{quoted(written)} is not absolute", "begin it with /")
    if _UNCLEAN.search(written):
        raise UnfitError(
            f"{quoted(written)} is not a plain path", f'write "{posixpath.normpath(written)}"'
        )
    return _checked(written.rstrip("/") or "/")


def parse_key(value: Any) -> str:
    """An absolute path spelt in the one way that makes equal paths equal keys."""
    path = parse_absolute(value)
    if path != value:
        raise UnfitError(f"{quoted(value)} ends with a slash", f'write "{path}"')
    return path


def parse_nginx_path(value: Any, context: Context) -> str:
    """A path that nginx's configuration will hold."""
    return _without(parse_path(value, context), UNSAFE_IN_NGINX, "nginx's configuration")


def parse_unit_path(value: Any, context: Context) -> str:
    """A path that a systemd unit will hold."""
    return _without(parse_path(value, context), UNSAFE_IN_UNITS, "a systemd unit")


def _checked(path: str) -> str:
    if len(path) > LONGEST:
        raise UnfitError(f"the path is longer than {LONGEST} characters")
    if any(len(name.encode("utf-8", "surrogateescape")) > 255 for name in path.split("/")):
        raise UnfitError("a name in the path is longer than 255 bytes")
    if not path.isprintable():
        raise UnfitError(f"{quoted(path)} holds characters that cannot be shown")
    return path


def _without(path: str, unsafe: str, place: str) -> str:
    found = next((character for character in path if character in unsafe), None)
    if found:
        raise UnfitError(f"{quoted(path)} holds {found!r}, which is not safe in {place}")
    return path


def _schema(example: str, characters: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": f"^{characters}$",
        "maxLength": LONGEST,
        "examples": [example],
    }


Path = Annotated[
    str, Written(parse_path, _schema("./app/static", r"[^\x00-\x1f\x7f]+"), in_context=True)
]
AbsolutePath = Annotated[
    str, Written(parse_key, _schema("/var/www/myapp", r"/(?:[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/])?"))
]
NginxPath = Annotated[
    str,
    Written(
        parse_nginx_path,
        _schema("/var/www/myapp/static", r"""[^\x00-\x1f\x7f;{}$"'\\#]+"""),
        in_context=True,
    ),
]
UnitPath = Annotated[
    str,
    Written(
        parse_unit_path,
        _schema("/srv/myapp", r"""[^\x00-\x20\x7f;{}$"'\\#%]+"""),
        in_context=True,
    ),
]
