"""Below which folders nginx keeps files open."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.open_file_cache import cached_folders
from tests.nginx.test_media_types import tree

ON = "open_file_cache max=9;"
STATIC = "location /static/ { alias /srv/static/; }"


@pytest.mark.parametrize(
    ("http", "folders"),
    [
        ("server { root /srv; }", set()),
        (f"{ON} server {{ root /srv; {STATIC} }}", {"/srv", "/srv/static/"}),
        (f"{ON} server {{ open_file_cache off; {STATIC} }}", set()),
        (f"server {{ {STATIC} location /a/ {{ {ON} alias /srv/a/; }} }}", {"/srv/a/"}),
        (f"server {{ {ON} root /srv/$host/www; }}", {"/srv/"}),
    ],
    ids=["without", "of the http block", "switched off", "of one location", "a variable"],
)
def test_the_folders_are_those_of_the_levels_that_have_it(http: str, folders: set[str]) -> None:
    assert folders == cached_folders(tree(http))
