"""The file that `reconcile init` writes."""

from __future__ import annotations

import re

from reconcile.config.starter import STARTER
from tests.support.yaml_examples import errors_in, load_text


def uncommented(text: str) -> str:
    """The file with everything that it proposes in comments switched on."""
    lines = text.splitlines()
    return "\n".join(
        line if line.endswith(".") else re.sub(r"^( *)# ", r"\1", line) for line in lines
    )


def test_it_is_a_complete_site() -> None:
    site = load_text(STARTER).sites["myapp"]

    assert ["/static/", "/media/"] == list(site.locations)
    assert site.app is not None


def test_everything_in_its_comments_is_valid() -> None:
    text = uncommented(STARTER)

    assert [] == errors_in(text)
    assert ["/static/", "/media/", "/protected/"] == list(load_text(text).sites["myapp"].locations)
    assert {"owners", "cache_policies", "paths"} < load_text(text).model_fields_set


def test_it_fits_a_terminal() -> None:
    assert all(len(line) <= 100 for line in STARTER.splitlines())
