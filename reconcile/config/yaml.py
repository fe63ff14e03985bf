"""Reads YAML into a tree with positions; aliases, tags and merge keys are rejected.

The composers and constructors of YAML libraries follow aliases, overflow the stack on deep
nesting and convert `no`, `22:22` and `0755` to other types; none of them is used here.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any, Protocol

import yaml
from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from reconcile.config.config_file import MAX_BYTES
from reconcile.config.diagnostics import ConfigErrors, Diagnostic
from reconcile.config.document import Mark, YamlNode
from reconcile.config.fields.field_type import UnquotedOctal, code_point, quote_text

MAX_DEPTH = 32

_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})", re.ASCII)
_OCTAL = re.compile(r"0o?[0-7]+", re.ASCII)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_NULLABLE = frozenset({"access"})
_WITH_NULL_ENTRIES = frozenset({"headers"})
"""Where `null` means more than a missing key: it takes away what would apply otherwise."""
_BOOLEANS = {"true": True, "false": False}

_HINTS = {
    r"character '\t'": "indent with spaces, not tabs",
    "expected <block end>": "indent all keys of a mapping equally",
    "mapping values are not": "check the indentation, and quote a text that contains a colon",
}
"""The usual correction, by a part of the parser's message."""

# What YAML forbids, and line separators that only some parsers know: a comment would end there
# for the parser, but not on the screen.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]"
)
# Control characters of escape sequences, and those that change the text direction.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)


# Tabs that separate, byte order marks, question marks inside of a flow collection.
_READ_DIFFERENTLY = re.compile("[\t\ufeff?]")


def can_hold(text: str) -> bool:
    """Whether a value of a file can be that text."""
    return not (_FORBIDDEN.search(text) or _INVISIBLE.search(text))


class _Events(Protocol):
    """What both of PyYAML's parsers offer."""

    def get_event(self) -> Any:
        """The next event."""

    def peek_event(self) -> Any:
        """The next event, which stays the next one."""

    def check_event(self, *choices: type) -> bool:
        """Whether the next event is one of these."""


class _PythonEvents(Reader, Scanner, Parser):
    """The events of the parser in Python, whose errors and positions are the ones reported."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


class _UnreadableYaml(Exception):
    """An error after which the rest cannot be read."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def read(data: bytes, file: str) -> tuple[YamlNode, tuple[Diagnostic, ...]]:
    """The tree of one document, and the errors of the parts that were rejected.

    Errors: ConfigErrors where the bytes are not a YAML document.
    """
    reader = _DocumentReader(file)
    try:
        text = _decode(data, file)
        root = _read_valid(text, file) or reader.read_explained(_PythonEvents(text))
    except _UnreadableYaml as error:
        raise ConfigErrors(file, [*reader.errors, error.diagnostic]) from None
    return root, tuple(reader.errors)


def _read_valid(text: str, file: str) -> YamlNode | None:
    """The same tree by libyaml, which is ten times as fast.

    None where libyaml is missing or might differ: in errors, and in what it reads beyond YAML.
    """
    if not yaml.__with_libyaml__ or _READ_DIFFERENTLY.search(text):
        return None
    reader = _DocumentReader(file)
    with suppress(_UnreadableYaml, yaml.YAMLError, ValueError, OverflowError):
        root = reader.read_document(yaml.CBaseLoader(text))
        return None if reader.errors else root
    return None


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _UnreadableYaml(Diagnostic(file, 1, 1, "the file is larger than 1 MiB"))
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        mark = _position(data[: error.start].decode("utf-8"))
        message = f"the byte 0x{data[error.start]:02X} is not UTF-8"
        raise _UnreadableYaml(Diagnostic(file, *mark, message, "save the file as UTF-8")) from None
    found = _FORBIDDEN.search(text)
    if found:
        message = f"the control character {code_point(found[0])} is not allowed"
        raise _UnreadableYaml(Diagnostic(file, *_position(text[: found.start()]), message))
    return text


def _position(before: str) -> Mark:
    lines = re.split("\r\n|\r|\n", before)
    return Mark(len(lines), len(lines[-1]) + 1)


