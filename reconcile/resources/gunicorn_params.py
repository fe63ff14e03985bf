"""What the templates of Gunicorn's unit and socket need to know: plain, checked values."""

from __future__ import annotations

from reconcile.dataclass import dataclass


@dataclass(frozen=True)
class GunicornParams:
    """One app run by Gunicorn.

    `service` and `socket` are unit names; `socket` is None where `bind` is no Unix socket.
    `bind` is `unix:/run/x.sock` or `127.0.0.1:8000`. `user` and `group` are None for
    whoever applies. `writable` are the directories that the app may write (media, private).
    `umask` gives new uploads the declared modes. `connecting_user` is nginx's worker user,
    who has to be able to write to the socket. `options` are further words of the command line.
    """

    site: str
    service: str
    socket: str | None
    directory: str
    python: str
    module: str
    workers: int
    bind: str
    user: str | None
    group: str | None
    writable: tuple[str, ...]
    umask: int
    connecting_user: str
    options: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    environment_file: str | None = None

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket, None where the app listens on a port."""
        scheme, _, path = self.bind.partition("unix:")
        return path if not scheme and path else None
