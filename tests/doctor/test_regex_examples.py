"""Texts that a regex matches, so that a server or location behind one can be asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.doctor.regex_examples import LONGEST, matching_texts


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"^(www\.)?example\.com$", "example.com"),
        (r"^(?<sub>.+)\.example\.com$", "reconcile.example.com"),
        (r"^shop\d+\.test$", "shop0.test"),
        (r"^(?:a|b)\.test$", "a.test"),
        (r"^[a-z0-9-]{3,20}\.app\.io$", "reconcile.app.io"),
        (r"^[a-z]{2}\.test$", "aa.test"),
        (r"^(?!www\.)[^.]+\.test$", "reconcile.test"),
        (r"^(?!a)[a-c]\.test$", "b.test"),
        (r"\.test$", ".test"),
        (r"^x{0}y?z*$", ""),
        (r"^/\Qa.b\E/", "/a.b/"),
    ],
)
def test_a_regex_has_a_text_that_it_matches(pattern: str, text: str) -> None:
    assert text == next(matching_texts(pattern))


def test_a_group_can_be_given_its_text() -> None:
    found = next(matching_texts(r"^/u/([^/]+)/(.*)$", {1: "ann", 2: "a/b.css"}))

    assert "/u/ann/a/b.css" == found


@pytest.mark.parametrize(
    "pattern", [r"^(a)\1$", r"^a\b.b(*VERB)$", r"(", r"^(?!.)x$", r"^(?:(?:a{200}){200}){200}$"]
)
def test_a_regex_without_a_likely_text_has_no_example(pattern: str) -> None:
    assert [] == list(matching_texts(pattern))


@given(
    st.from_regex(r"(?:[a-z]|\\[.dw]|\[[a-z]-?\]|\([a-z|]*\)|[?*+]|\{1,3\}){0,12}", fullmatch=True)
)
def test_every_text_matches(pattern: str) -> None:
    for text in matching_texts(pattern):
        assert re.search(pattern, text, re.ASCII)
        assert len(text) <= LONGEST
