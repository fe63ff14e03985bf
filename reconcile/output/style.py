"""Colour and line width of text output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass

if TYPE_CHECKING:
    # Its pydantic costs 80 ms, and `--help` uses colour too.
    from reconcile.engine.model import Action, CheckStatus, Severity

GLYPHS: dict[Action, str] = {"create": "+", "update": "~", "delete": "-", "no-op": " "}
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"
_ACTIONS: dict[Action, str] = {"create": _GREEN, "update": _YELLOW, "delete": _RED, "no-op": _DIM}
_STATUSES: dict[CheckStatus, str] = {
    "pass": _GREEN,
    "fail": _RED,
    "unknown": _YELLOW,
    "skipped": _DIM,
}
_ANSI_CODE = r"\x1b\[[0-9;]*m"
_COMMAND = (
    r"(?:(?<=: )|(?<=\()|^)(?:sudo|apt|certbot|chgrp|chmod|chown|curl|git|journalctl|ln|mv|nginx|"
    r"reconcile|rm|setfacl|systemctl) .+?(?=[;,)]|\.(?: |$)|$)"
)
_PASTED = (
    r"(?:cd|chgrp|chmod|chown|cp|docker|find|install|mkdir|mv|nginx|openssl|printf|rm|setfacl|"
    r"systemctl) |/\S+:\d+: .*[{;]"
)
_NO_BREAK = "\xa0"
"""A space at which no line may end; text that is `printable` contains none."""
_PATH_PART = r"[^/]*/+|[^/]+"
_WORD = r"( *)((?:`[^`]+`|[^ ])+)"
_SEVERITIES: dict[Severity, str] = {"error": _RED, "warning": _YELLOW, "note": _CYAN}


@dataclass(frozen=True)
class Style:
    """Colour, if enabled, and the width in columns, None for no limit."""

    colour: bool = False
    width: int | None = None

    def bold(self, text: str) -> str:
        """Emphasize a heading."""
        return self._coloured(text, _BOLD)

    def dim(self, text: str) -> str:
        """Mute what matters least."""
        return self._coloured(text, _DIM)

    def error(self, text: str) -> str:
        """Mark a problem."""
        return self._coloured(text, _RED)

    def alarm(self, text: str) -> str:
        """Mark what destroys something."""
        return self._coloured(text, f"{_BOLD};{_RED}")

    def good(self, text: str) -> str:
        """Mark a success."""
        return self._coloured(text, _GREEN)

    def action(self, action: Action, text: str) -> str:
        """Colour `text` like the changes of that action."""
        return self._coloured(text, _ACTIONS[action])

    def status(self, status: CheckStatus, text: str) -> str:
        """Colour `text` like the checks of that status."""
        return self._coloured(text, _STATUSES[status])

    def severity(self, severity: Severity, text: str) -> str:
        """Colour `text` like the findings of that severity."""
        return self._coloured(text, _SEVERITIES[severity])

    def glyph(self, action: Action) -> str:
        """Return the coloured sign of an action: +, ~ or -."""
        return self.action(action, GLYPHS[action])

    def fits(self, line: str) -> bool:
        """Whether `line` is no wider than `width`; colour codes do not count."""
        return self.width is None or len(re.sub(_ANSI_CODE, "", line)) <= self.width

    def wrap(self, text: str, indent: str = "", hanging: str = "") -> list[str]:
        """Break `text` into lines no wider than `width`, never inside a word or a `command`.

        A path that is longer than a line is broken after a slash.
        """
        if self.fits(indent + text):
            return [indent + text]
        start = hanging or indent
        lines, line = [], indent
        for space, word in re.findall(_WORD, text):
            is_whole = "`" in word or _NO_BREAK in word or self.fits(start + word)
            for piece in [space + word] if is_whole else [space, *re.findall(_PATH_PART, word)]:
                if line.strip() and not self.fits(line + piece):
                    lines.append(line)
                    line = start + piece.lstrip(" ")
                else:
                    line += piece
        return [*lines, line]

    def wrap_fix(self, text: str, indent: str, hanging: str) -> list[str]:
        """Wrap a fix in words; commands need no backticks, and what is pasted keeps its line."""
        if re.match(_PASTED, text):
            return [indent + text]
        joined = re.sub(_COMMAND, lambda command: command[0].replace(" ", _NO_BREAK), text)
        return [line.replace(_NO_BREAK, " ") for line in self.wrap(joined, indent, hanging)]

    def _coloured(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Style()


def join_blocks(*blocks: Sequence[str]) -> str:
    """Join blocks of lines with an empty line between them; empty blocks are left out."""
    return "\n\n".join("\n".join(block) for block in blocks if block)
