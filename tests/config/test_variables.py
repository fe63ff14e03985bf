"""Variables: put in as if written there, typed, none unknown, none unused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.config.config import Config
from reconcile.config.load import load_bytes
from reconcile.errors import ReconcileError
from tests.support.host_facts import HOST, compile_text
from tests.support.yaml_examples import FILE, errors_at_lines, errors_in

TEXT = """\
version: 1
vars: {domain: example.com, workers: 3, secure: false}
sites:
  shop:
    server_names: ["${var.domain}", "www.${var.domain}"]
    default_server: ${var.secure}
    app:
      upstream: unix:/run/${var.domain}.sock
      gunicorn:
        directory: /srv/a
        python: /srv/a/python
        module: "a:a"
        workers: ${var.workers}
"""


def load(**given: str) -> Config:
    return load_bytes(TEXT.encode(), FILE, given)


def test_a_variable_stands_for_a_whole_value_or_for_a_part() -> None:
    site = load().sites["shop"]

    assert ("example.com", "www.example.com") == site.server_names
    assert site.app
    assert site.app.gunicorn
    assert (3, False) == (site.app.gunicorn.workers, site.default_server)
    assert "unix:/run/example.com.sock" == site.app.upstream


def test_the_command_line_wins_and_is_read_as_the_declared_type() -> None:
    config = load(domain="staging.test", workers="1", secure="true")
    site = config.sites["shop"]

    assert ("staging.test", "www.staging.test") == site.server_names
    assert site.app
    assert site.app.gunicorn
    assert (1, True) == (site.app.gunicorn.workers, site.default_server)
    assert "domain = staging.test (--var)" in str(config.variables)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("domian", "a", "--var domian: there is no such variable"),
        ("workers", "many", '--var workers: "many" is not a whole number'),
        ("secure", "yes", '--var secure: "yes" is not true or false'),
        ("domain", "a\nb", '--var domain: "a<U+000A>b" is not a text'),
    ],
)
def test_a_wrong_value_of_the_command_line_is_refused(name: str, value: str, what: str) -> None:
    if name == "domain":
        value = "a\x1bb"
        what = what.replace("000A", "001B")
    with pytest.raises(ReconcileError) as refused:
        load(**{name: value})

    assert what == refused.value.what


def a_file(value: str, declared: str = "a: b") -> str:
    return f"version: 1\nvars: {{{declared}}}\npaths: {{/srv/x: {{content: {json.dumps(value)}}}}}"


ERRORS = {
    "an unknown one": (
        a_file("${var.b}${var.a}"),
        '3: unknown variable "b" (use one of: a)',
    ),
    "an unused one": (
        a_file("x"),
        '2: the variable "a" is not used (remove it, or use ${var.a})',
    ),
    "one in a key": (
        "version: 1\nvars: {a: /srv/x}\npaths: {'${var.a}': {owner: assets}}",
        '3: "${var.a}" is not an absolute path (begin it with /)',
    ),
    "a list": (a_file("${var.a}", "a: b, c: [d]"), "2: expected a text, got a list"),
    "a name that is none": (a_file("${var.a}${var.}"), '3: unknown variable "" (use one of: a)'),
}


@pytest.mark.parametrize(("text", "error"), ERRORS.values(), ids=ERRORS.keys())
def test_what_is_wrong_with_a_variable_is_reported_at_its_place(text: str, error: str) -> None:
    assert error in errors_at_lines(text)


def test_a_value_is_checked_as_if_written_there() -> None:
    text = TEXT.replace("domain: example.com", "domain: 'a b'")

    assert '5:20: "a b" is not a host name (use example.com or *.example.com)' in errors_in(text)


def test_two_dollars_are_literal_and_nothing_else_is_evaluated() -> None:
    text = a_file("$${var.a} ${var.a} ${a} $HOME {{ a }} ${VAR.a}", "a: '${var.a}'")

    content = load_bytes(text.encode(), FILE).paths["/srv/x"].content

    assert "${var.a} ${var.a} ${a} $HOME {{ a }} ${VAR.a}" == content


@given(st.text(alphabet="ab$", max_size=6), st.text(alphabet="cd{}.$", max_size=6))
def test_a_value_with_the_syntax_of_a_variable_is_not_evaluated(head: str, value: str) -> None:
    text = a_file(f"{head} ${{var.a}}", f"a: {json.dumps(value)}")

    content = load_bytes(text.encode(), FILE).paths["/srv/x"].content

    assert f"{head} {value}" == content


def test_given_variables_are_part_of_the_digest_and_in_the_plan() -> None:
    assert load().digest != load(workers="4").digest
    assert load(workers="4").digest == load(workers="4").digest
    [finding] = [one for one in compile_text(TEXT, HOST).findings if one.rule == "variables"]
    assert "Variables: domain = example.com, workers = 3, secure = false." == finding.what


def test_an_unknown_variable_is_the_only_error_of_its_value() -> None:
    text = "version: 1\nsites: {s: {server_names: ['${var.b}'], redirects: {/a: /b}}}"

    [error] = errors_at_lines(text)

    assert error.startswith('2: unknown variable "b"')
