"""Five things that go wrong on real hosts, done behind reconcile's back."""

from __future__ import annotations

import os
import signal

from reconcile.cli.demo.stage import SERVICE, Stage
from reconcile.system.processes import children

SITE = "nginx/sites-available/demo.conf"
LINK = "nginx/sites-enabled/demo.conf"


def break_five_things(stage: Stage) -> list[str]:
    """Break them; what was done, as the one who did it would tell."""
    os.unlink(f"{stage.root}/www/static/css/app.css")
    _edit(f"{stage.root}/{SITE}", "max-age=604800", "max-age=60")
    os.unlink(f"{stage.root}/{LINK}")
    os.chmod(f"{stage.root}/www/media", 0o700)
    _kill(stage.host.services.status(SERVICE).main_pid)
    told = {
        "rm www/static/css/app.css": "a deploy that went half wrong",
        f"sed -i s/604800/60/ {SITE}": "a quick fix by hand",
        f"rm {LINK}": "a site that nobody misses, until the next reload",
        "chmod 700 www/media": "a backup script with a bug",
        "pkill -9 gunicorn": "a bad night",
    }
    width = max(map(len, told))
    return [f"{command:<{width}}  # {why}" for command, why in told.items()]


def _kill(master: int) -> None:
    for pid in (*children(master), master):
        os.kill(pid, signal.SIGKILL)


def _edit(path: str, old: str, new: str) -> None:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
