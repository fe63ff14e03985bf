"""What `systemctl show` says, as systemd 252 said it on a booted Debian 12, and what it means."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from reconcile.system import Host
from reconcile.system.commands import CompletedCommand
from reconcile.system.services import UnitStatus
from reconcile.system.services.systemctl import parse_show
from reconcile.system.services.systemd import unit_status

RUNNING = """\
InvocationID=0f1e2d3c4b5a69788796a5b4c3d2e1f0
MainPID=42
Result=success
ExecMainStartTimestamp=Sun 2026-11-22 15:15:16.131682 UTC
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/nginx.service
DropInPaths=
UnitFileState=enabled
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.131693 UTC
NeedDaemonReload=no
"""
ABSENT = """\
MainPID=0
Result=success
ExecMainStartTimestamp=
LoadState=not-found
ActiveState=inactive
SubState=dead
FragmentPath=
DropInPaths=
UnitFileState=
ActiveEnterTimestamp=
NeedDaemonReload=no
"""
SOCKET = """\
Result=success
LoadState=loaded
ActiveState=active
SubState=listening
FragmentPath=/etc/systemd/system/demo.socket
DropInPaths=
UnitFileState=enabled
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.561238 UTC
NeedDaemonReload=no
"""
FAILED_TOO_OFTEN = """\
MainPID=0
Result=exit-code
ExecMainStartTimestamp=Sun 2026-11-22 15:15:16.589992 UTC
LoadState=loaded
ActiveState=failed
SubState=failed
FragmentPath=/etc/systemd/system/crash.service
DropInPaths=
UnitFileState=static
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.591115 UTC
NeedDaemonReload=no
"""
WAITING_TO_RESTART = """\
MainPID=0
Result=exit-code
ExecMainStartTimestamp=Sun 2026-11-22 15:15:16.369587 UTC
LoadState=loaded
ActiveState=activating
SubState=auto-restart
FragmentPath=/etc/systemd/system/slow.service
DropInPaths=
UnitFileState=static
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.369809 UTC
NeedDaemonReload=no
"""
EDITED_UNDER_ITS_FEET = """\
MainPID=69
Result=success
ExecMainStartTimestamp=Sun 2026-11-22 15:15:16.376852 UTC
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/edited.service
DropInPaths=/etc/systemd/system/edited.service.d/a.conf /etc/systemd/system/edited.service.d/b.conf
UnitFileState=disabled
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.377083 UTC
NeedDaemonReload=yes
"""
MASKED_WHILE_RUNNING = """\
MainPID=71
Result=success
ExecMainStartTimestamp=Sun 2026-11-22 15:15:16.392308 UTC
LoadState=masked
ActiveState=active
SubState=running
FragmentPath=/etc/systemd/system/masked.service
DropInPaths=
UnitFileState=masked
ActiveEnterTimestamp=Sun 2026-11-22 15:15:16.392547 UTC
NeedDaemonReload=no
"""
UNREADABLE = """\
MainPID=0
Result=success
ExecMainStartTimestamp=
LoadState=bad-setting
ActiveState=inactive
SubState=dead
FragmentPath=/etc/systemd/system/bad.service
DropInPaths=
UnitFileState=static
ActiveEnterTimestamp=
NeedDaemonReload=no
"""
ETC = "/etc/systemd/system"


def at(microsecond: int) -> float:
    return datetime(2026, 11, 22, 15, 15, 16, microsecond, tzinfo=UTC).timestamp()


CASES = [
    (
        RUNNING,
        UnitStatus(
            "u.service",
            loaded=True,
            active=True,
            enabled=True,
            main_pid=42,
            started_at=at(131682),
            invocation="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            state="active (running)",
            fragment_path="/lib/systemd/system/nginx.service",
        ),
    ),
    (ABSENT, UnitStatus("u.service", loaded=False, state="not-found")),
    (
        SOCKET,
        UnitStatus(
            "u.service",
            loaded=True,
            active=True,
            enabled=True,
            started_at=at(561238),
            fragment_path=f"{ETC}/demo.socket",
            state="active (listening)",
        ),
    ),
    (
        FAILED_TOO_OFTEN,
        UnitStatus(
            "u.service",
            loaded=True,
            fragment_path=f"{ETC}/crash.service",
            state="failed (exit-code)",
        ),
    ),
    (
        WAITING_TO_RESTART,
        UnitStatus(
            "u.service",
            loaded=True,
            fragment_path=f"{ETC}/slow.service",
            state="activating (auto-restart, exit-code)",
        ),
    ),
    (
        EDITED_UNDER_ITS_FEET,
        UnitStatus(
            "u.service",
            loaded=True,
            active=True,
            enabled=False,
            main_pid=69,
            started_at=at(376852),
            needs_daemon_reload=True,
            fragment_path=f"{ETC}/edited.service",
            dropins=(f"{ETC}/edited.service.d/a.conf", f"{ETC}/edited.service.d/b.conf"),
            state="active (running)",
        ),
    ),
    (
        MASKED_WHILE_RUNNING,
        UnitStatus(
            "u.service",
            loaded=True,
            active=True,
            enabled=False,
            main_pid=71,
            started_at=at(392308),
            masked=True,
            fragment_path=f"{ETC}/masked.service",
            state="masked",
        ),
    ),
    (
        UNREADABLE,
        UnitStatus(
            "u.service", loaded=True, fragment_path=f"{ETC}/bad.service", state="bad-setting"
        ),
    ),
]


@pytest.mark.parametrize(("said", "status"), CASES, ids=[case[1].state for case in CASES])
def test_a_unit_is_as_systemctl_shows_it(said: str, status: UnitStatus) -> None:
    [properties] = parse_show(said)

    assert status == unit_status("u.service", properties)


def test_units_come_in_the_order_they_were_asked_in() -> None:
    shown = parse_show("\n".join((ABSENT, SOCKET, RUNNING)))

    assert ["not-found", "loaded", "loaded"] == [one["LoadState"] for one in shown]


def test_a_property_with_several_lines_keeps_them_all() -> None:
    [properties] = parse_show("Id=a.socket\nListen=/run/a (Stream)\nListen=80 (Stream)\n")

    assert "/run/a (Stream)\n80 (Stream)" == properties["Listen"]


def test_a_unit_that_systemctl_left_out_is_an_error_not_a_guess() -> None:
    class ShowsOne:
        def run(self, argv: tuple[str, ...], **_: object) -> CompletedCommand:
            return CompletedCommand(argv, 0, RUNNING, "")

    host = Host()
    host.commands = cast(Any, ShowsOne())

    with pytest.raises(ValueError, match="zip"):
        host.services.prefetch(["a.service", "b.service"])


class Shows:
    """Answers `systemctl show` from blocks by unit; the rest does not exist."""

    def __init__(self, **blocks: str) -> None:
        self.blocks = blocks

    def run(self, argv: tuple[str, ...], **_: object) -> CompletedCommand:
        units = argv[argv.index("--") + 1 :]
        shown = (self.blocks.get(unit.replace(".", "_"), ABSENT) for unit in units)
        return CompletedCommand(argv, 0, "\n".join(shown), "")


def enabled(unit: str, **blocks: str) -> bool | None:
    host = Host()
    host.commands = cast(Any, Shows(**blocks))
    return host.services.status(unit).enabled


STATIC = RUNNING.replace("UnitFileState=enabled", "UnitFileState=static")
TIMER = SOCKET.replace("enabled", "disabled")


def test_a_static_unit_is_enabled_by_what_starts_it() -> None:
    elsewhere = STATIC + "TriggeredBy=front.socket late.timer\n"

    assert enabled("app.service", app_service=STATIC, app_socket=SOCKET) is True
    assert enabled("app.service", app_service=elsewhere, front_socket=SOCKET) is True


def test_a_static_unit_that_nothing_enabled_starts_is_not_enabled() -> None:
    assert enabled("app.service", app_service=STATIC) is None
    assert enabled("app.service", app_service=STATIC, app_timer=TIMER) is None


def test_a_unit_that_can_be_enabled_counts_by_itself() -> None:
    disabled = RUNNING.replace("UnitFileState=enabled", "UnitFileState=disabled")

    assert enabled("app.service", app_service=disabled, app_socket=SOCKET) is False
