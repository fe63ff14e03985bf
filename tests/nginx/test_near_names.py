"""A missing name, and what stands there instead."""

from __future__ import annotations

import pytest

from reconcile.nginx.near_names import near_names


@pytest.mark.parametrize(
    ("there", "missing", "differs"),
    [
        ("caf\u00e9.png", "cafe\u0301.png", "Unicode form"),
        ("cafe\u0301.png", "caf\u00e9.png", "Unicode form"),
        ("Logo.PNG", "logo.png", "letter case"),
        ("STRASSE", "stra\u00dfe", "letter case"),
        ("a.css ", "a.css", "blanks"),
        ("my file.pdf", "myfile.pdf", "blanks"),
        ("my\u00a0file.pdf", "my file.pdf", "blanks"),
        ("\ufeffa.css", "a.css", "blanks"),
        ("a%20b.css", "a b.css", "percent-encoding"),
        ("my_photo.jpg", "my photo.jpg", "spaces and what replaces them"),
        ("my photo.jpg", "my+photo.jpg", "spaces and what replaces them"),
        ("caf%C3%A9", "caf\u00e9", "percent-encoding"),
        ("caf\udce9", "caf\u00e9", "encoding"),
        ("a.css.", "a.css", "dot at the end"),
        ("Caf\u00e9.PNG", "cafe\u0301.png", "Unicode form and letter case"),
    ],
)
def test_it_is_near_and_the_difference_is_named(there: str, missing: str, differs: str) -> None:
    assert [(there, differs)] == list(near_names(["other.css", there], missing))


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ("a.css", "b.css"),
        ("a.css", "a.css"),
        ("a-b.css", "ab.css"),
        ("a_b.css", "ab.css"),
        ("cafe", "caf\u00e9"),
    ],
)
def test_another_name_is_not_near(there: str, missing: str) -> None:
    assert [] == list(near_names([there], missing))
