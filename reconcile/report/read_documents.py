"""Reading the documents that a report is made of: JSON of one host or of many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from posixpath import basename
from typing import Any

from pydantic import ValidationError

from reconcile.errors import ReconcileError
from reconcile.report.host_document import DONE, KNOWN, MOST_BYTES, ErrorPart, HostDocument
from reconcile.wording import first_few


def read_documents(data: bytes, name: str) -> list[HostDocument]:
    """The documents in a file: one, those of a fleet, or the events of one apply.

    Errors: ReconcileError for anything else.
    """
    if len(data) > MOST_BYTES:
        raise _unreadable(
            name, f"it has more than {MOST_BYTES >> 20} MiB", "Pass one file per host."
        )
    try:
        return list(_documents(_parsed(data), name))
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise _unreadable(name, first_few(reasons)) from None
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, str(error) or "it is nested too deeply") from None


def failed_document(name: str, error: ReconcileError) -> HostDocument:
    """A document for a file that could not be read, so that the page shows its host as unknown."""
    part = ErrorPart(what=error.what, why=error.why, fix=error.fix)
    return HostDocument(format_version="1.0", host=_host_of(name), state="unknown", error=part)


def _host_of(name: str) -> str:
    """The host that a file is named after."""
    return basename(name).removesuffix(".json") or name


def _unreadable(name: str, why: str, fix: str = "") -> ReconcileError:
    return ReconcileError(
        f"{name} cannot be shown",
        why,
        fix or "Pass what plan, drift, verify, doctor, history or apply print with --json.",
    )


def _parsed(data: bytes) -> list[dict[str, Any]]:
    """The object of the file, or the objects of its lines."""
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        found = _objects(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not all(isinstance(one, dict) for one in found):
        raise ValueError("it is not a JSON object")
    return found


def _objects(text: str) -> list[Any]:
    try:
        return [json.loads(text)]
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _documents(objects: Sequence[dict[str, Any]], name: str) -> Iterator[HostDocument]:
    if len(objects) > 1 and any(one.get("type") == "summary" for one in objects):
        yield _apply_document(objects)
        return
    for one in objects:
        if isinstance(one.get("hosts"), dict):
            yield from _fleet_documents(one, name)
        else:
            yield _document(one, name)


def _document(found: dict[str, Any], name: str) -> HostDocument:
    if not any(key in found for key in KNOWN):
        raise ValueError("it is JSON, but not a document of a host")
    if found.get("type") == "summary":
        return _apply_document([found])
    # An error knows no host.
    return HostDocument.model_validate({"host": _host_of(name), **found})


def _apply_document(events: Sequence[dict[str, Any]]) -> HostDocument:
    """What is left of a plan after its apply: nothing where that succeeded."""
    [summary] = [one for one in events if one.get("type") == "summary"][-1:]
    changes = [one.get("change") for one in events if one.get("type") == "planned_change"]
    left = [] if summary.get("result") in DONE else changes
    state = {"state": ""} if left else {}
    return HostDocument.model_validate({**summary, **state, "resource_changes": left})


def _fleet_documents(fleet: dict[str, Any], name: str) -> Iterator[HostDocument]:
    common: dict[str, Any] = {
        key: fleet[key] for key in ("format_version", "timestamp") if key in fleet
    }
    for host, entry in fleet["hosts"].items():
        if not isinstance(entry, dict):
            raise ValueError(f"hosts.{host} is not an object")
        document = entry.get("document")
        if isinstance(document, dict) and any(key in document for key in KNOWN):
            yield _document({**common, **document, "host": host}, name)
        else:
            state = str(entry.get("state", "unknown")).replace("_", " ").capitalize()
            error = {"what": f"{state}: {entry.get('problem') or 'no answer'}"}
            yield HostDocument.model_validate({**common, "host": host, "error": error})
