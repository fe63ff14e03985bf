"""The unit that rolls an apply back unless it is confirmed, also after a reboot."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.gitops.schedule_units import checked_command

HEADER = "# Managed by reconcile (reconcile apply --confirm). Removed once that is confirmed."
UNIT = "reconcile-confirm.service"


def confirm_unit(command: Sequence[str], state_dir: str) -> str:
    """The text of the unit. Errors: ReconcileError for a path that a unit cannot name."""
    command = checked_command(command, "daily")
    # After nginx, whose own start at boot must not run into the rollback.
    lines = (
        HEADER,
        "[Unit]",
        "Description=Roll back the last apply of reconcile unless it is confirmed",
        "After=network.target nginx.service",
        f"RequiresMountsFor={command[0]} {state_dir}",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(part.replace('%', '%%') for part in command)}",
        "Restart=on-failure",
        "RestartSec=2",
        "SuccessExitStatus=143",
        "UMask=0077",
        "OOMScoreAdjust=-900",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    )
    return "\n".join(lines) + "\n"
