"""The YAML while it is put together: its values, and what has to be said beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reconcile.config.document import Loc


@dataclass(frozen=True)
class Note:
    """What the YAML cannot say; `place` is where it stands on the host."""

    place: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.place})" if self.place else self.what


@dataclass
class Draft:
    """Values as the YAML will hold them; `remarks` become comments above the key at their place."""

    values: dict[str, Any] = field(default_factory=lambda: {"version": 1})
    remarks: dict[Loc, list[str]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    incomplete: bool = False
    """Whether something could not be read, or differs all the same."""

    def section(self, name: str) -> dict[str, Any]:
        """A section of the file, made when first needed."""
        found: dict[str, Any] = self.values.setdefault(name, {})
        return found

    @property
    def sites(self) -> dict[str, Any]:
        return self.section("sites")

    @property
    def paths(self) -> dict[str, Any]:
        return self.section("paths")

    def remark(self, loc: Loc, text: str) -> None:
        lines = self.remarks.setdefault(loc, [])
        if text not in lines:
            lines.append(text)

    def tell(self, place: str, what: str, fix: str = "", at: Loc | None = None) -> None:
        """A note for whoever runs the command and, with `at`, a comment for whoever reads on."""
        note = Note(place, what, fix)
        if note not in self.notes:
            self.notes.append(note)
        if at is not None:
            self.remark(at, f"{note}. {fix}" if fix else f"{note}.")

    def failed(self, place: str, what: str, fix: str = "", at: Loc | None = None) -> None:
        """The same of something that keeps this from being the whole truth."""
        self.incomplete = True
        self.tell(place, what, fix, at)

    def has(self, loc: Loc) -> bool:
        return value_at(loc, self.values) is not None

    def drop(self, loc: Loc) -> None:
        """Take out the value at `loc`, and every mapping or list that is empty without it."""
        above: Any = self.values
        for part in loc[:-1]:
            above = above[part]
        del above[loc[-1]]
        for known in [known for known in self.remarks if known[: len(loc)] == loc]:
            # A remark on what is gone stays, at what it was a part of.
            self.remarks.setdefault(loc[:-1], []).extend(self.remarks.pop(known))
        if not above and len(loc) > 1:
            self.drop(loc[:-1])


def value_at(loc: Loc, values: Any) -> Any:
    """The value there; None where there is none."""
    for part in loc:
        if isinstance(values, list):
            values = values[part] if isinstance(part, int) and part < len(values) else None
        else:
            values = values.get(part) if isinstance(values, dict) else None
    return values
