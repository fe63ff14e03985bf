"""The JSON Schema of every document, from the models that write it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from reconcile.output import adopt, doctor, documents, explain_documents

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DOCUMENTS: dict[str, Any] = {
    "plan": documents.PlanDocument,
    "drift": documents.DriftDocument,
    "apply": documents.ApplyLine,
    "verify": documents.VerifyDocument,
    "history": documents.HistoryDocument,
    "schedule": documents.ScheduleDocument,
    "state": documents.StateDocument,
    "doctor": doctor.DoctorDocument,
    "adopt": adopt.AdoptDocument,
    "validate": documents.ValidationDocument,
    "explain": explain_documents.ExplainDocument,
    "graph": documents.GraphDocument,
    "written": documents.WrittenDocument,
    "demo": documents.DemoDocument,
    "error": documents.ErrorDocument,
    "log": documents.LogLine,
}


def output_schemas() -> dict[str, dict[str, Any]]:
    """Name → schema of everything that `--json` prints."""
    return {name: _schema(name, document) for name, document in _DOCUMENTS.items()}


def _schema(name: str, document: Any) -> dict[str, Any]:
    made = TypeAdapter(document).json_schema(mode="serialization")
    return {"$schema": DIALECT, "title": f"reconcile {name}"} | made


def schema_text(schema: dict[str, Any]) -> str:
    """`schema` as it stands in schemas/: the same bytes for the same models."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
