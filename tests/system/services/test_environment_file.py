"""Environment files are read as systemd reads them."""

from __future__ import annotations

import pytest

from reconcile.system.services.process.environment_file import parse_environment


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("# A=1\n; B=2\n\nnothing\n=x\n", {}),
        ("A=two words  \n", {"A": "two words"}),
        ("  A = b\n", {"A": "b"}),
        ("A='$x \"y\" # z'\n", {"A": '$x "y" # z'}),
        ('A="a \\"b\\" \\\\ \\$c \\d"\n', {"A": 'a "b" \\ $c \\d'}),
        ("A='one\ntwo'\nB=3\n", {"A": "one\ntwo", "B": "3"}),
        ("A=one\\\ntwo\nB=3\n", {"A": "onetwo", "B": "3"}),
        ("A=it's\n", {"A": "it's"}),
        ("A='a''b'c\n", {"A": "abc"}),
        ("A=\nB=x\n", {"A": "", "B": "x"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=https://u:p@h/x?y=z#f\n", {"A": "https://u:p@h/x?y=z#f"}),
        ("1A=x\nA-B=y\n", {}),
    ],
)
def test_an_environment_file_sets(text: str, variables: dict[str, str]) -> None:
    assert variables == parse_environment(text)
