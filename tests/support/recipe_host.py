"""A host on which one recipe of the documentation is applied, and a visitor on another host."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.lab import DebianHost, http
from tests.lab.debian import Completed
from tests.support.recipes import recipes
from tests.support.wait import wait_for

FILES = Path(__file__).parent / "recipe_files"
DEPLOY = "/home/dev/deploy"
PASSWORD = ("--user", "anna:password")
STRANGER = "203.0.113.7"
"""An address of the visitor's that the recipes name; its other one is in 10.0.0.0/8."""
FROM_THERE = ("--interface", STRANGER)
VENV = """
python3 -m venv --system-site-packages --without-pip "$1"
for program in celery.__main__:main flask.cli:main; do
  name="${program%%[.:]*}"
  printf '#!%s/bin/python\\nfrom %s import %s\\n%s()\\n' \\
    "$1" "${program%:*}" "${program#*:}" "${program#*:}" >"$1/bin/$name"
  chmod 755 "$1/bin/$name"
done
"""
SERVED = {
    "/var/www/myapp/static/app.css": "body {}\n",
    "/var/www/myapp/static/favicon.ico": "icon\n",
    "/var/www/myapp/static/robots.txt": "User-agent: *\n",
    "/var/www/myapp/fonts/a.woff2": "font\n",
    "/var/www/spa/index.html": "<!doctype html><title>spa</title><h1>spa</h1>\n",
    "/var/www/spa/app-3f9c1a2b.js": "1\n",
    "/var/www/site/index.html": "<!doctype html><title>site</title><h1>site</h1>\n",
}


@dataclass(frozen=True)
class Answer:
    """What a visitor's curl got."""

    version: str
    status: int
    headers: Message = field(repr=False)
    body: str

    def lines(self, name: str) -> list[str]:
        """The values of every header of that name, in order."""
        return self.headers.get_all(name, [])


@dataclass(frozen=True)
class RecipeHost:
    """A booted host with the files that the recipe's YAML names."""

    title: str
    host: DebianHost
    visitor: DebianHost

    @property
    def yaml(self) -> str:
        return recipes()[self.title]

    def lay(self) -> None:
        """Put the YAML and what it names in place, and let the visitor's addresses reach it."""
        self.host.put_tree(FILES / "deploy", DEPLOY)
        self.host.put_tree(FILES / "app", f"{DEPLOY}/app")
        self.host.put_tree(FILES / "app", "/srv/myapp")
        for path, text in SERVED.items():
            if path in self.yaml or f"dir: {Path(path).parent}" in self.yaml:
                self.host.write(path, text)
        self.host.write(f"{DEPLOY}/reconcile.yaml", self.yaml)
        self.host.run("ip", "route", "replace", f"{STRANGER}/32", "dev", "host0")

    def make_venv(self, folder: str = "/srv/myapp/.venv") -> None:
        self.host.run("sh", "-euc", VENV, "sh", folder)

    def start_app(self, port: int = 8000, *, directory: str = "/srv/myapp") -> None:
        """Run the Flask app behind that port."""
        command = ("/opt/apps-venv/bin/gunicorn", "--bind", f"127.0.0.1:{port}", "app:app")
        self.start(f"app-{port}", directory, *command)
        self.wait_for_port(port)

    def start(self, unit: str, directory: str, *command: str) -> None:
        run = ("systemd-run", f"--unit={unit}", "--uid=www-data", "--gid=www-data")
        self.host.run(*run, f"--working-directory={directory}", *command)

    def wait_for_port(self, port: int) -> None:
        asked = ("curl", "--silent", "--output", "/dev/null", f"http://127.0.0.1:{port}/healthz")
        wait_for(lambda: self.host.run(*asked, check=False).returncode == 0, f"port {port}")

    def edit(self, old: str, new: str) -> None:
        """Change the YAML, as its owner does later."""
        text = self.host.read(f"{DEPLOY}/reconcile.yaml").decode()
        assert old in text
        self.host.write(f"{DEPLOY}/reconcile.yaml", text.replace(old, new))

    def apply(self, *options: str) -> str:
        """Apply; the plan after it is empty, and `verify` finds nothing wrong."""
        applied = self.reconcile("apply", "--auto-approve", *options)
        for after in (("plan", "--detailed-exitcode"), ("verify",)):
            self.reconcile(*after, *options)
        return applied.stdout

    def reconcile(self, *arguments: str, code: int = 0) -> Completed:
        done = self.host.reconcile(*arguments, cwd=DEPLOY)
        assert code == done.returncode, done.stdout + done.stderr
        return done

    def get(self, url: str, *options: str) -> Answer:
        """What the visitor gets for `url`, whose host is this one whatever its name."""
        there = ("--connect-to", f"::{self.host.address}:")
        command = ("curl", "--silent", "--show-error", "--include", "--max-time", "50", *there)
        # Without it there would be two heads where a body is large.
        plain = ("--header", "Expect:")
        return answer_of(self.visitor.run(*command, *plain, *options, url).stdout)

    def received(self, url: str, *options: str) -> dict[str, Any]:
        """What the app got of that request; it answers with it."""
        found: dict[str, Any] = json.loads(self.get(url, *options).body)
        return found

    def echoed(self, path: str, text: str) -> str:
        """What comes back over a WebSocket."""
        namespace = f"/proc/{self.visitor.leader}/ns/net"
        there = http.connect(namespace, self.host.address, 80, timeout_s=60)
        with connect(f"ws://example.com{path}", sock=there, open_timeout=20) as client:
            client.send(text)
            return str(client.recv(timeout=20))

    def started(self, unit: str) -> str:
        """What changes with each start of the unit."""
        shown = self.host.run("systemctl", "show", "--value", "-p", "MainPID,InvocationID", unit)
        return shown.stdout


def answer_of(output: str) -> Answer:
    """Read what `curl --include` shows."""
    head, _, body = output.partition("\r\n\r\n")
    first, _, headers = head.partition("\r\n")
    version, status = re.match(r"HTTP/(\S+) (\d+)", first).groups()  # type: ignore[union-attr]
    return Answer(version, int(status), Parser().parsestr(headers.replace("\r\n", "\n")), body)
