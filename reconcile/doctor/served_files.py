"""The files that visitors can get at a location, by their ending."""

from __future__ import annotations

from posixpath import splitext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.location_mapping import LocationMapping


def visible_files(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    """The files of a location, hidden ones left out, relative to its folder."""
    found = inspection.inventory(mapping.path)
    items = found.of_kind("file") if found else ()
    return [item.path for item in items if not item.is_hidden]


def files_by_ending(inspection: HostInspection, mapping: LocationMapping) -> dict[str, list[str]]:
    """Ending, in lower case and without its dot → the files that have it; "" for none."""
    by_ending: dict[str, list[str]] = {}
    for path in visible_files(inspection, mapping):
        by_ending.setdefault(splitext(path)[1].lower().removeprefix("."), []).append(path)
    return by_ending
