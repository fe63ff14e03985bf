"""Writes a draft as readable YAML: comments, short lines, correct quoting."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconcile.config.document import Loc
from reconcile.config.yaml import resolve
from reconcile.output.escape import printable

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.:@+=-]*", re.ASCII)
_STEP = "  "

Comments = Mapping[Loc, Sequence[str]]


def yaml_text(values: Mapping[str, Any], comments: Comments) -> str:
    """Return the file's text. Comments go above their key; those at () start the file."""
    head = [line for comment in comments.get((), ()) for line in _comment(comment, "")]
    return "\n".join([*head, *_mapping(values, comments, ())]) + "\n"


def _mapping(values: Mapping[str, Any], comments: Comments, loc: Loc) -> Iterator[str]:
    indent = _STEP * len(loc)
    for key, value in values.items():
        here = (*loc, key)
        is_part = not loc or (loc == ("sites",) and isinstance(value, dict))
        if is_part and key != next(iter(values)):
            yield ""
        for comment in comments.get(here, ()):
            yield from _comment(comment, indent)
        yield from _entry(f"{indent}{scalar(key)}:", value, comments, here)


def _entry(start: str, value: Any, comments: Comments, loc: Loc) -> Iterator[str]:
    short = f"{start} {_flow(value)}"
    has_inner_comments = any(known[: len(loc)] == loc and known != loc for known in comments)
    in_one_line = not has_inner_comments and _fits_one_line(value) and len(short) <= _WIDTH
    if isinstance(value, str) and _fits_block(value):
        yield from _block(start, value, _STEP * len(loc))
    elif in_one_line or not isinstance(value, dict | list):
        yield short
    elif isinstance(value, dict):
        yield start
        yield from _mapping(value, comments, loc)
    else:
        yield start
        yield from _items(value, comments, loc)


def _items(values: Sequence[Any], comments: Comments, loc: Loc) -> Iterator[str]:
    indent = _STEP * len(loc)
    for index, value in enumerate(values):
        for comment in comments.get((*loc, index), ()):
            yield from _comment(comment, indent)
        yield f"{indent}- {_flow(value)}"


def _fits_one_line(value: Any) -> bool:
    """Whether it may be written on one line: scalars, or one level of nesting."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return all(
        not isinstance(one, dict | list) or (isinstance(value, dict) and _holds_scalars(one))
        for one in inner
    ) and not any(isinstance(one, str) and "\n" in one for one in inner)


def _holds_scalars(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value
    return not any(isinstance(one, dict | list) for one in inner)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)


def scalar(value: object) -> str:
    """Quote a scalar so that it is read back unchanged anywhere in the file."""
    if value is None:
        return "null"
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    text = str(value)
    is_plain = _PLAIN.fullmatch(text) and not text.endswith(":") and resolve(text, True) is text
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _fits_block(text: str) -> bool:
    """Whether a literal block preserves it: several lines, at most one line break at the end."""
    return "\n" in text and text != "\n" and not text.endswith("\n\n")


def _block(start: str, text: str, indent: str) -> Iterator[str]:
    """Yield the text as a literal block."""
    first = next((line for line in text.split("\n") if line), "")
    # A text that begins with a space needs an explicit indentation indicator.
    deeper = str(len(_STEP)) if first[:1].isspace() else ""
    yield f"{start} |{deeper}{'' if text.endswith(chr(10)) else '-'}"
    for line in text.removesuffix("\n").split("\n"):
        yield f"{indent}{line}" if line else ""


def _comment(text: str, indent: str) -> Iterator[str]:
    """Yield comment lines; control characters are escaped, so that none ends the comment."""
    for line in text.split("\n"):
        shown = printable(line)
        room = max(_WIDTH - len(indent) - 2, 40)
        wrapped = textwrap.wrap(shown, room, break_long_words=False, break_on_hyphens=False)
        for part in wrapped or [""]:
            yield f"{indent}# {part}".rstrip()
