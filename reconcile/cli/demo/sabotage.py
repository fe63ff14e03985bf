"""Five typical faults, caused without reconcile."""

from __future__ import annotations

import os
import signal

from reconcile.cli.demo.demo_host import SERVICE, DemoHost
from reconcile.system.processes import children

SITE = "nginx/sites-available/demo.conf"
LINK = "nginx/sites-enabled/demo.conf"


def break_five_things(demo: DemoHost) -> list[str]:
    """Cause the faults; return each as a command with its typical cause."""
    os.unlink(f"{demo.root}/www/static/css/app.css")
    _edit(f"{demo.root}/{SITE}", "max-age=604800", "max-age=60")
    os.unlink(f"{demo.root}/{LINK}")
    os.chmod(f"{demo.root}/www/media", 0o700)
    _kill(demo.host.services.status(SERVICE).main_pid)
    faults = {
        "rm www/static/css/app.css": "a failed deploy",
        f"sed -i s/604800/60/ {SITE}": "a quick manual fix",
        f"rm {LINK}": "not noticed before the next reload",
        "chmod 700 www/media": "a bug in a backup script",
        "pkill -9 gunicorn": "out of memory",
    }
    width = max(map(len, faults))
    return [f"{command:<{width}}  # {why}" for command, why in faults.items()]


def _kill(master: int) -> None:
    for pid in (*children(master), master):
        os.kill(pid, signal.SIGKILL)


def _edit(path: str, old: str, new: str) -> None:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
