"""JSON of a host: one object that every reader understands alike, of a size that is bounded."""

from __future__ import annotations

import json

import pytest

from reconcile.fleet.host_json import MOST_VALUES, read_object


def test_an_object_is_read_as_python_reads_it() -> None:
    value = {"a": [1, -2.5, 10**400, "ü\ud800,[{", None, True, {"b": {}}], "NaN": "1e999", "": []}

    assert value == read_object(json.dumps(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[1]",
        '{"a": 1',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        f'{{"a": {"9" * 5000}}}',
        '{"a": 1, "a": 2}',
        '{"b": [{"a": 1, "\\u0061": 2}]}',
        '{"a":' * 61 + "1" + "}" * 61,
        '{"a":' * 500 + "[]" + "}" * 500,
        '{"a":' + "[" * 100_000,
        '{"a": [' + "0," * MOST_VALUES + "0]}",
        '{"a": ' + "[[],[]," * (MOST_VALUES // 4) + "0]}",
        "\ufeff{}",
        "\x1b[2J{}",
    ],
)
def test_any_other_text_is_no_object(text: str) -> None:
    assert read_object(text) is None
