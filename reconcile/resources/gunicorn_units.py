"""The systemd service and socket of an app run by Gunicorn, and the plain form without systemd."""

from __future__ import annotations

import re
from collections.abc import Iterable

from reconcile.errors import ReconcileError
from reconcile.filesystem.path import is_inside
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.system import ServiceManagerName

HEADER = "# Managed by reconcile: edits here are replaced at the next apply."
_PLAIN_WORD = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_SPECIAL = re.compile(r"[\"'\\$;]")
_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108  these are compared with, not written to


def unit_texts(
    view: GunicornParams, manager: ServiceManagerName = "systemd"
) -> tuple[str, str | None]:
    """The text of the service and of its socket unit, None where there is none to be had.

    Without systemd nobody else opens the socket, so Gunicorn binds it itself.
    Errors: ReconcileError for a value that cannot be said safely in a unit file.
    """
    _refuse_unsafe(view)
    if manager == "process":
        return _plain_service(view), None
    if view.socket is None:
        return _service(view, socket=None), None
    return _service(view, view.socket), _socket(view)


def quoted(word: str) -> str:
    """`word` as one argument of an Exec line, taken literally: no specifier, no variable.

    Source: systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers".
    """
    literal = word.replace("%", "%%").replace("$", "$$")
    if _PLAIN_WORD.fullmatch(word):
        return literal
    return '"' + literal.replace("\\", "\\\\").replace('"', '\\"') + '"'


def specified(value: str) -> str:
    """`value` as a setting that expands specifiers and nothing else."""
    return value.replace("%", "%%")


def _refuse_unsafe(view: GunicornParams) -> None:
    named = {
        "directory": view.directory,
        "python": view.python,
        "upstream": view.bind,
        "user": view.user or "",
        "group": view.group or "",
        "environment_file": view.environment_file or "",
        **{f"writable directory {path}": path for path in view.writable},
    }
    for what, value in named.items():
        if _SPECIAL.search(value) or not value.isprintable() or value != value.strip():
            raise ReconcileError(
                what=f"The {what} of sites.{view.site}.app cannot stand in a unit file: {value!r}",
                why="quotes, backslashes, dollar signs, semicolons and control characters "
                "have a meaning there",
                fix="Choose a name without them. Nothing was changed.",
            )
    texts = (view.module, *view.options, *(value for _, value in view.environment))
    if not all(text.isprintable() for text in texts):
        raise ReconcileError(
            what=f"sites.{view.site}.app.gunicorn contains a control character",
            fix="Remove it. Nothing was changed.",
        )


def _command(view: GunicornParams, *options: str) -> str:
    words = [view.python, "-m", "gunicorn", *options, view.module]
    return " ".join(quoted(word) for word in words)


def _working_directory_of_workers(view: GunicornParams) -> str:
    # Never the socket's own directory: systemd hands its runtime directory, with all
    # that is in it, to the app's user, and nginx could no longer connect.
    return view.service.removesuffix(".service") + ".work"


def _common(view: GunicornParams, *options: str) -> str:
    """What holds with and without systemd; a broken app fails here, before it says READY."""
    runtime = _working_directory_of_workers(view)
    fixed = ("--workers", str(view.workers), "--access-logfile", "-")
    serve = _command(view, *fixed, *view.options, *options)
    return f"""\
Type=notify
WorkingDirectory={specified(view.directory)}
RuntimeDirectory={specified(runtime)}
RuntimeDirectoryMode=0700
Environment=XDG_RUNTIME_DIR=%t/{specified(runtime)}
{environment_lines(view.environment, view.environment_file)}\
UMask={view.umask:04o}
ExecStartPre={_command(view, "--check-config")}
ExecStart={serve}
"""


def environment_lines(environment: Iterable[tuple[str, str]], file: str | None) -> str:
    """Each variable by itself; those of the file win. Source: systemd.exec(5), Environment=."""
    lines = [f"Environment={_assignment(*pair)}" for pair in environment]
    if file:
        lines.append(f"EnvironmentFile={specified(file)}")
    return "".join(f"{line}\n" for line in lines)


def _assignment(name: str, value: str) -> str:
    text = specified(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}={text}"'


def _owner(view: GunicornParams) -> str:
    lines = (view.user and f"User={view.user}", view.group and f"Group={view.group}")
    return "".join(f"{line}\n" for line in lines if line)


def _plain_service(view: GunicornParams) -> str:
    # 0007: Gunicorn's own umask makes the socket, and nginx here runs as the same user.
    bind = ("--bind", view.bind, "--umask", "7")
    return f"""\
{HEADER}
[Unit]
Description={specified(view.site)}, served by Gunicorn

[Service]
{_owner(view)}{_common(view, *bind)}"""


def _service(view: GunicornParams, socket: str | None) -> str:
    needs = (
        f"Requires={socket}\nAfter={socket} network.target" if socket else "After=network.target"
    )
    bind = () if socket else ("--bind", view.bind)
    return f"""\
{HEADER}
[Unit]
Description={specified(view.site)}, served by Gunicorn
{needs}

[Service]
{_owner(view)}{_common(view, *bind)}\
ExecReload=/bin/kill -s HUP $MAINPID
KillMode=mixed
TimeoutStartSec=60s
TimeoutStopSec=35s
Restart=on-failure
RestartSec=1s

{sandbox_lines((view.directory, view.python, *view.writable), view.writable)}
[Install]
WantedBy=multi-user.target
"""


def sandbox_lines(used: Iterable[str], written: Iterable[str]) -> str:
    """Everything read-only or out of sight but what the program was declared to write.

    `used` are paths that it needs, below /home or /tmp, too.

    Left out on purpose: MemoryDenyWriteExecute (JIT compilers), ProcSubset (psutil) and
    SystemCallFilter=~@privileged (a worker of Gunicorn sets its own uid when it starts).
    """
    used = tuple(used)
    protect_home = "read-only" if _any_below(used, _HOMES) else "yes"
    private_tmp = "no" if _any_below(used, _TEMPORARY) else "yes"
    writable = "".join(f"ReadWritePaths={_path_word(path)}\n" for path in written)
    return f"""\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome={protect_home}
{writable}PrivateTmp={private_tmp}
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""


def sandbox_properties(view: GunicornParams) -> tuple[str, ...]:
    """The settings of the service's sandbox, each as `systemd-run --property=` takes it.

    Before the first apply some of what the app writes is not there yet.
    """
    _refuse_unsafe(view)
    used = (view.directory, view.python, *view.writable)
    lines = sandbox_lines(used, view.writable).splitlines()
    return tuple(line.replace("ReadWritePaths=", "ReadWritePaths=-", 1) for line in lines)


def _any_below(paths: tuple[str, ...], roots: tuple[str, ...]) -> bool:
    return any(is_inside(path, root) for path in paths for root in roots)


def _path_word(path: str) -> str:
    literal = specified(path)
    return f'"{literal}"' if " " in literal else literal


def _socket(view: GunicornParams) -> str:
    """Owned by nginx's worker, who has to be able to write to it; nobody else connects."""
    group = f"SocketGroup={view.group}\n" if view.group else ""
    return f"""\
{HEADER}
[Unit]
Description=The socket of {specified(view.site)}

[Socket]
ListenStream={specified(view.socket_path or "")}
SocketUser={view.connecting_user}
{group}SocketMode=0660
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
"""
