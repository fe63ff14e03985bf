"""The JSON Schemas of all documents, generated from their models."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from reconcile.output import (
    adoption,
    apply_events,
    command_documents,
    documents,
    explain_documents,
    findings,
    history_documents,
    reading_documents,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENTS: dict[str, Any] = {
    "plan": documents.PlanDocument,
    "drift": documents.DriftDocument,
    "reading": reading_documents.ReadingDocument,
    "apply": apply_events.ApplyEvent,
    "verify": documents.VerifyDocument,
    "confirm": documents.ConfirmDocument,
    "hold": documents.HoldDocument,
    "history": history_documents.HistoryDocument,
    "history-show": history_documents.AppliedDocument,
    "schedule": command_documents.ScheduleDocument,
    "state": command_documents.StateDocument,
    "doctor": findings.DoctorDocument,
    "adopt": adoption.AdoptDocument,
    "validate": documents.ValidationDocument,
    "explain": explain_documents.ExplainDocument,
    "graph": command_documents.GraphDocument,
    "render": command_documents.RenderDocument,
    "written": command_documents.WrittenDocument,
    "demo": command_documents.DemoDocument,
    "error": documents.ErrorDocument,
    "log": apply_events.LogEntry,
}


def output_schemas() -> dict[str, dict[str, Any]]:
    """Map names to the schemas of everything that `--json` prints."""
    return {name: document_schema(name, document) for name, document in _DOCUMENTS.items()}


def document_schema(name: str, document: Any) -> dict[str, Any]:
    """Return the schema of one document."""
    schema = TypeAdapter(document).json_schema(mode="serialization")
    return {"$schema": DIALECT, "title": f"reconcile {name}"} | schema


def schema_text(schema: dict[str, Any]) -> str:
    """Format a schema as in schemas/: the same bytes for the same models."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
