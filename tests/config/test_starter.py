"""The file that a beginner starts from."""

from __future__ import annotations

import re

from reconcile.config.starter import STARTER
from tests.support.yaml_examples import faults, spec


def uncommented(text: str) -> str:
    """The file with everything that it proposes in comments switched on."""
    lines = text.splitlines()
    return "\n".join(
        line if line.endswith(".") else re.sub(r"^( *)# ", r"\1", line) for line in lines
    )


def test_it_is_a_complete_site() -> None:
    site = spec(STARTER).sites["myapp"]

    assert ["/static/", "/media/"] == list(site.locations)
    assert site.app is not None


def test_all_that_it_proposes_in_comments_is_right() -> None:
    text = uncommented(STARTER)

    assert [] == faults(text)
    assert ["/static/", "/media/", "/protected/"] == list(spec(text).sites["myapp"].locations)
    assert {"owners", "cache_policies", "paths"} < spec(text).model_fields_set


def test_it_fits_a_terminal() -> None:
    assert all(len(line) <= 100 for line in STARTER.splitlines())
