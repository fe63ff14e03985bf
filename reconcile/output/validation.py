"""What `reconcile validate --json` prints."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile import __version__
from reconcile.config.diagnostics import Diagnostic
from reconcile.output.documents import DiagnosticItem, ValidationDocument


def validation_document(diagnostics: Sequence[Diagnostic], exit_code: int) -> ValidationDocument:
    """List every error of the file with its position."""
    return ValidationDocument(
        reconcile_version=__version__,
        valid=not diagnostics,
        error_count=len(diagnostics),
        diagnostics=[DiagnosticItem(**error._asdict()) for error in diagnostics],
        exit_code=exit_code,
    )
