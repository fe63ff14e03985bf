"""The folder of saved plans can be kept and passed on: it holds no text of a file."""

from __future__ import annotations

import json

from reconcile.fleet.saved_document import without_texts


def test_texts_are_kept_as_their_digests_and_equal_ones_stay_equal() -> None:
    change = {"before": None, "after": {"content": "hunter2", "mode": "0600", "unit": "x" * 300}}
    item = {"address": "file:/etc/a", "change": change}
    document = {"resource_changes": [item, item], "findings": ["hunter2"], "summary": {"add": 2}}

    kept = without_texts(document)

    assert "hunter2" not in json.dumps(kept)
    assert "xxx" not in json.dumps(kept)
    first, second = kept["resource_changes"]
    assert (first, "file:/etc/a", "0600") == (
        second,
        first["address"],
        first["change"]["after"]["mode"],
    )
    assert {"add": 2} == kept["summary"]


def test_any_document_of_a_host_is_kept() -> None:
    for changes in (None, 3, "x", [None, [1, "\ud800" * 300], {"content": "\ud800"}]):
        json.dumps(without_texts({"resource_changes": changes}))
