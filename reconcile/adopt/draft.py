"""The YAML under construction: its values, comments and notes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from reconcile.config.document import Loc
from reconcile.nginx.model.config_tree import Directive
from reconcile.output.adoption import AdoptNote


@dataclass
class Draft:
    """The values of the YAML; `comments` are written above the key at their position."""

    values: dict[str, Any] = field(default_factory=lambda: {"version": 1})
    comments: dict[Loc, list[str]] = field(default_factory=dict)
    notes: list[AdoptNote] = field(default_factory=list)
    incomplete: bool = False
    """Whether something could not be read, or still differs."""

    def section(self, name: str) -> dict[str, Any]:
        """The mapping of a section, created on first use."""
        found: dict[str, Any] = self.values.setdefault(name, {})
        return found

    @property
    def sites(self) -> dict[str, Any]:
        """The mapping of `sites`."""
        return self.section("sites")

    @property
    def paths(self) -> dict[str, Any]:
        """The mapping of `paths`."""
        return self.section("paths")

    def add_comment(self, loc: Loc, text: str) -> None:
        """Write `text` above the key at `loc`, once; at () it starts the file."""
        lines = self.comments.setdefault(loc, [])
        if text not in lines:
            lines.append(text)

    def add_note(self, place: str, what: str, fix: str = "", at: Loc | None = None) -> None:
        """Add a note for the user and, with `at`, a comment in the file."""
        note = AdoptNote(place, what, fix)
        if note not in self.notes:
            self.notes.append(note)
        if at is not None:
            self.add_comment(at, f"{note}. {fix}" if fix else f"{note}.")

    def note_directives(
        self,
        directives: Iterable[Directive],
        covered: re.Pattern[str],
        where: str,
        place: str,
        at: Loc,
    ) -> None:
        """Note those directives of a location that no key of the YAML covers."""
        texts = (" ".join([one.name, *one.args]) for one in directives)
        if rest := [text for text in texts if not covered.match(text)]:
            what = f"{where} has directives that the YAML cannot express: {'; '.join(rest)}"
            self.add_note(place, what, "They remain in the adopted file.", at=at)

    def add_error(self, place: str, what: str, fix: str = "", at: Loc | None = None) -> None:
        """Add a note that makes the draft incomplete."""
        self.incomplete = True
        self.add_note(place, what, fix, at)

    def has(self, loc: Loc) -> bool:
        """Whether there is a value at `loc`."""
        return value_at(loc, self.values) is not None

    def drop(self, loc: Loc) -> None:
        """Remove the value at `loc`, and every mapping or list that becomes empty."""
        above: Any = self.values
        for part in loc[:-1]:
            above = above[part]
        del above[loc[-1]]
        for known in [known for known in self.comments if known[: len(loc)] == loc]:
            # Comments of a removed value move to its parent.
            self.comments.setdefault(loc[:-1], []).extend(self.comments.pop(known))
        if not above and len(loc) > 1:
            self.drop(loc[:-1])


def value_at(loc: Loc, values: Any) -> Any:
    """The value at `loc`; None where there is none."""
    for part in loc:
        if isinstance(values, list):
            values = values[part] if isinstance(part, int) and part < len(values) else None
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values
