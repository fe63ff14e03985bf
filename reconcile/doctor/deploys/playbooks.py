"""Ansible's tasks that delete: `synchronize` with `delete`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.doctor.deploys.deletions import Deletion, deletions
from reconcile.doctor.deploys.scripts import Command

if TYPE_CHECKING:
    from yaml import MappingNode, Node

_MODULES = ("synchronize", "ansible.posix.synchronize", "ansible.builtin.synchronize")
_YES = ("yes", "true", "on", "y", "1")


def of_playbook(place: str, text: str) -> Iterator[Deletion]:
    """What the tasks of a playbook delete here; a text that is no YAML says nothing."""
    import yaml

    try:
        # PyYAML may be built without the fast one.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = list(yaml.compose_all(text, Loader=loader))
    except (yaml.YAMLError, RecursionError):
        return
    seen: set[int] = set()
    for node in documents:
        for task in _mappings(node, seen):
            yield from _task(place, task)


def _mappings(node: Node | None, seen: set[int]) -> Iterator[MappingNode]:
    """Every mapping; each once, however often it is named by an alias."""
    import yaml

    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _mappings(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _mappings(value, seen)


def _task(place: str, task: MappingNode) -> Iterator[Deletion]:
    import yaml

    for key, value in task.value:
        if key.value in _MODULES and isinstance(value, yaml.MappingNode):
            said = {_text(name): inner for name, inner in value.value}
            if _text(said.get("delete")).lower() in _YES and _text(said.get("mode")) != "pull":
                yield from _synchronized(f"{place}:{key.start_mark.line + 1}", said)


def _synchronized(place: str, said: dict[str, Node]) -> Iterator[Deletion]:
    """It is rsync by another name."""
    import yaml

    options = said.get("rsync_opts")
    many = options.value if isinstance(options, yaml.SequenceNode) else [options]
    more = map(_text, many)
    words = (
        "rsync",
        "--delete",
        *filter(None, more),
        _text(said.get("src")),
        _text(said.get("dest")),
    )
    yield from deletions(Command(place, words, ""))


def _text(node: Node | None) -> str:
    return node.value if node is not None and isinstance(node.value, str) else ""
