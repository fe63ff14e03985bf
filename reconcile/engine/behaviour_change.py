"""A request whose response a plan changes."""

from __future__ import annotations

from reconcile.dataclass import dataclass


@dataclass(frozen=True)
class Glance:
    """A changed answer in the fewest words: what a visitor of `server` (a URL) sees of it.

    `is_usual` where visitors send such a request; others only try what must not be open.
    """

    server: str
    request: str
    before: str
    after: str
    over: str = ""
    """The IP version, where the other one answers otherwise."""
    was_default: bool = False
    """Whether nginx's default server answered so far, because no other had the name."""
    is_usual: bool = True


@dataclass(frozen=True)
class BehaviourChange:
    """A request whose response changes."""

    request: str
    before: str
    after: str
    glance: Glance | None = None
