"""Reads YAML by its events: no aliases, no tags, no surprises, and every value keeps its place.

The composers and constructors of YAML libraries follow aliases, overflow the stack on deep
nesting and take `no`, `22:22` and `0755` for something else; none of them is used here.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from reconcile.config.diagnostics import Diagnostic, Mark, SpecErrors
from reconcile.config.nodes import Node
from reconcile.config.values.written import Octal, code_point, quoted

LARGEST_BYTES = 1024 * 1024
DEEPEST = 32

_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})", re.ASCII)
_OCTAL = re.compile(r"0o?[0-7]+", re.ASCII)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "false": False}

_HINTS = {
    r"character '\t'": "indent with spaces, never with tabs",
    "expected <block end>": "indent keys of one mapping alike",
    "mapping values are not": "look at the indentation, and quote a text that holds a colon",
}
"""What usually helps, by a part of what the parser complains of."""

# What YAML forbids, and what only some readers take for the end of a line: a comment would
# end there for the parser and go on for a person's eye.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]"
)
# Control characters that an escape can bring in, and those that turn the reading direction.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


def can_hold(text: str) -> bool:
    """Whether a value of the file can be that text."""
    return not (_FORBIDDEN.search(text) or _UNSEEN.search(text))


class _Events(Reader, Scanner, Parser):
    """The parser's events, of the pure-Python loader: the one in C can be made to crash."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def advance(self) -> Any:
        return self.get_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it

    def upcoming(self) -> Any:
        return self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it


