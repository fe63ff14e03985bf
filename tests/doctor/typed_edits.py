"""Fixes that are edits, typed into nginx's files as their words say.

Files have one directive a line, so that the line that a fix names begins with what it is about.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_TAIL = re.compile(
    r"(?:;| inside it| in place of it| in place of what it has)?,? (?:then|preferably|which)\b.*$",
    re.DOTALL,
)
_ROOT = re.compile(r"\b(?:alias|root)\s+[^;]+;")
_ORIGIN = "https://www.shop.example"


def type_edit(path: str, line: int, instruction: str) -> None:
    """Edit one file as a person would who reads the instruction."""
    file = Path(path)
    lines = file.read_text().splitlines(keepends=True)
    before, text = "".join(lines[: line - 1]), "".join(lines[line - 1 :])
    word = _TAIL.sub("", instruction)
    if word.startswith("move it above "):
        file.write_text(_moved(before, text, word.removeprefix("move it above ")))
        return
    for beginning, edit in _EDITS.items():
        if word.startswith(beginning):
            file.write_text(before + edit(text, word.removeprefix(beginning)))
            return


def _above(text: str, directives: str) -> str:
    return f"{_ended(directives)}\n{text}"


def _below(text: str, directives: str) -> str:
    line, newline, rest = text.partition("\n")
    return f"{line}{newline}{_ended(directives)}\n{rest}"


def _without_always(text: str, _: str) -> str:
    return text.replace(" always;", ";", 1)


def _ending_in_404(text: str, _: str) -> str:
    return re.sub(r"(try_files .*) \S+;", r"\1 =404;", text, count=1)


def _with_origin(text: str, _: str) -> str:
    return text.replace(" *", f" {_ORIGIN}", 1)


def _with_one_policy(text: str, directive: str) -> str:
    block, brace, after = text.partition("}")
    others = re.sub(r"(?:expires|add_header Cache-Control) [^;]*;", "", block)
    return _inside(others + brace + after, directive.partition("; and no expires")[0])


def _with_target(text: str, target: str) -> str:
    return re.sub(r"proxy_pass [^;]*;", _ended(f"proxy_pass {target}"), text, count=1)


def _with_root(text: str, directive: str) -> str:
    return _ROOT.sub(_ended(directive), text, count=1)


def _with_alias(text: str, path: str) -> str:
    return _with_root(text, f"alias {path}")


def _with(text: str, directives: str) -> str:
    """Directives in place of those of their name on the line or in its level, else added to it."""
    every = _ended(directives)
    for name in dict.fromkeys(one.split()[0] for one in every.split(";") if one.strip()):
        own = re.findall(rf"{name} [^;]*;", every)
        text = _with_directive(text, name, " ".join(own))
    return text


def _with_directive(text: str, name: str, directives: str) -> str:
    header = rf"{name} {directives.split()[1]} " if name == "add_header" else f"{name} "
    level = re.match(r"[^{}]*(?:\{[^{}]*\})?", text)
    assert level is not None
    if re.search(rf"(?m)^\s*{header}", level[0]):
        return re.sub(rf"(?m)^(\s*){header}[^;]*;", rf"\1{directives}", text, count=1)
    is_block = "{" in text.partition("\n")[0]
    return _inside(text, directives) if is_block else _above(text, directives)


def _inside(text: str, directives: str) -> str:
    head, brace, rest = text.partition("{")
    return f"{head}{brace}\n{_ended(directives)}\n{rest}"


def _ended(directives: str) -> str:
    return directives if directives.endswith(("}", ";")) else f"{directives};"


def _as_location(text: str, word: str) -> str:
    header, _, body = word.partition("{")
    if "…" not in body:
        return f"location {word}{text.partition('}')[2]}"
    own = body.rpartition("…")[0].strip()
    head, _, rest = text.partition("{")
    before = head[: head.rindex("location")]
    block, closing, after = rest.partition("}")
    block = _ROOT.sub("", block, count=1) if _ROOT.search(own) else block
    return f"{before}location {header}{{ {own} {block}{closing}{after}"


def _without(text: str, word: str) -> str:
    """Without what is named, which another place, or a map, takes over."""
    what, _, more = word.partition(", and add ")
    if what == "the if":
        text = re.sub(r"if \([^{]*\{[^}]*\}", "", text, count=1)
    else:
        name = re.split("[:;,]", what)[0].removeprefix("this ")
        name = f"add_header {name}" if name[0].isupper() else name
        text = re.sub(rf"{re.escape(name)}[^;]*;", "", text, count=1)
    if more.startswith("to the http block: "):
        Path("/etc/nginx/conf.d/typed.conf").write_text(more.partition(": ")[2])
    if more.startswith("it to the app's location"):
        text = text.replace("location / {", f"location / {{\n{_ended(what)}", 1)
    return text


def _moved(before: str, text: str, target: str) -> str:
    block, closing, after = text.partition("}")
    at = before.index(target.partition(" (")[0])
    return f"{before[:at]}{block}{closing}\n{before[at:]}{after}"


_PUBLIC = "point the root at a folder that has only public files; meanwhile add, above its regex"
_EDITS: dict[str, Callable[[str, str], str]] = {
    "remove `always` from this line": _without_always,
    "remove ": _without,
    "add beside it: ": _above,
    "add beside this types block: ": _above,
    "add below it: ": _below,
    "end its try_files with ": _ending_in_404,
    "name the origin in place of *": _with_origin,
    "name the types in place of *: ": _with,
    "use one ": _with_one_policy,
    f"{_PUBLIC} locations, ": _inside,
    "add ": _inside,
    "proxy_pass ": _with_target,
    "location ": _as_location,
    "replace root with ": _with_root,
    "alias ": _with_alias,
    "": _with,
}
"""How an instruction begins → what is typed."""
