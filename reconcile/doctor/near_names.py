"""The name that was meant: by Unicode form, case, blanks, dots at the end, or %-escapes."""

from __future__ import annotations

import unicodedata
from posixpath import join
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from reconcile.filesystem.files import Files

MAX_NAMES = 20_000
"""Names of one folder that are compared; a larger folder has no near name."""


def near_path(files: Files, root: str, path: str) -> str:
    """The existing path below `root` that differs from `path` in spelling alone; "" if none."""
    found = root
    for name in path.removeprefix(root).strip("/").split("/"):
        step = join(found, name)
        found = step if files.stat(step, follow=True) else _near(files, found, name)
        if not found:
            return ""
    return found if found != path else ""


def _near(files: Files, folder: str, name: str) -> str:
    st = files.stat(folder, follow=True)
    if st is None or st.kind != "directory":
        return ""
    names, wanted = files.listdir(folder), _folded(name)
    near = [one for one in names[:MAX_NAMES] if _folded(one) == wanted]
    return join(folder, near[0]) if len(near) == 1 else ""


def explain_difference(one: str, other: str) -> str:
    """In what two spellings of a name differ."""
    steps = {
        "Unicode form": lambda text: unicodedata.normalize("NFC", text),
        "upper and lower case": str.casefold,
        "%-escapes": unquote,
    }
    for what, simplified in steps.items():
        if simplified(one) == simplified(other):
            return f"differs in {what}"
    return "differs in blanks, dots or several of these"


def _folded(name: str) -> str:
    """The name without what people, browsers and file systems treat as the same."""
    plain = unicodedata.normalize("NFC", unquote(unquote(name))).casefold()
    visible = (char for char in plain if unicodedata.category(char) not in ("Cf", "Zs", "Cc"))
    return "".join(visible).strip(".")
