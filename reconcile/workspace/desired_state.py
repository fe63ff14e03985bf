"""What a plan needs of a compiled configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.ignore_rules import IgnoredField
from reconcile.engine.merge import merge
from reconcile.engine.model import Conflict, Declared, Finding
from reconcile.engine.moves import Moves
from reconcile.engine.resource import Ref

if TYPE_CHECKING:
    from reconcile.config.compile import CompiledConfig
    from reconcile.config.config import Config


@dataclass(frozen=True)
class DesiredState:
    """Each declared resource once, and the conflicts between its declarations.

    `entries` are those of the YAML, and whether each must not be removed.
    """

    resources: dict[Ref, Declared] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    findings: tuple[Finding, ...] = ()
    moves: Moves = Moves()
    entries: Mapping[str, bool] = field(default_factory=dict)
    ignored: tuple[IgnoredField, ...] = ()


def desired_state(config: Config, compiled: CompiledConfig) -> DesiredState:
    """What `config`, so compiled, desires."""
    resources, conflicts = merge(compiled.declared)
    return DesiredState(
        resources,
        conflicts,
        compiled.findings,
        compiled.moves,
        compiled.entries,
        tuple(_ignore_rules(config)),
    )


def _ignore_rules(config: Config) -> Iterator[IgnoredField]:
    for number, rule in enumerate(config.ignore):
        if rule.field is not None:
            place = config.position_of("ignore", number)
            yield IgnoredField(rule.ref, rule.field, rule.reason, rule.until, place)
