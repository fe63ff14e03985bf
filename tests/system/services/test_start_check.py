"""The check before a restart runs as the unit does, beside the process that runs."""

from __future__ import annotations

from reconcile.system.services.start_check import check_text

UNIT = """\
[Unit]
Requires=shop.socket
[Service]
User=www-data
Type=notify
RuntimeDirectory=shop.work
Environment="A=1"
ExecStartPre=/srv/python -m gunicorn \\
  --check-config app:app
ExecStart=/srv/python -m gunicorn app:app
Restart=on-failure
ProtectSystem=strict
[Install]
WantedBy=multi-user.target
"""
DROPIN = "[Service]\nEnvironment=B=2\nExecStartPre=/bin/migrate\n"


def test_the_check_has_the_sandbox_and_the_environment_and_nothing_of_the_process() -> None:
    assert [
        "[Service]",
        "Type=oneshot",
        "TimeoutStartSec=60s",
        "User=www-data",
        'Environment="A=1"',
        "ProtectSystem=strict",
        "Environment=B=2",
        "ExecStart=/srv/python -m gunicorn    --check-config app:app",
    ] == check_text(UNIT, [DROPIN]).splitlines()


def test_a_unit_without_a_check_has_none() -> None:
    assert "" == check_text("[Service]\nExecStart=/bin/true\n", [DROPIN])
