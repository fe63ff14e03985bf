"""How text is dressed: with colour or without, and how wide it may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass

if TYPE_CHECKING:
    # Its pydantic costs 80 ms, and `--help` is dressed too.
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
_DRESS = re.compile(r"\x1b\[[0-9;]*m")
_COMMAND = re.compile(
    r"(?:(?<=: )|(?<=\()|^)(?:sudo|apt|certbot|chgrp|chmod|chown|curl|git|journalctl|ln|mv|nginx|"
    r"reconcile|rm|setfacl|systemctl) .+?(?=[;,)]|\.(?: |$)|$)"
)
_HELD = "\xa0"
"""Stands for a space at which no line may end; text that is `printable` has none of its own."""
_STEP = re.compile(r"[^/]*/+|[^/]+")
_WORD = re.compile(r"( *)((?:`[^`]+`|[^ ])+)")
_SEVERITIES: dict[Severity, str] = {"error": _RED, "warning": _YELLOW, "note": _CYAN}


@dataclass(frozen=True)
class Style:
    """Colour only where asked for; `width` in columns, None = as wide as the text is."""

    colour: bool = False
    width: int | None = None

    def bold(self, text: str) -> str:
        return self._dress(text, _BOLD)

    def dim(self, text: str) -> str:
        return self._dress(text, _DIM)

    def error(self, text: str) -> str:
        return self._dress(text, _RED)

    def alarm(self, text: str) -> str:
        return self._dress(text, f"{_BOLD};{_RED}")

    def good(self, text: str) -> str:
        return self._dress(text, _GREEN)

    def action(self, action: Action, text: str) -> str:
        return self._dress(text, _ACTIONS[action])

    def status(self, status: CheckStatus, text: str) -> str:
        return self._dress(text, _STATUSES[status])

    def severity(self, severity: Severity, text: str) -> str:
        return self._dress(text, _SEVERITIES[severity])

    def glyph(self, action: Action) -> str:
        return self.action(action, GLYPHS[action])

    def fits(self, line: str) -> bool:
        """Whether `line`, dressed or not, stands on one line."""
        return self.width is None or len(_DRESS.sub("", line)) <= self.width

    def wrap(self, text: str, indent: str = "", hanging: str = "") -> list[str]:
        """`text` in lines no wider than `width`, no `command` and no word broken.

        A path that is longer than a line goes on after one of its slashes.
        """
        if self.fits(indent + text):
            return [indent + text]
        start = hanging or indent
        lines, line = [], indent
        for space, word in _WORD.findall(text):
            is_whole = "`" in word or _HELD in word or self.fits(start + word)
            for piece in [space + word] if is_whole else [space, *_STEP.findall(word)]:
                if line.strip() and not self.fits(line + piece):
                    lines.append(line)
                    line = start + piece.lstrip(" ")
                else:
                    line += piece
        return [*lines, line]

    def wrap_fix(self, text: str, indent: str, hanging: str) -> list[str]:
        """The same for a fix, in which commands to paste may stand without backticks."""
        held = _COMMAND.sub(lambda command: command[0].replace(" ", _HELD), text)
        return [line.replace(_HELD, " ") for line in self.wrap(held, indent, hanging)]

    def _dress(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Style()