class _DocumentReader:
    """Builds the nodes of one file from its events, and collects errors."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.errors: list[Diagnostic] = []

    def read_explained(self, events: _PythonEvents) -> YamlNode:
        """The root of the only document. Errors: _UnreadableYaml."""
        try:
            return self.read_document(events)
        except yaml.MarkedYAMLError as error:
            mark = _mark(error.problem_mark or error.context_mark)
            raise self._unreadable(mark, *_explain(error, mark)) from None
        except (ValueError, OverflowError):
            # An escape beyond Unicode, a %YAML version of 5,000 digits.
            message = "invalid YAML: a number is out of range"
            raise self._unreadable(_mark(events.get_mark()), message) from None

    def read_document(self, events: _Events) -> YamlNode:
        """The root of the only document. Errors: _UnreadableYaml, and those of the parser."""
        events.get_event()
        if not events.check_event(yaml.DocumentStartEvent):
            raise self._unreadable(Mark(1, 1), "the file is empty", "begin with `version: 1`")
        events.get_event()
        root = self._node(events, depth=1)
        events.get_event()
        if not events.check_event(yaml.StreamEndEvent):
            mark = _mark(events.peek_event().start_mark)
            raise self._unreadable(
                mark, "a second document begins here", "use one document per file"
            )
        if not isinstance(root.value, dict):
            raise self._unreadable(
                root.mark, "the file is not a mapping", "begin with `version: 1`"
            )
        return root

    def _node(self, events: _Events, depth: int, name: str = "") -> YamlNode:
        """The next node; `name` is its key, "" for an item of a list."""
        event = events.get_event()
        mark = _mark(event.start_mark)
        if depth > MAX_DEPTH:
            raise self._unreadable(mark, f"nested deeper than {MAX_DEPTH} levels")
        is_rejected = self._rejects(event, mark)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, mark, depth, is_rejected, name)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, mark, depth, is_rejected)
        value = None if isinstance(event, AliasEvent) else resolve(event.value, _is_plain(event))
        return YamlNode(value, mark, is_rejected=is_rejected)

    def _sequence(self, events: _Events, mark: Mark, depth: int, is_rejected: bool) -> YamlNode:
        items = []
        while not events.check_event(yaml.SequenceEndEvent):
            items.append(self._value(self._node(events, depth + 1), "an item of this list"))
        events.get_event()
        return YamlNode(tuple(items), mark, is_rejected=is_rejected)

    def _mapping(
        self, events: _Events, mark: Mark, depth: int, is_rejected: bool, name: str
    ) -> YamlNode:
        items: dict[str, YamlNode] = {}
        keys: dict[str, Mark] = {}
        while not events.check_event(yaml.MappingEndEvent):
            event = events.peek_event()
            key, key_mark = self._key(events, depth), _mark(event.start_mark)
            is_empty = getattr(events.peek_event(), "value", "") == ""
            value = self._node(events, depth + 1, key or "")
            if is_empty or not (name in _WITH_NULL_ENTRIES or key in _NULLABLE):
                value = self._value(value, quote_text(key or ""))
            if key is None:
                continue
            if key in keys:
                first = keys[key]
                message = f"duplicate key {quote_text(key)} (first defined on line {first.line})"
                self._error(key_mark, message)
                continue
            items[key], keys[key] = value, key_mark
        events.get_event()
        return YamlNode(items, mark, keys, is_rejected)

    def _key(self, events: _Events, depth: int) -> str | None:
        """The key's text, None where it is rejected."""
        event = events.peek_event()
        node = self._node(events, depth + 1)
        if node.is_rejected:
            return None
        if not isinstance(event, ScalarEvent):
            self._error(node.mark, "a key has to be a scalar")
            return None
        if _is_plain(event) and event.value == "<<":
            self._error(node.mark, "merge keys are not allowed", "write the keys out")
            return None
        return str(event.value)

    def _value(self, node: YamlNode, what: str) -> YamlNode:
        if node.value is None and not node.is_rejected:
            self._error(node.mark, f"{what} has no value", "set one, or remove it")
            return YamlNode(None, node.mark, is_rejected=True)
        return node

    def _rejects(self, event: Any, mark: Mark) -> bool:
        before = len(self.errors)
        if isinstance(event, AliasEvent):
            self._error(mark, f"the alias *{event.anchor} is not allowed", "write the value out")
        elif event.anchor is not None:
            self._error(mark, f"the anchor &{event.anchor} is not allowed", "remove it")
        if getattr(event, "tag", None) is not None:
            self._error(mark, f"the tag {quote_text(event.tag)} is not allowed", "remove it")
        if isinstance(event, ScalarEvent) and (found := _INVISIBLE.search(event.value)):
            self._error(mark, f"the text contains {code_point(found[0])}, an invisible character")
        return len(self.errors) > before

    def _error(self, mark: Mark, message: str, hint: str = "") -> None:
        self.errors.append(Diagnostic(self.file, mark.line, mark.column, message, hint))

    def _unreadable(self, mark: Mark, message: str, hint: str = "") -> _UnreadableYaml:
        return _UnreadableYaml(Diagnostic(self.file, mark.line, mark.column, message, hint))


def resolve(text: str, is_plain: bool) -> Any:
    """The value of a scalar: an integer, a boolean, None, or else the text itself.

    YAML 1.2's rules for the types of JSON: `no`, `22:22`, dates and `1.0` are texts.
    """
    if not is_plain:
        return text
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return UnquotedOctal(text)
    return _BOOLEANS.get(text, text)


def _explain(error: yaml.MarkedYAMLError, mark: Mark) -> tuple[str, str]:
    """The parser's message, with the line where the error began, and the usual correction."""
    context, problem, start = error.context, error.problem or "", error.context_mark
    if context and start and _mark(start).line != mark.line:
        context += f" that begins on line {_mark(start).line}"
    hint = next((hint for part, hint in _HINTS.items() if part in problem), "")
    return f"invalid YAML: {' '.join(filter(None, (context, problem)))}", hint


def _is_plain(event: ScalarEvent) -> bool:
    return not event.style  # libyaml: "" for an empty one


def _mark(mark: yaml.Mark | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
