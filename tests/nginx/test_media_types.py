"""Which types a server adds to those of its http block."""

from __future__ import annotations

import pytest

from reconcile.nginx.model.config_loader import load
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.media_types import added_types, is_fit
from reconcile.nginx.model.web_types import WEB_TYPES

EVERY = " ".join(f"{kind} {ending};" for ending, kind in WEB_TYPES.items())


class Files(dict[str, bytes]):
    """A reader of what this maps names to."""

    def read(self, path: str) -> bytes:
        return self[path]

    def glob(self, pattern: str) -> list[str]:
        return []


def tree(http: str, **files: str) -> ConfigTree:
    contents = {f"/etc/nginx/{name}": text.encode() for name, text in files.items()}
    main = f"events {{ }} http {{ {http} }}".encode()
    return load("/etc/nginx/nginx.conf", Files({"/etc/nginx/nginx.conf": main, **contents}))


def test_nothing_is_added_where_all_are_known() -> None:
    assert () == added_types(tree(f"types {{ {EVERY} }}")).lines


def test_the_file_that_has_all_others_is_included() -> None:
    known = EVERY.replace("text/javascript mjs;", "")

    added = added_types(tree("include mimes;", mimes=f"types {{ {known} }}"))

    assert ("/etc/nginx/mimes", (("text/javascript", ("mjs",)),)) == (added.include, added.lines)


@pytest.mark.parametrize(
    ("http", "mimes"),
    [
        ("include mimes; types { a/b c; }", "types { text/html html; }"),
        ("include mimes;", "types { text/html html; } gzip on;"),
        ("types { text/html html; }", ""),
    ],
    ids=["two places", "a file with more than types", "in the http block itself"],
)
def test_types_that_no_single_file_has_are_repeated(http: str, mimes: str) -> None:
    added = added_types(tree(http, mimes=mimes))

    assert "" == added.include
    assert ("text/html", ("html", "htm")) in added.lines


def test_a_type_that_browsers_refuse_is_replaced_and_others_stay() -> None:
    known = EVERY.replace("text/javascript mjs", "text/plain mjs") + "a/b c;"

    added = added_types(tree("include mimes;", mimes=f"types {{ {known} }}"))

    assert "" == added.include
    assert ("text/javascript", ("js", "mjs")) in added.lines
    assert ("a/b", ("c",)) in added.lines


@pytest.mark.parametrize(
    ("ending", "kind", "fit"),
    [
        ("js", "application/javascript", True),
        ("js", "text/plain", False),
        ("CSS", "text/css", True),
        ("css", "text/plain", False),
        ("wasm", "application/octet-stream", False),
        ("bmp", "image/x-ms-bmp", True),
        ("woff", "application/font-woff", True),
        ("woff2", "application/octet-stream", False),
        ("unheard-of", "application/octet-stream", True),
    ],
)
def test_a_type_is_fit_where_browsers_take_it_for_its_ending(
    ending: str, kind: str, fit: bool
) -> None:
    assert fit == is_fit(ending, kind)
