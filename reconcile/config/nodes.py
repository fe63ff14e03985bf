"""A YAML document as a tree in which every key and value knows its place."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from reconcile.config.diagnostics import Mark
from reconcile.dataclass import dataclass

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Node:
    """A scalar (`value` is it), a mapping (`value` holds nodes by key) or a list of nodes.

    `keys` tells where each key of a mapping stands. A refused node had a fault of its own.
    """

    value: Any
    mark: Mark
    keys: dict[str, Mark] = field(default_factory=dict)
    refused: bool = False

    def child(self, part: str | int) -> Node | None:
        """The node below, None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(part) if isinstance(part, str) else None
        if isinstance(self.value, tuple) and isinstance(part, int) and part < len(self.value):
            found: Node = self.value[part]
            return found
        return None


def plain(node: Node) -> Any:
    """The values without their places; None for what was refused."""
    if node.refused:
        return None
    if isinstance(node.value, dict):
        return {key: plain(below) for key, below in node.value.items()}
    if isinstance(node.value, tuple):
        return tuple(plain(below) for below in node.value)
    return node.value


def real(root: Node, loc: Loc) -> Loc:
    """The part of `loc` that the document has: a model's own steps are left out."""
    node = root
    steps: list[str | int] = []
    for part in loc:
        below = node.child(part)
        if below is not None:
            node = below
            steps.append(part)
    return tuple(steps)


def at(root: Node, loc: Loc) -> Node:
    """The deepest node along `loc` that the document has."""
    node = root
    for part in loc:
        node = node.child(part) or node
    return node


def mark_of(root: Node, loc: Loc) -> Mark:
    """Where the value at `loc` stands, or the nearest thing above that the document has."""
    return at(root, loc).mark


def place_mark(root: Node, loc: Loc) -> Mark:
    """Where a person should look for `loc`: at the value where it is one, else at its key."""
    steps = real(root, loc)
    is_value = steps == loc and not isinstance(at(root, steps).value, dict | tuple)
    return mark_of(root, steps) if is_value else key_mark(root, steps)


def key_mark(root: Node, loc: Loc) -> Mark:
    """Where the key that `loc` ends with stands; its value's place for the item of a list."""
    steps = real(root, loc)
    parent = at(root, steps[:-1])
    return parent.keys.get(str(steps[-1]), mark_of(root, steps)) if steps else root.mark
