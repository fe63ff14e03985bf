"""What of a host's plan is kept with the saved plans: all that its group needs, but no text."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

KEPT = ("resource_changes", "behaviour_changes", "summary")
LONGEST_VALUE = 200


def without_texts(document: Mapping[str, Any]) -> dict[str, Any]:
    """The changes of a plan, with the digests of texts: a file's content may be a secret."""
    kept = {key: document[key] for key in KEPT if key in document}
    changes = kept.get("resource_changes")
    if isinstance(changes, list):
        kept["resource_changes"] = [_without_text(one) for one in changes]
    return kept


def _without_text(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _without_text(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_text(one) for one in value]
    if isinstance(value, str) and (key == "content" or len(value) > LONGEST_VALUE):
        return f"sha256:{sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return value
