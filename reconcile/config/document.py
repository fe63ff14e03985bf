"""A YAML document as a tree in which every key and value has its position."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

Loc = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""


class Mark(NamedTuple):
    """A position in the file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A scalar (its value), a mapping (its nodes by key) or a list (a tuple of nodes).

    `keys` holds the position of each key of a mapping. A rejected node has an error of its own.
    Validation errors also name steps that are not in the document (the branch of a union): the
    methods skip those steps.
    """

    value: Any
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    is_rejected: bool = False

    def child(self, part: str | int) -> YamlNode | None:
        """The node directly below, None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(part) if isinstance(part, str) else None
        if isinstance(self.value, tuple) and isinstance(part, int) and part < len(self.value):
            child: YamlNode = self.value[part]
            return child
        return None

    def to_python(self) -> Any:
        """The values without their positions; None for what was rejected."""
        if self.is_rejected:
            return None
        if isinstance(self.value, dict):
            return {key: child.to_python() for key, child in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(child.to_python() for child in self.value)
        return self.value

    def existing(self, loc: Loc) -> Loc:
        """The steps of `loc` that are in the document."""
        node, steps = self, list[str | int]()
        for part in loc:
            child = node.child(part)
            if child is not None:
                node = child
                steps.append(part)
        return tuple(steps)

    def deepest(self, loc: Loc) -> YamlNode:
        """The deepest node along `loc`."""
        node = self
        for part in loc:
            node = node.child(part) or node
        return node

    def key_mark(self, loc: Loc) -> Mark:
        """The position of the last key of `loc`; that of the value for an item of a list."""
        steps = self.existing(loc)
        if not steps:
            return self.mark
        return self.deepest(steps[:-1]).keys.get(str(steps[-1]), self.deepest(steps).mark)

    def value_mark(self, loc: Loc) -> Mark:
        """The position to report for `loc`: the value if it is a scalar, else its key."""
        steps = self.existing(loc)
        node = self.deepest(steps)
        is_scalar = steps == loc and not isinstance(node.value, dict | tuple)
        return node.mark if is_scalar else self.key_mark(steps)

    def without(self, locs: Set[Loc], here: Loc = ()) -> YamlNode:
        """The tree without the nodes at `locs`."""
        if isinstance(self.value, dict):
            items = {
                key: child.without(locs, (*here, key))
                for key, child in self.value.items()
                if (*here, key) not in locs
            }
            return replace(self, value=items)
        if isinstance(self.value, tuple):
            children = tuple(
                child.without(locs, (*here, index))
                for index, child in enumerate(self.value)
                if (*here, index) not in locs
            )
            return replace(self, value=children)
        return self
