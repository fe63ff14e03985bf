"""YAML is parsed to values with positions, and ambiguous parts are rejected."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.config.diagnostics import ConfigErrors
from reconcile.config.yaml import MAX_BYTES, MAX_DEPTH, read, resolve
from tests.support.yaml_examples import SMALLEST, errors_in

REFUSED = {
    "an empty file": (b"", "1:1: the file is empty (begin with `version: 1`)"),
    "only a comment": (b"# nothing\n", "1:1: the file is empty (begin with `version: 1`)"),
    "a list": (b"- a\n", "1:1: the file is not a mapping (begin with `version: 1`)"),
    "a text": (b"hello\n", "1:1: the file is not a mapping (begin with `version: 1`)"),
    "bytes that are not UTF-8": (
        b"version: 1\n# caf\xe9\n",
        "2:6: the byte 0xE9 is not UTF-8 (save the file as UTF-8)",
    ),
    "a control character": (
        b"version: 1\nx: a\x1bb\n",
        "2:5: the control character U+001B is not allowed",
    ),
    "a line end that only some readers see": (
        "version: 1 # \u2028x: 2\n".encode(),
        "1:14: the control character U+2028 is not allowed",
    ),
    "a second document": (
        b"version: 1\n---\nversion: 1\n",
        "2:1: a second document begins here (use one document per file)",
    ),
    "a tab": (
        b"version: 1\nsites:\n\ta: {}\n",
        (
            "3:1: invalid YAML: while scanning for the next token found character '\\t' "
            "that cannot start any token (indent with spaces, not tabs)"
        ),
    ),
    "a key that is indented less than the one beside it": (
        b"version: 1\nhost:\n   state_dir: /a\n  nginx: {}\n",
        (
            "4:3: invalid YAML: while parsing a block mapping that begins on line 1 "
            "expected <block end>, but found '<block mapping start>' (indent all keys of "
            "a mapping equally)"
        ),
    ),
    "a colon too many": (
        b"version: 1\nhost: state_dir: /a\n",
        (
            "2:16: invalid YAML: mapping values are not allowed here (check the "
            "indentation, and quote a text that contains a colon)"
        ),
    ),
    "a list that is never closed": (
        b"version: 1\nsites:\n  a: [b\n  c: {}\n",
        (
            "4:4: invalid YAML: while parsing a flow sequence that begins on line 3 "
            "expected ',' or ']', but got ':'"
        ),
    ),
    "an unclosed list": (
        b"version: 1\nsites: [",
        (
            "2:9: invalid YAML: while parsing a flow node expected the node content, but "
            "found '<stream end>'"
        ),
    ),
    "an escape beyond Unicode": (
        b'version: "\\UFFFFFFFF"\n',
        "1:13: invalid YAML: a number is out of range",
    ),
    "a version of 5,000 digits": (
        b"%YAML 1." + b"9" * 5000 + b"\n---\nversion: 1\n",
        "1:9: invalid YAML: a number is out of range",
    ),
    "a deep nest": (
        b"version: " + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        f"1:{9 + MAX_DEPTH}: nested deeper than {MAX_DEPTH} levels",
    ),
}

REJECTED_PARTS = {
    "an alias": ("version: *v", "1:10: the alias *v is not allowed (write the value out)"),
    "an anchor": ("version: &v 1", "1:10: the anchor &v is not allowed (remove it)"),
    "a tag": (
        "version: !!int 1",
        '1:10: the tag "tag:yaml.org,2002:int" is not allowed (remove it)',
    ),
    "a tag of its own": ("version: !x 1", '1:10: the tag "!x" is not allowed (remove it)'),
    "a merge key": (
        "version: 1\n<<: {host: {}}",
        "2:1: merge keys are not allowed (write the keys out)",
    ),
    "a key that stands twice": (
        "version: 1\nsites: {}\nversion: 1",
        '3:1: duplicate key "version" (first defined on line 1)',
    ),
    "a list as key": ("version: 1\n? [a]\n: b", "2:3: a key has to be a scalar"),
    "a key without value": (
        "version: 1\nsites:",
        '2:7: "sites" has no value (set one, or remove it)',
    ),
    "null": ("version: 1\nsites: ~", '2:8: "sites" has no value (set one, or remove it)'),
    "an escaped control character": (
        'version: 1\npaths: {"/a\\e": {owner: assets}}',
        "2:9: the text contains U+001B, an invisible character",
    ),
    "an escaped half of a character": (
        'version: 1\npaths: {"/a\\ud800": {owner: assets}}',
        "2:9: the text contains U+D800, an invisible character",
    ),
    "a character that turns the reading direction": (
        "version: 1\npaths: {/a\u202eb: {owner: assets}}",
        "2:9: the text contains U+202E, an invisible character",
    ),
}


@pytest.mark.parametrize(("data", "error"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_one_document_is_reported_with_its_position(data: bytes, error: str) -> None:
    assert [error] == errors_in(data)


@pytest.mark.parametrize(("text", "error"), REJECTED_PARTS.values(), ids=REJECTED_PARTS.keys())
def test_an_ambiguous_part_is_refused_with_its_position(text: str, error: str) -> None:
    assert [error] == errors_in(text)


def test_the_deepest_nest_that_is_allowed_can_be_read() -> None:
    nest = b"version: " + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)

    root, found = read(nest, "f")

    assert () == found
    assert MAX_DEPTH - 1 == str(root.to_python()["version"]).count("(")


def test_a_file_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    fill = MAX_BYTES - len(SMALLEST)

    assert [] == errors_in(SMALLEST + "#" * fill)
    assert ["1:1: the file is larger than 1 MiB"] == errors_in(SMALLEST + "#" * (fill + 1))


def test_brackets_by_the_hundred_thousand_are_refused_at_once() -> None:
    start = time.process_time()

    found = errors_in(b"[" * 200_000)

    assert ["1:33: nested deeper than 32 levels"] == found
    assert time.process_time() - start < 10


def test_an_alias_bomb_is_refused_without_being_expanded() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]

    found = errors_in("\n".join(lines))

    assert "1:5: the anchor &a0 is not allowed (remove it)" in found


SCALARS = {
    "1": 1,
    "-7": -7,
    "0": 0,
    "true": True,
    "false": False,
    "": None,
    "~": None,
    "null": None,
    "yes": "yes",
    "no": "no",
    "on": "on",
    "True": "True",
    "22:22": "22:22",
    "1_000": "1_000",
    "0x1f": "0x1f",
    "1.5": "1.5",
    "1e3": "1e3",
    ".inf": ".inf",
    "2027-01-31": "2027-01-31",
    "0755": "0755",
    "0o755": "0o755",
    "9" * 19: "9" * 19,
}


@pytest.mark.parametrize(("written", "value"), SCALARS.items())
def test_an_unquoted_scalar_is_an_integer_a_boolean_none_or_the_text_itself(
    written: str, value: object
) -> None:
    resolved = resolve(written, is_plain=True)

    assert value == resolved
    assert isinstance(resolved, type(value))


@pytest.mark.parametrize("written", SCALARS)
def test_a_quoted_scalar_is_always_the_text_itself(written: str) -> None:
    assert written == resolve(written, is_plain=False)


def test_every_key_and_value_has_its_position() -> None:
    root, _ = read(b"version: 1\nhost:\n  state_dir: /var\n", "f")

    host = root.value["host"]

    assert (2, 1) == root.keys["host"]
    assert (3, 3) == host.keys["state_dir"]
    assert (3, 14) == host.value["state_dir"].mark


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    assert [] == errors_in(b"\xef\xbb\xbf" + SMALLEST.encode())


def test_errors_before_an_unreadable_part_are_reported_with_it() -> None:
    with pytest.raises(ConfigErrors) as raised:
        read(b"version: &v 1\nx: *v\ny: [1,,]\n", "f")

    assert [1, 2, 3] == [error.line for error in raised.value.diagnostics]


PARTS = (
    *(
        "a",
        "b: ",
        "key:\n",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        ":",
    ),
    *(" # c\n", "'", '"', "|\n  ", ">-\n  ", "|2\n", "\\", '\\"', "\\u00e9", "\t", "\r\n", "\r"),
    *("é", "\ufeff", "\xa0", "---\n", "...\n", "&a ", "*a", "!x ", "%YAML 1.2\n", "<<: ", "@", "`"),
    *("0755", "~", "version: 1\n", "sites:\n  a: {listen: [80]}\n", 'x: "y"\n', "z: [a, b: c]\n"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_libyaml_reads_what_the_parser_in_python_reads(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        by_default = reading(text)
        patch.setattr(yaml, "__with_libyaml__", False)
        in_python = reading(text)

    assert in_python == by_default


def reading(text: str) -> object:
    """The tree and its errors, or why there is none."""
    try:
        return read(text.encode(), "f")
    except ConfigErrors as errors:
        return errors.diagnostics
