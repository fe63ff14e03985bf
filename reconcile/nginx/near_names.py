"""Names that are similar to a missing one: equal to people, and not to nginx."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from reconcile.dataclass import dataclass

MOST = 5
BLANK = "spaces and what replaces them"
_INVISIBLE = re.compile("[\\s\u00a0\u00ad\u200b-\u200f\u2060\ufeff]+")


@dataclass(frozen=True)
class NearName:
    """A path that exists, and in what it differs from the missing one."""

    path: str
    differs: str


def _decode_latin1(name: str) -> str:
    """A name that is not UTF-8 as Latin-1, which older systems wrote."""
    if not any("\udc80" <= char <= "\udcff" for char in name):
        return name
    return name.encode("utf-8", "surrogateescape").decode("latin-1")


def _unescaped(name: str) -> str:
    return unquote(name, errors="surrogateescape")


_FORMS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("percent-encoding", _unescaped),
    ("encoding", _decode_latin1),
    ("Unicode form", lambda name: unicodedata.normalize("NFC", name)),
    ("letter case", str.casefold),
    ("blanks", lambda name: _INVISIBLE.sub("", name)),
    ("dot at the end", lambda name: name.rstrip(".")),
)


def near_names(names: Iterable[str], missing: str) -> Iterator[tuple[str, str]]:
    """Those of `names` that differ from `missing` in nothing that people see, and in what."""
    wanted = _in_plain_form(missing)
    for name in names:
        if name == missing:
            continue
        if _in_plain_form(name) == wanted:
            yield name, " and ".join(_differences(name, missing))
        elif _with_underscores(name) == _with_underscores(missing):
            yield name, BLANK


def _with_underscores(name: str) -> str:
    """As Django saves a name with blanks; a link may have + for them."""
    return re.sub(r"[\s+_]+", "_", _unescaped(name))


def _in_plain_form(name: str) -> str:
    """A name without what people do not see: both forms of `é`, `%20` and a blank."""
    return unicodedata.normalize("NFC", _through(name, (form for _, form in _FORMS)))


def _differences(one: str, other: str) -> Iterator[str]:
    """The properties of which each, alone, must be ignored for the names to be equal."""
    for what, _ in _FORMS:
        rest = [form for name, form in _FORMS if name != what]
        if _through(one, rest) != _through(other, rest):
            yield what


def _through(name: str, forms: Iterable[Callable[[str], str]]) -> str:
    for form in forms:
        name = form(name)
    return name