class _UnreadableError(Exception):
    """A fault after which nothing more can be read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def read(data: bytes, file: str) -> tuple[Node, tuple[Diagnostic, ...]]:
    """The tree of one document, and the faults of those parts that were refused.

    Errors: SpecErrors where the bytes are no YAML document at all.
    """
    reader = _DocumentReader(file)
    try:
        root = reader.document(_Events(_decoded(data, file)))
    except _UnreadableError as error:
        raise SpecErrors(file, [*reader.faults, error.diagnostic]) from None
    return root, tuple(reader.faults)


def _decoded(data: bytes, file: str) -> str:
    if len(data) > LARGEST_BYTES:
        raise _UnreadableError(Diagnostic(file, 1, 1, "the file is larger than 1 MiB"))
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        mark = _position(data[: error.start].decode("utf-8"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise _UnreadableError(Diagnostic(file, *mark, message, "save the file as UTF-8")) from None
    found = _FORBIDDEN.search(text)
    if found:
        message = f"the control character {code_point(found[0])} is not allowed"
        raise _UnreadableError(Diagnostic(file, *_position(text[: found.start()]), message))
    return text


def _position(before: str) -> Mark:
    lines = re.split("\r\n|\r|\n", before)
    return Mark(len(lines), len(lines[-1]) + 1)


class _DocumentReader:
    """Turns the events of one file into nodes, and collects what it refuses."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Diagnostic] = []

    def document(self, events: _Events) -> Node:
        try:
            return self._document(events)
        except yaml.MarkedYAMLError as error:
            mark = _mark(error.problem_mark or error.context_mark)
            raise self._unreadable(mark, *_not_yaml(error, mark)) from None
        except (ValueError, OverflowError):
            # An escape beyond Unicode, a %YAML version of 5,000 digits.
            message = "not YAML: a number here is out of range"
            raise self._unreadable(_mark(events.get_mark()), message) from None

    def _document(self, events: _Events) -> Node:
        events.advance()
        if not events.check_event(yaml.DocumentStartEvent):
            raise self._unreadable(Mark(1, 1), "the file is empty", "begin with `version: 1`")
        events.advance()
        root = self._node(events, depth=1)
        events.advance()
        if not events.check_event(yaml.StreamEndEvent):
            mark = _mark(events.upcoming().start_mark)
            raise self._unreadable(mark, "a second document begins here", "keep to one document")
        if not isinstance(root.value, dict):
            raise self._unreadable(
                root.mark, "the file has to be a mapping", "begin with `version: 1`"
            )
        return root

    def _node(self, events: _Events, depth: int) -> Node:
        event = events.advance()
        mark = _mark(event.start_mark)
        if depth > DEEPEST:
            raise self._unreadable(mark, f"nested deeper than {DEEPEST} levels")
        refused = self._refuses(event, mark)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, mark, depth, refused)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, mark, depth, refused)
        value = None if isinstance(event, AliasEvent) else resolve(event.value, _is_plain(event))
        return Node(value, mark, refused=refused)

    def _sequence(self, events: _Events, mark: Mark, depth: int, refused: bool) -> Node:
        items = []
        while not events.check_event(yaml.SequenceEndEvent):
            items.append(self._value(self._node(events, depth + 1), "an item of this list"))
        events.advance()
        return Node(tuple(items), mark, refused=refused)

    def _mapping(self, events: _Events, mark: Mark, depth: int, refused: bool) -> Node:
        items: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not events.check_event(yaml.MappingEndEvent):
            event = events.upcoming()
            key, key_mark = self._key(events, depth), _mark(event.start_mark)
            value = self._value(self._node(events, depth + 1), quoted(key or ""))
            if key is None:
                continue
            if key in keys:
                first = keys[key]
                self._fault(key_mark, f"{quoted(key)} stands twice; first in line {first.line}")
                continue
            items[key], keys[key] = value, key_mark
        events.advance()
        return Node(items, mark, keys, refused)

    def _key(self, events: _Events, depth: int) -> str | None:
        """The key's text, None where it is refused."""
        event = events.upcoming()
        node = self._node(events, depth + 1)
        if node.refused:
            return None
        if not isinstance(event, ScalarEvent):
            self._fault(node.mark, "a key has to be a plain text")
            return None
        if _is_plain(event) and event.value == "<<":
            self._fault(node.mark, "merge keys are not allowed", "write the keys out")
            return None
        return str(event.value)

    def _value(self, node: Node, what: str) -> Node:
        if node.value is None and not node.refused:
            self._fault(node.mark, f"{what} has no value", "give it one, or leave it out")
            return Node(None, node.mark, refused=True)
        return node

    def _refuses(self, event: Any, mark: Mark) -> bool:
        before = len(self.faults)
        if isinstance(event, AliasEvent):
            self._fault(mark, f"the alias *{event.anchor} is not allowed", "write the value out")
        elif event.anchor is not None:
            self._fault(mark, f"the anchor &{event.anchor} is not allowed", "leave it out")
        if getattr(event, "tag", None) is not None:
            self._fault(mark, f"the tag {quoted(event.tag)} is not allowed", "leave it out")
        if isinstance(event, ScalarEvent) and (unseen := _UNSEEN.search(event.value)):
            self._fault(mark, f"the text holds {code_point(unseen[0])}, which cannot be shown")
        return len(self.faults) > before

    def _fault(self, mark: Mark, message: str, hint: str = "") -> None:
        self.faults.append(Diagnostic(self.file, mark.line, mark.column, message, hint))

    def _unreadable(self, mark: Mark, message: str, hint: str = "") -> _UnreadableError:
        return _UnreadableError(Diagnostic(self.file, mark.line, mark.column, message, hint))


def resolve(written: str, is_plain: bool) -> Any:
    """The value of a scalar: an integer, true or false, nothing (None), else a text as it stands.

    YAML 1.2's rules for JSON's types: `no`, `22:22`, dates and `1.0` are texts.
    """
    if not is_plain:
        return written
    if written in _NULLS:
        return None
    if _INTEGER.fullmatch(written):
        return int(written)
    if _OCTAL.fullmatch(written):
        return Octal(written)
    return _BOOLEANS.get(written, written)


def _not_yaml(error: yaml.MarkedYAMLError, mark: Mark) -> tuple[str, str]:
    """What the parser says, with the line where it began to go wrong, and what usually helps."""
    context, problem, began = error.context, error.problem or "", error.context_mark
    if context and began and _mark(began).line != mark.line:
        context += f" that begins in line {_mark(began).line}"
    hint = next((hint for sign, hint in _HINTS.items() if sign in problem), "")
    return f"not YAML: {' '.join(filter(None, (context, problem)))}", hint


def _is_plain(event: ScalarEvent) -> bool:
    return event.style is None


def _mark(mark: yaml.Mark | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
