"""How text is dressed: with colour or without, and how wide it may be."""

from __future__ import annotations

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

    def wrap(self, text: str, indent: str = "", hanging: str = "") -> list[str]:
        """`text` in lines no wider than `width`; words are never broken."""
        if self.width is None or len(indent) + len(text) <= self.width:
            return [indent + text]
        # Costs 2 ms to import, and most lines fit.
        from textwrap import wrap

        return wrap(
            text,
            max(self.width, len(hanging) + 20),
            initial_indent=indent,
            subsequent_indent=hanging or indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _dress(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


PLAIN = Style()
